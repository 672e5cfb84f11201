/** Spans of time in which something was not as usual, and what follows for messages whose origin forgets what nobody heard. Pure. */

/** Milliseconds since the epoch, both ends included. */
export interface Span {
  fromMs: number
  toMs: number
}

/** A replica, or all of them, that may not have heard what was sent. */
export interface Deaf extends Span {
  replica: number | 'all'
}

/** How long it may take until what one replica heard is on the bus, while the bus is well. */
const PUBLISHED_MS = 10_000
/** What was sent just before a fault may not have arrived. */
const ARRIVED_MS = 1_500

export const overlaps = (a: Span, b: Span): boolean => a.fromMs <= b.toMs && b.fromMs <= a.toMs

/**
 * Whether a hot standby must have it: one of the replicas heard it and lived until it was on the bus.
 * @param replicas how many there were at least
 * @param busAway when nothing could be stored
 */
export function isPromised(sent: Span, replicas: number, deaf: readonly Deaf[], busAway: readonly Span[]): boolean {
  let until = sent.toMs + PUBLISHED_MS
  for (const away of [...busAway].sort((a, b) => a.fromMs - b.fromMs))
    if (away.fromMs <= until) until = Math.max(until, away.toMs + PUBLISHED_MS)
  const needed = { fromMs: sent.fromMs - ARRIVED_MS, toMs: until }
  const lives = (replica: number) =>
    !deaf.some((one) => (one.replica === 'all' || one.replica === replica) && overlaps(one, needed))
  return Array.from({ length: replicas }, (_, replica) => replica).some(lives)
}
