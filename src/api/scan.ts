/** Reading the log the way `vedette tail` is asked to: from a point, the first or the last so many, once or for ever. */

import type { Bus, ReadOptions, Stored } from '../bus/bus.ts'
import { fail } from '../core/errors.ts'

/** The part of a bus that reading needs; a store opened read-only has it too. */
export type Readable = Pick<Bus, 'read' | 'state'>

export interface Scan {
  source?: string | undefined
  namespace?: string | undefined
  entry?: string | undefined
  /** Where to begin; undefined: see `last`, else now. */
  from?: 'start' | 'now' | number | undefined
  /** With `from`: at most so many, from there on. Without: the last so many. */
  limit?: number | undefined
  /** Waits for more at the end. */
  follow: boolean
  signal?: AbortSignal | undefined
}

/**
 * Events in order. Without `from` and `limit` it follows from now, whatever `follow` says; with both `limit` and `follow` and no
 * `from`, the last so many come first and then all that follow.
 */
export async function* scan(
  log: Readable,
  { source, namespace, entry, from, limit, follow, signal }: Scan,
): AsyncGenerator<Stored> {
  const filter: ReadOptions = { eventSource: source, namespace, entry, signal } as ReadOptions
  if (from === undefined && limit !== undefined) {
    const { firstSeq, lastSeq } = await log.state()
    yield* lastEvents(log, filter, { firstSeq, lastSeq, limit })
    if (follow && signal?.aborted !== true) yield* log.read({ ...filter, from: lastSeq + 1, follow: true })
    return
  }
  const endless = follow || from === undefined
  const first = from === 'start' ? undefined : typeof from === 'number' ? from : (await log.state()).lastSeq + 1
  let left = from === undefined ? Number.POSITIVE_INFINITY : (limit ?? Number.POSITIVE_INFINITY)
  if (left <= 0) return
  for await (const stored of log.read({
    ...filter,
    ...(first === undefined ? {} : { from: first }),
    follow: endless,
  })) {
    yield stored
    if (--left <= 0) return
  }
}

interface Last {
  firstSeq: number
  lastSeq: number
  limit: number
}

/** The last `limit` events that match, oldest first, up to `lastSeq`. Nothing is gathered: where they begin is looked for first. */
async function* lastEvents(log: Readable, filter: ReadOptions, last: Last): AsyncGenerator<Stored> {
  if (last.limit <= 0 || last.firstSeq === 0) return
  let { from, skip } = await whereLast(log, filter, last)
  for await (const stored of log.read({ ...filter, from, follow: false })) {
    if (stored.seq > last.lastSeq) return
    if (skip-- <= 0) yield stored
  }
}

/** A place in the log, and how many matching events from there on are not among the last `limit`. */
async function whereLast(
  log: Readable,
  filter: ReadOptions,
  { firstSeq, lastSeq, limit }: Last,
): Promise<{ from: number; skip: number }> {
  for (let window = Math.max(limit * 2, 64); ; window *= 4) {
    const from = Math.max(firstSeq, lastSeq - window + 1)
    // there are no more than are wanted: whichever match
    if (from === firstSeq && limit > lastSeq - firstSeq) return { from, skip: 0 }
    const spots = createSpots()
    for await (const { seq } of log.read({ ...filter, from, follow: false })) {
      if (seq > lastSeq) break
      spots.add(seq)
    }
    if (spots.count >= limit) return spots.find(spots.count - limit)
    if (from === firstSeq) return { from, skip: 0 }
  }
}

const MOST_SPOTS = 1024

/** Where the nth of ever so many is, in little memory: every so many-th is remembered, and fewer of them the more there are. */
function createSpots() {
  let spots: number[] = []
  let [every, count] = [1, 0]
  return {
    get count() {
      return count
    },
    add(seq: number) {
      if (count % every === 0) spots.push(seq)
      count++
      if (spots.length <= MOST_SPOTS) return
      spots = spots.filter((_, i) => i % 2 === 0)
      every *= 2
    },
    /** One at or before the `index`th, and how far it is from there. */
    find(index: number): { from: number; skip: number } {
      const spot = Math.floor(index / every)
      return { from: spots[spot] ?? 0, skip: index - spot * every }
    },
  }
}

/** `start`, `now` or a sequence number. @throws USAGE */
export function parseFrom(text: string): 'start' | 'now' | number {
  if (text === 'start' || text === 'now') return text
  const seq = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seq)) {
    throw fail(
      'USAGE',
      `${JSON.stringify(text.slice(0, 40))} is not a place in the log: write start, now or a sequence number`,
    )
  }
  return seq
}

/** A count of events. @throws USAGE */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw fail(
      'USAGE',
      `${JSON.stringify(text.slice(0, 40))} is not a number of events: write a whole number, 0 or more`,
    )
  }
  return Number(text)
}
