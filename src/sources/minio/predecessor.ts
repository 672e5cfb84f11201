/** Going on where Argo Events' own Pods stopped: from a look while they still served, without what they told themselves. */
import type { Predecessor } from '../../source.ts'
import { CREATED, CREATES, idOf, REMOVED, recordsIn, writtenMs } from './records.ts'

/** Of each object its time of writing, and the latest of all, milliseconds since the epoch. */
export interface Seen {
  objects: Map<string, number> | null
  modifiedMs: number
}

/**
 * What Argo Events' own Pods left told, for the first term after them: as of the look, without what was written after the last that they told, which
 * they did not live to tell. Null: nothing to begin from, or what is known is better.
 */
export function leftBy(predecessor: Predecessor | null, first: boolean): Seen | null {
  if (predecessor === null || !(first || predecessor.more)) return null
  const seen = (predecessor.seen?.look ?? null) as Seen | null
  const newestMs = predecessor.told
    .flatMap(({ data }) => recordsIn(data))
    .filter(({ eventName = '' }) => CREATES.test(eventName))
    .map(({ s3 }) => writtenMs(s3?.object?.sequencer ?? ''))
    .reduce((newest, ms) => (ms > newest ? ms : newest), Number.NEGATIVE_INFINITY)
  if (newestMs === Number.NEGATIVE_INFINITY) return seen
  if (seen === null) return first ? { objects: null, modifiedMs: newestMs } : null
  const told = toldByOthers(predecessor)
  const isTold = ([key, ms]: [string, number]) => ms < newestMs || told(`${CREATED}Put`, key, ms)
  return {
    objects: seen.objects && new Map([...seen.objects].filter(isTold)),
    modifiedMs: Math.min(seen.modifiedMs, newestMs),
  }
}

/** Whether Argo Events' own Pods told it: of each object the last thing that they told counts. */
export function toldByOthers(
  predecessor: Predecessor | null,
): (name: string, key: string, modifiedMs: number) => boolean {
  const last = new Map<string, string>()
  for (const { data } of predecessor?.told ?? []) {
    for (const { eventName = '', s3 } of recordsIn(data)) {
      const { key = '', sequencer = '' } = s3?.object ?? {}
      if (eventName.startsWith(REMOVED)) last.set(key, REMOVED)
      else if (CREATES.test(eventName)) last.set(key, idOf(eventName, key, writtenMs(sequencer)))
    }
  }
  return (name, key, modifiedMs) => last.get(key) === (name.startsWith(REMOVED) ? REMOVED : idOf(name, key, modifiedMs))
}
