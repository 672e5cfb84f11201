/** When a replica that does not hold the lease may try to take it, and what it will say about the change. */
import type { Lease, LeaseRecord, LeaseTiming } from './lock.ts'
import { patienceOf, type Tenure, tenureAfter } from './unrest.ts'

/** What the election knows of itself and its surroundings at one step; the driver fills it in anew each time. */
export interface ElectionConfig {
  id: string
  timing: LeaseTiming
  /** The bus refuses older terms. */
  strict: boolean
  /** The bus answers. */
  mayStand: boolean
  /** The bus itself keeps the lock (see `Lock.onBus`). */
  lockOnBus: boolean
  /** Somebody would tell if the holder's process died; so a lease that runs out untold means it is frozen. */
  watched: boolean
  /** 0 to 1, drawn anew for each step. */
  random: number
}

/** Why the lead changed; null in a {@link Lead} for the first leader ever and for a replica's own restart. */
export interface Change {
  from: string
  reason: 'crash' | 'frozen' | 'resigned' | 'expired'
  /** When the loss was seen, on this replica's monotonic clock. */
  lossSeenAt: number
}

/** The lease as a replica sees it from outside. */
export interface Sight {
  readonly lease: Lease | null
  /** Since when the revision has not changed, as seen here, on the own monotonic clock. */
  readonly seenAt: number
  /** 0 to 1, drawn when this revision was first seen. */
  readonly jitter: number
  /** Who held it last, as far as seen since the start. */
  readonly lastHolder: string | null
  /** The process of this holder is known to be gone. */
  readonly suspected: { holder: string; at: number } | null
  /** The revision that this replica itself released with. */
  readonly resigned: string | null
  /** Who holds it, and how restless its changes were. */
  readonly tenure: Tenure
  /** The revision of a lease that an earlier process of this replica left behind. */
  readonly inherited: string | null
}

/** Most that simultaneous candidates are spread over after a release, milliseconds. */
const SPREAD_MS = 20

/**
 * From when on the lease may be taken, on the own monotonic clock. It is a matter of liveness only: the compare-and-set
 * decides who gets it, the claim and the fence decide who may write.
 */
export function acquireAt(sight: Sight, { id, timing, strict, mayStand }: ElectionConfig): number {
  if (!mayStand) return Number.POSITIVE_INFINITY
  const { lease, seenAt, jitter } = sight
  if (lease === null) return seenAt
  const { record, revision } = lease
  // Who gave it up comes last, but comes: nobody else may be able to serve.
  if (revision === sight.resigned) return seenAt + 3 * timing.retryMs
  if (record.released || record.holder === '') {
    if (record.successor === id) return seenAt
    const spread = jitter * Math.min(SPREAD_MS, timing.retryMs / 10)
    return seenAt + spread + (record.successor === undefined ? 0 : timing.retryMs)
  }
  // This replica's earlier process is gone, or it would not be starting. Should it live after all, the fence holds it off.
  if (revision === sight.inherited) return seenAt
  if (strict && sight.suspected?.holder === record.holder) return sight.suspected.at
  return seenAt + patienceOf(lasting(record, { id, timing }), sight.tenure)
}

/** What taking the lease now means. */
export function changeOf(sight: Sight, { id, timing, strict, watched }: ElectionConfig): Change | null {
  const { lease, seenAt, suspected } = sight
  if (lease === null) return null
  const { record } = lease
  const released = record.released || record.holder === ''
  const from = released ? sight.lastHolder : record.holder
  if (from === null || from === id) return null
  if (released) return { from, reason: 'resigned', lossSeenAt: seenAt }
  if (strict && suspected?.holder === from) return { from, reason: 'crash', lossSeenAt: suspected.at }
  const lossSeenAt = seenAt + lasting(record, { id, timing })
  return { from, reason: watched ? 'frozen' : 'expired', lossSeenAt }
}

/** Whose it is; '' when it is free. */
export function holderOf(lease: Lease | null): string {
  return lease === null || lease.record.released ? '' : lease.record.holder
}

/** From now on the lease is this one's. @param sight with the lease as it was before */
export function tenureNow(sight: Sight, holder: string, now: number): Tenure {
  const former = holderOf(sight.lease)
  const ranOut = former !== '' && former !== holder && sight.suspected?.holder !== former
  return tenureAfter(sight.tenure, { holder, ranOut }, now)
}

/** Nobody waits longer than this for a lease that is not renewed, whatever its record says, unless the own ones are longer. */
export const LONGEST_MS = 600_000

/**
 * A record's duration, or the own one when it says nothing usable. So also of one that names this replica, which does not hold it: somebody else has
 * written there, and what nobody holds need not be waited for.
 */
function lasting({ holder, durationMs }: LeaseRecord, { id, timing }: Pick<ElectionConfig, 'id' | 'timing'>): number {
  const { leaseMs } = timing
  if (holder === id) return leaseMs
  const usable = Number.isFinite(durationMs) && durationMs > 0
  return usable ? Math.min(durationMs, Math.max(LONGEST_MS, leaseMs)) : leaseMs
}
