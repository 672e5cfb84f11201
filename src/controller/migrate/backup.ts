/** What `apply` puts aside of Argo Events', so that `back` brings back exactly what ran. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { fail } from '../../core/errors.ts'
import type { KubeObject } from '../../kube/resources.ts'

/** A ConfigMap in the namespace of the controller. */
export const BACKUP = 'vedette-migrate-backup'
const KEY = 'objects.json.gz'
/** A ConfigMap holds 1 MiB. */
const MOST_BYTES = 900_000

export interface Backup {
  /** As they were, without what only the API server writes. */
  objects: KubeObject[]
}

export function backupObject(namespace: string, { objects }: Backup): KubeObject {
  const packed = gzipSync(JSON.stringify(objects)).toString('base64')
  if (packed.length > MOST_BYTES)
    throw fail(
      'SPEC_INVALID',
      `what is to be put aside has ${packed.length} bytes, a ConfigMap holds ${MOST_BYTES}: use the steps by hand, see docs/migrate.md`,
    )
  return {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: BACKUP, namespace } },
    binaryData: { [KEY]: packed },
  }
}

/** @throws SPEC_INVALID when it cannot be read */
export function readBackup(configMap: KubeObject | null): Backup | null {
  if (configMap === null) return null
  const packed = (configMap.binaryData as Record<string, string> | undefined)?.[KEY]
  try {
    return { objects: JSON.parse(gunzipSync(Buffer.from(packed ?? '', 'base64')).toString()) }
  } catch {
    throw fail(
      'SPEC_INVALID',
      `the ConfigMap ${BACKUP} cannot be read: give Argo Events' manifests with --manifest, and delete it`,
    )
  }
}

/** Members that only the API server writes, or that mean nothing of an object made anew. */
const WRITTEN = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
  'ownerReferences',
]

/** The same object, to be made again. An owner would be another one then. */
export function asMade({ metadata, status: _, ...object }: KubeObject): KubeObject {
  const kept = Object.fromEntries(Object.entries(metadata).filter(([member]) => !WRITTEN.includes(member)))
  return { ...object, metadata: kept as KubeObject['metadata'] }
}
