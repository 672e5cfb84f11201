/**
 * Leads that run out again and again, one soon after the other: the machine is too busy to renew in time, and each new claim deposes the one
 * before it, for ever. Then whoever stands by waits longer before a lease counts as run out. A holder whose process is known to be gone, or
 * that gave the lease up, is followed at once all the same. Pure.
 */

/** Who holds the lease, as seen from here. */
export interface Tenure {
  readonly holder: string
  /** Since when, on the own monotonic clock. */
  readonly sinceMs: number
  /** Leads that ran out soon after they had begun, since it was calm. */
  readonly unrest: number
}

export const nobody: Tenure = { holder: '', sinceMs: Number.NEGATIVE_INFINITY, unrest: 0 }

/** A lead that ran out before this was too short to be of use. */
const SHORT_MS = 15_000
/** One that lasts for this long ends the unrest. */
const CALM_MS = 60_000
/** One may be a freeze, and the next one another. */
const FORGIVEN = 1
const MOST_PATIENCE_MS = 15_000

/** @param ranOut the lease was taken from the holder before, who neither gave it up nor was known to be dead */
export function tenureAfter(
  before: Tenure,
  { holder, ranOut }: { holder: string; ranOut: boolean },
  now: number,
): Tenure {
  const forMs = now - before.sinceMs
  if (holder === before.holder) return forMs > CALM_MS && before.unrest > 0 ? { ...before, unrest: 0 } : before
  if (forMs > CALM_MS) return { holder, sinceMs: now, unrest: 0 }
  return { holder, sinceMs: now, unrest: before.unrest + (ranOut && forMs < SHORT_MS ? 1 : 0) }
}

/** How long a lease must not have been renewed before it counts as run out, milliseconds. */
export function patienceOf(durationMs: number, { unrest }: Tenure): number {
  const factor = 2 ** Math.min(10, Math.max(0, unrest - FORGIVEN))
  return Math.max(durationMs, Math.min(durationMs * factor, MOST_PATIENCE_MS))
}
