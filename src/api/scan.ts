/** Reading the log the way `vedette tail` is asked to: from a point, the first or the last so many, once or for ever. */

import type { Bus, LogState, ReadOptions, Stored } from '../bus/bus.ts'
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
    const { events, next } = await lastEvents(log, filter, limit)
    yield* events
    if (follow) yield* log.read({ ...filter, from: next, follow: true })
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

/** The last `limit` events that match, oldest first, and the sequence number after the newest event looked at. */
async function lastEvents(
  log: Readable,
  filter: ReadOptions,
  limit: number,
): Promise<{ events: Stored[]; next: number }> {
  const { firstSeq, lastSeq }: LogState = await log.state()
  if (limit <= 0 || firstSeq === 0) return { events: [], next: lastSeq + 1 }
  let events: Stored[] = []
  for (let window = Math.max(limit * 2, 64); ; window *= 4) {
    const from = Math.max(firstSeq, lastSeq - window + 1)
    events = []
    for await (const stored of log.read({ ...filter, from, follow: false })) {
      if (stored.seq > lastSeq) break
      events.push(stored)
      if (events.length > limit) events.shift()
    }
    if (events.length >= limit || from <= firstSeq) return { events, next: lastSeq + 1 }
  }
}

/** `start`, `now` or a sequence number. @throws USAGE */
export function parseFrom(text: string): 'start' | 'now' | number {
  if (text === 'start' || text === 'now') return text
  const seq = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seq)) {
    throw fail('USAGE', `${JSON.stringify(text)} is not a place in the log: write start, now or a sequence number`)
  }
  return seq
}

/** A count of events. @throws USAGE */
export function parseCount(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw fail('USAGE', `${JSON.stringify(text)} is not a number of events: write a whole number, 0 or more`)
  }
  return Number(text)
}
