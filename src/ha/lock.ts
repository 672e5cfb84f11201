/**
 * The lock port: one small record per EventSource, changed only by compare-and-set. It gives liveness ("who should
 * serve now") and nothing else; safety is the bus's fence. Clocks of machines are never compared: whoever watches a record
 * measures, on its own monotonic clock, since when its revision has not changed.
 *
 * Held by test/contract/lock.ts.
 */

export interface LeaseRecord {
  /** The replica id of the holder; empty when released. */
  holder: string
  /** How long others wait, after they last saw the record change, before they take it. */
  durationMs: number
  /** Highest term seen: a floor for the next claim, in case the bus has lost its record. */
  term: number
  /** True when the last holder gave it up on purpose: nobody need wait. */
  released: boolean
  /** Whom the last holder would like to take over (`vedette failover`), if anyone. */
  successor?: string | undefined
}

/** A record as read; the revision is what a compare-and-set compares. */
export interface Lease {
  record: LeaseRecord
  /** Opaque, only ever compared for equality. */
  revision: string
  /** It was written by somebody who is not Vedette, and perhaps serves. */
  foreign?: boolean
}

export interface Lock {
  /**
   * True when the bus itself keeps it: whoever reaches one reaches the other, so a bus that takes nothing takes nothing from the others
   * either. Otherwise the holder may be the one that is cut off from the bus.
   */
  readonly onBus?: boolean
  /** What people know it by. */
  readonly called?: string
  /** @throws LOCK_UNAVAILABLE */
  read(): Promise<Lease | null>
  /**
   * Writes `record` if the current revision is `expected` (null: if there is none). Used to acquire, renew and release alike.
   * @returns the lease as written, or null when somebody else was faster
   * @throws LOCK_UNAVAILABLE the write certainly did not happen; OUTCOME_UNKNOWN it may have
   */
  write(record: LeaseRecord, expected: string | null): Promise<Lease | null>
  /** Calls back when the record may have changed, so that nobody has to wait for the next poll. Best effort. */
  onChange(listener: () => void): () => void
}

/** How a standby can know sooner than by the lease that the holder's process is dead. */
export interface Suspicion {
  /** Calls back with the replica id of a holder whose process is known to be gone. @returns unsubscribe */
  onSuspect(listener: (holder: string) => void): () => void
}

/** Processes that may serve the same EventSource but take no part in this election, nor know the fence. */
export interface Outsiders {
  /** One of them was heard serving within the last second: then none of us does. */
  serving(): boolean
  /** They were listened for long enough, and none serves: then one of us may. */
  quiet(): boolean
  /** Why older writes cannot all be refused: they are around, or were not long ago. */
  mixed(): string | undefined
  /** Calls back when `serving` or `mixed` has changed. @returns unsubscribe */
  onChange(listener: () => void): () => void
}

export interface LeaseTiming {
  /** Others may take the lease when its revision has not changed for this long. */
  leaseMs: number
  /** The holder gives up when it could not renew for this long. */
  renewDeadlineMs: number
  /** Pause between renewals, and between a standby's reads. */
  retryMs: number
}
