/** An object of the cluster → the typed object and what is wrong with it, by the same reader as files. */
import type { KubeObject } from '../../kube/resources.ts'
import { loadManifest } from '../../manifest/load.ts'
import type { Diagnostic, EventBus, EventSource } from '../../manifest/manifest.ts'

export interface ReadObject {
  source: EventSource | null
  bus: EventBus | null
  /** In the order of upstream's validator. */
  errors: Diagnostic[]
}

/** @param object an EventSource or EventBus as the API server gives it */
export async function readObject({ apiVersion, kind, metadata, spec }: KubeObject): Promise<ReadObject> {
  const { name, namespace, labels, annotations } = metadata
  const text = JSON.stringify({ apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec })
  const { manifest, diagnostics } = await loadManifest([{ file: `${kind}/${namespace}/${name}`, text }])
  return {
    source: manifest.eventSources[0] ?? null,
    bus: manifest.eventBuses[0] ?? null,
    errors: diagnostics.filter(({ severity }) => severity === 'error'),
  }
}

/** What is wrong and what to write instead, without a place: there is no file. */
export function sayError({ at, message, remedy }: Diagnostic): string {
  return `${at}: ${message}${remedy === undefined ? '' : ` (${remedy})`}`
}
