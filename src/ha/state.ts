/** What the election remembers, what it is told and what it asks for. The rules are in election.ts. */
import type { Lease, LeaseRecord } from './lock.ts'
import type { Change, Sight } from './standing.ts'
import { nobody } from './unrest.ts'

/**
 * `starting`: the lock has not answered yet. `standby`: watches. `acquiring`: a write that would take the lease is under way.
 * `claiming`: holds the lease, has no term yet. `leading`: serves. `releasing`: was told to stop serving, drains, and still renews;
 * then releases, claims anew or stands by. `ended`: over.
 */
export type Phase = 'starting' | 'standby' | 'acquiring' | 'claiming' | 'leading' | 'releasing' | 'ended'

export interface Election extends Sight {
  readonly phase: Phase
  /** The lock has been read at least once. */
  readonly informed: boolean
  /** The lease may have changed since it was seen: read before anything is compared. */
  readonly stale: boolean
  /** The lock call under way; one at a time. */
  readonly call: 'read' | 'write' | null
  readonly sentAt: number
  /** A write whose outcome is not known, as long as it could still be the one that is seen next. */
  readonly unsure: { expected: string | null; sentAt: number } | null
  readonly suspected: { holder: string; at: number } | null
  /** Failed lock calls in a row; when the first of them was sent (null: none did); since when none has failed. */
  readonly failures: number
  readonly unreachedAt: number | null
  readonly reachedSince: number
  /** When the next poll or renewal is due, and until when the lock is left alone. */
  readonly nextAt: number
  readonly pausedUntil: number
  /** When the last successful renewal was sent; null: does not hold the lease. */
  readonly renewedAt: number | null
  /** The highest term seen or claimed. */
  readonly term: number
  /** When a claim is wanted; null: none is. It follows the next renewal from then on. */
  readonly claimAt: number | null
  readonly claiming: boolean
  /** Claims that failed in a row, since when; and whether the claim under way belongs to a tenure that is over. */
  readonly claimTries: number
  readonly claimSince: number
  /** Another claim came between: only a renewal that succeeds allows the next one. */
  readonly refused: boolean
  readonly obsolete: boolean
  /** Why the lease was taken. */
  readonly taking: Change | null
  readonly serving: boolean
  /** What comes after draining. */
  readonly after: 'release' | 'claim' | 'stand by'
  readonly successor: string | undefined
  readonly stopping: boolean
}

/** All carry `now`, milliseconds on this replica's monotonic clock. */
export type ElectionEvent = { now: number } & (
  | { type: 'start' | 'tick' | 'changed' }
  | { type: 'read' | 'written'; lease: Lease | null }
  | { type: 'lockFailed'; unknown: boolean }
  | { type: 'suspect'; holder: string }
  | { type: 'claimed'; term: number }
  | { type: 'claimFailed'; fenced: boolean }
  /** The outcome of a write is unknown: a new term is wanted under the same lease. */
  | { type: 'reclaim' }
  /** The bus refused the term. */
  | { type: 'lost' }
  /** The bus has taken nothing since then. */
  | { type: 'failing'; since: number }
  /** Serving has ended: drained, or by itself. */
  | { type: 'served' }
  | { type: 'handOver'; successor?: string | undefined }
  | { type: 'stop' }
)

export type Effect =
  | { do: 'read' }
  | { do: 'write'; record: LeaseRecord; expected: string | null }
  | { do: 'claim'; floor: number }
  | { do: 'serve'; change: Change | null }
  /** The claim asked for by `reclaim` has succeeded. */
  | { do: 'reclaimed' }
  /** Serving must end. */
  | { do: 'drain'; why: 'lost' | 'handOver' }
  /** A hand-over is complete. */
  | { do: 'released' }
  | { do: 'ended' }

export const notStarted: Election = {
  phase: 'starting',
  lease: null,
  seenAt: 0,
  jitter: 0,
  lastHolder: null,
  suspected: null,
  resigned: null,
  tenure: nobody,
  inherited: null,
  informed: false,
  stale: false,
  call: null,
  sentAt: 0,
  unsure: null,
  failures: 0,
  unreachedAt: null,
  reachedSince: 0,
  nextAt: 0,
  pausedUntil: 0,
  renewedAt: null,
  term: 0,
  claimAt: null,
  claiming: false,
  claimTries: 0,
  claimSince: 0,
  refused: false,
  obsolete: false,
  taking: null,
  serving: false,
  after: 'stand by',
  successor: undefined,
  stopping: false,
}

/** What a replica says of the election. */
export interface ElectorView {
  state: 'starting' | 'standby' | 'leading' | 'draining'
  /** Who holds the lead, as far as is known here. */
  leader: string | null
  /** That leader's term, as far as is known here. */
  term: number | null
}

export function viewOf({ phase, stopping, lease, renewedAt, term }: Election, id: string): ElectorView {
  const holder = lease === null || lease.record.released ? '' : lease.record.holder
  const leads = phase === 'leading' || (phase === 'releasing' && renewedAt !== null)
  // The lease alone does not make this replica lead: it has no term yet, or an earlier process left the lease behind.
  const leader = leads ? id : holder === '' || holder === id ? null : holder
  const state =
    stopping || phase === 'releasing' || phase === 'ended'
      ? 'draining'
      : phase === 'acquiring' || phase === 'claiming'
        ? 'standby'
        : phase
  return { state, leader, term: leader === null ? null : term }
}
