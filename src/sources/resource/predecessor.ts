/** What Argo Events' own Pods have told of objects, as far back as the bus was asked. */
import type { KubeObject } from '../../kube/resources.ts'
import type { Predecessor } from '../../source.ts'
import type { EventType } from './spec.ts'

export interface ToldByOthers {
  /** Whether they told of this change: the object's `resourceVersion` tells one from another, and an object is deleted once. */
  told(type: EventType, uid: string, resourceVersion: string): boolean
  /** The `resourceVersion` of the object as they last told it; undefined: they did not, or told that it is deleted. */
  lastOf(uid: string): string | undefined
}

export function toldByOthers(predecessor: Predecessor | null): ToldByOthers {
  const changes = new Set<string>()
  const versions = new Map<string, string>()
  for (const { data } of predecessor?.told ?? []) {
    const { type, uid, version } = changeOf(data)
    if (uid === '') continue
    changes.add(keyOf(type, uid, version))
    if (type === 'DELETE') versions.delete(uid)
    else versions.set(uid, version)
  }
  return {
    told: (type, uid, resourceVersion) => changes.has(keyOf(type, uid, resourceVersion)),
    lastOf: (uid) => versions.get(uid),
  }
}

const keyOf = (type: string, uid: string, version: string) =>
  type === 'DELETE' ? `DELETE:${uid}` : `${type}:${uid}:${version}`

function changeOf(data: string): { type: string; uid: string; version: string } {
  try {
    const { type, body } = JSON.parse(data) as { type?: string; body?: KubeObject }
    return { type: String(type), uid: body?.metadata?.uid ?? '', version: body?.metadata?.resourceVersion ?? '' }
  } catch {
    return { type: '', uid: '', version: '' }
  }
}
