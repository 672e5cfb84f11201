/** Which of the objects that the API server shows are meant, and when something happened to them. */
import { RE2JS } from 're2js'
import type { KubeObject } from '../../kube/resources.ts'
import { pathOf, valueAt } from './fields.ts'
import type { EventType, ResourceSpec } from './spec.ts'

export type ObjectFilter = (type: EventType, object: KubeObject) => boolean

/** @param startMs when the entry began to serve for the first time; Kubernetes' times have whole seconds */
export function objectFilter(
  { filter }: Pick<ResourceSpec, 'filter'>,
  startMs: number,
  nowMs: () => number,
): ObjectFilter {
  if (filter === undefined) return () => true
  const { prefix, createdBy, afterStart } = filter
  const fields = (filter.fields ?? []).map(({ key, operation, value }) => ({
    path: pathOf(key) ?? [],
    wanted: operation !== '!=',
    expression: RE2JS.compile(value),
  }))
  const startSecondMs = Math.floor(startMs / 1000) * 1000
  return (type, object) => {
    if (!object.metadata.name.startsWith(prefix)) return false
    if (afterStart && happenedMs(type, object, nowMs) < startSecondMs) return false
    if (createdBy !== undefined && !(timeOf(object.metadata.creationTimestamp) <= Date.parse(createdBy))) return false
    return fields.every(({ path, wanted, expression }) => {
      const value = valueAt(object, path)
      if (value === undefined) return false
      return expression.matcher(typeof value === 'string' ? value : '').find() === wanted
    })
  }
}

const timeOf = (text: unknown): number => (typeof text === 'string' ? Date.parse(text) : Number.NaN)

/** When it was created, deleted, or written last (as its managed fields say). */
function happenedMs(type: EventType, { metadata }: KubeObject, nowMs: () => number): number {
  const created = timeOf(metadata.creationTimestamp)
  if (type === 'ADD') return created
  if (type === 'DELETE') return timeOf(metadata.deletionTimestamp) || nowMs()
  const written = (metadata.managedFields ?? []) as { operation?: string; time?: string }[]
  return Math.max(
    created,
    ...written.filter(({ operation }) => operation === 'Update').map(({ time }) => timeOf(time) || 0),
  )
}
