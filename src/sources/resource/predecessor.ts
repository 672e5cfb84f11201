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

/** As the API server counts, and in milliseconds since the epoch. */
interface Moment {
  resourceVersion: string
  atMs: number
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

/**
 * Where the first term after them may begin, the best first. They tell changes in their order, so from the newest that they told on everything is left
 * to us, also what they were behind with when we looked; but the API server remembers only some minutes, and may have forgotten it.
 */
export function beginnings(predecessor: Predecessor | null): Moment[] {
  const { told = [], seen = null } = predecessor ?? {}
  const newest = told
    .map(({ data, atMs }): Moment => ({ resourceVersion: changeOf(data).version, atMs }))
    .filter(({ resourceVersion }) => NUMBER.test(resourceVersion))
    .reduce<Moment | null>((a, b) => (a === null || isBefore(a.resourceVersion, b.resourceVersion) ? b : a), null)
  if (seen === null) return newest === null ? [] : [newest]
  const looked = { resourceVersion: seen.look as string, atMs: seen.atMs }
  return newest !== null && isBefore(newest.resourceVersion, looked.resourceVersion) ? [newest, looked] : [looked]
}

/** Kubernetes counts in whole numbers, and says that they may be compared (API concepts, "Resource versions"). */
const NUMBER = /^[0-9]{1,20}$/
const isBefore = (a: string, b: string): boolean => NUMBER.test(a) && NUMBER.test(b) && BigInt(a) < BigInt(b)

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
