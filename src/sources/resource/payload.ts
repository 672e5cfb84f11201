/** What happened to an object, as upstream's payload. */
import { goJson, goValue, RawJson, sortedMap } from '../../core/json.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventType, ResourceSpec } from './spec.ts'

/** An object's JSON with its keys sorted, as Go writes an unstructured one. */
export const objectJson = (object: KubeObject): string => goJson(goValue(object))

/** @param body JSON of the object @param oldBody JSON of what it was before, for UPDATE */
export function eventPayload(
  type: EventType,
  { body, oldBody }: { body: string; oldBody: string | null },
  { group, version, resource, metadata }: ResourceSpec,
): string {
  const given = metadata !== undefined && Object.keys(metadata).length > 0
  return goJson({
    type,
    body: new RawJson(body),
    oldBody: oldBody === null ? null : new RawJson(oldBody),
    group,
    version,
    resource,
    ...(given ? { metadata: sortedMap(metadata) } : {}),
  })
}
