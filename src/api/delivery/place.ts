/** Where a cursor stands in the log as it is now: whether it is still the same log, and what the bus has let go meanwhile. */
import type { Bus, LogState, Stored } from '../../bus/bus.ts'

/** A place in the log. Everything up to it was taken by the receiver, or let go by the bus. */
export interface Place {
  seq: number
  /** The id of the event there, when it is one that was delivered. */
  id?: string | undefined
  /** Which log it is a place in, where the bus says. */
  log?: string | undefined
  /** Events that the bus let go before they were delivered, since the first of them. At most. */
  lost: number
}

type Log = Pick<Bus, 'read' | 'state'>

export interface Found {
  place: Place
  /** The log was deleted and made anew, or has gone back to an older state: it is read from its oldest event on. */
  remade: boolean
  /** Events that the bus let go undelivered. At most, where sequence numbers have gaps of other causes. */
  lost: number
}

/** @throws what the bus throws */
export async function findPlace(log: Log, place: Place): Promise<Found> {
  const state = await log.state()
  if (isOther(state, place) || (await holdsAnother(log, place))) {
    return { place: { ...place, seq: startOf(state), id: undefined, log: state.log }, remade: true, lost: 0 }
  }
  const lost = goneAfter(state, place.seq)
  if (lost === 0) return { place, remade: false, lost }
  return { place: { ...place, seq: place.seq + lost, id: undefined, lost: place.lost + lost }, remade: false, lost }
}

/** The place before everything that the log has. */
export const startOf = ({ firstSeq, lastSeq }: LogState): number => (firstSeq === 0 ? lastSeq : firstSeq - 1)

/** Whether the log can no longer be the one that the place is in. */
export function isOther(state: LogState, { seq, log }: Place): boolean {
  if (log !== undefined && state.log !== undefined && log !== state.log) return true
  return state.messages > 0 && state.lastSeq < seq
}

/** How many sequence numbers after `seq` the bus has let go. */
export const goneAfter = (state: LogState, seq: number): number => Math.max(0, startOf(state) - seq)

/** Under the number of the event that was delivered last there is another one. */
async function holdsAnother(log: Log, { seq, id }: Place): Promise<boolean> {
  if (id === undefined || seq === 0) return false
  const there = await firstFrom(log, seq)
  return there !== null && there.seq === seq && there.id !== id
}

/** The oldest event at or after a place; null when there is none. */
export async function firstFrom(log: Log, seq: number): Promise<Stored | null> {
  for await (const stored of log.read({ from: seq, follow: false })) return stored
  return null
}

const WINDOW = 256

/** The place before the first event that was stored at or after `sinceMs`. */
export async function firstSince(log: Log, { firstSeq, lastSeq }: LogState, sinceMs: number): Promise<number> {
  if (firstSeq === 0) return lastSeq
  for (let width = WINDOW; ; width *= 4) {
    const from = Math.max(firstSeq, lastSeq - width + 1)
    const whole = from === firstSeq
    let first = true
    for await (const { seq, timeMs } of log.read({ from, follow: false })) {
      if (timeMs >= sinceMs && first && !whole) break
      if (timeMs >= sinceMs) return seq - 1
      first = false
      if (seq >= lastSeq) return lastSeq
    }
    if (whole) return lastSeq
  }
}
