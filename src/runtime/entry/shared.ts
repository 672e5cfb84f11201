/** What the parts of one entry in one replica share. */
import type { SourceRef } from '../../bus/bus.ts'
import type { VedetteError } from '../../core/errors.ts'
import type { Account } from '../account.ts'
import type { EntryOptions } from '../entry.ts'
import type { Kept } from './kept.ts'

export interface Shared {
  options: EntryOptions
  source: SourceRef
  fingerprint: string
  account: Account
  kept: Kept
  /** Something that status shows has changed. */
  changed(): void
}

/** A source must have begun to read by then, or have said why not; each time that it has not it is given twice as long. */
const STARTS_MS = 30_000
const MOST_STARTS_MS = 300_000

/** How the attempts of one entry are watched: see {@link attempt}. */
export type WatchAttempt = (
  ends: AbortSignal,
  /** Whether waiting for the bus is right now. */
  busy: () => boolean,
) => {
  ends: AbortSignal
  clock: EntryOptions['clock']
  busy: () => boolean
  startsMs: number
  onStalled(error: VedetteError): void
}

export function watchAttempts({ options: { clock, metrics }, account }: Shared): WatchAttempt {
  let stalls = 0
  return (ends, busy) => ({
    ...{ ends, clock, busy, startsMs: Math.min(STARTS_MS * 2 ** stalls, MOST_STARTS_MS) },
    onStalled(error) {
      stalls++
      metrics.stalled()
      // Now, not when it has stopped: it may not.
      account.condition(error.message, { thrown: true })
    },
  })
}
