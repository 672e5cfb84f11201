/**
 * A lease that somebody holds of whom nothing is known, or who has fallen silent: everybody waits for it, and it is said for whom and until when. Pure.
 */
import { acquireAt, type ElectionConfig, holderOf } from './standing.ts'
import type { Election } from './state.ts'

export interface Held {
  holder: string
  /** It was not written as Vedette writes it: by a Pod of Argo Events, or a stranger. Else its holder has not renewed it for longer than it should. */
  foreign: boolean
  /** Since when it is this holder's, and since when it has not been renewed, as seen here; own monotonic clock, milliseconds. */
  sinceMs: number
  renewedMs: number
  /** When this replica takes it, unless it is renewed before; null: it may not stand. */
  untilMs: number | null
}

/** @returns null when nobody holds it, or one who may well be another replica that serves */
export function heldIn(state: Election, config: ElectionConfig, now: number): Held | null {
  const { lease, phase, unreachedAt, seenAt, tenure } = state
  const holder = holderOf(lease)
  // An unreachable lock may have been renewed, and says so itself.
  if (lease === null || phase !== 'standby' || unreachedAt !== null || holder === '' || holder === config.id)
    return null
  const foreign = lease.foreign === true
  if (!foreign && now - seenAt < config.timing.leaseMs) return null
  const untilMs = acquireAt(state, config)
  return {
    ...{ holder, foreign, sinceMs: Math.min(tenure.sinceMs, seenAt), renewedMs: seenAt },
    untilMs: Number.isFinite(untilMs) ? untilMs : null,
  }
}

/** Of a name that anybody may have written; longer than any Pod's. */
const LONGEST = 253

/** For people. @param lock what the lock is called. @param at a moment of the monotonic clock, as RFC 3339 */
export function heldText(
  { holder, foreign, sinceMs, renewedMs, untilMs }: Held,
  lock: string,
  at: (ms: number) => string,
): string {
  const name = holder.length > LONGEST ? `${holder.slice(0, LONGEST)}…` : holder
  const who = foreign
    ? `${name} holds ${lock} since ${at(sinceMs)} and is not of Vedette: a Pod of Argo Events, which then serves, or a stranger`
    : `${name} holds ${lock} since ${at(sinceMs)} and does not renew it`
  const until = untilMs === null ? 'this replica may not take it now' : `it is taken at ${at(untilMs)} unless renewed`
  return `${who}; last renewed at ${at(renewedMs)}, ${until}`
}
