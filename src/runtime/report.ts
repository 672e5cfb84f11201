/** What one replica says of itself; the supervisor (or the Pod's status endpoint) folds these into `vedette status`. */
import type { Redact } from '../core/redact.ts'
import type { Entry } from '../manifest/manifest.ts'
import type { Guarantee } from '../source.ts'
import type { Activity } from './watchdog.ts'

export type ReplicaState = 'starting' | 'standby' | 'serving' | 'draining'

export interface EntryReport {
  type: string
  name: string
  /** It serves now: leads or needs no lead, its port accepts, and its source has not ended with an error. */
  serving: boolean
  /** What this replica does for the entry now; absent when it cannot work as written. */
  activity?: Activity | 'standing by' | 'backing off'
  /** Where the entry's fields decide which. */
  guarantee?: Guarantee
  /** Counted by this process since it started. */
  published: number
  duplicates: number
  filtered: number
  filterErrors: number
  failed: number
  skipped: number
  /** Milliseconds since the epoch, or null. */
  lastEventMs: number | null
  /** What is wrong now, or null. */
  error: string | null
  errorSinceMs: number | null
  /** Requests get in without a signature or token. */
  unsigned?: boolean
}

export interface ReplicaReport {
  namespace: string
  eventSource: string
  /** Replica id, e.g. `orders-0`. */
  id: string
  state: ReplicaState
  /** Who holds the lead, as far as this replica knows; null when nobody or when no entry needs one. */
  leader: string | null
  /** That leader's term. */
  term: number | null
  entries: EntryReport[]
  fencing: 'strict' | 'lease-only'
  /** Why it is `lease-only`, where that is known. */
  fencingReason?: string
  busError: string | null
  /** Why the lock of the election cannot be used, or null. */
  lockError: string | null
}

/** A change of leader, told by the new one. */
export interface Failover {
  /** RFC 3339. */
  at: string
  source: string
  namespace: string
  from: string | null
  to: string
  term: number
  /** `crash`: its process was known dead; `frozen`: it stopped renewing while its connection stood; `resigned`: it gave up on purpose; `expired`: the lease ran out. */
  reason: 'crash' | 'frozen' | 'resigned' | 'expired'
  /** From the loss seen to this replica serving; null when not known. */
  gapMs: number | null
}

/** The report without what is secret in its texts: errors quote servers and libraries. */
export function shownReport(report: ReplicaReport, redact: Redact): ReplicaReport {
  const shown = (text: string | null) => (text === null ? null : redact(text))
  const { entries, busError, lockError, fencingReason } = report
  return {
    ...report,
    entries: entries.map((entry) => ({ ...entry, error: shown(entry.error) })),
    busError: shown(busError),
    lockError: shown(lockError),
    ...(fencingReason === undefined ? {} : { fencingReason: redact(fencingReason) }),
  }
}

/** The report of an entry that this replica does not serve, because it cannot work as written. */
export function refusedReport(entry: Entry, nowMs: number): EntryReport {
  return {
    type: entry.type,
    name: entry.name,
    serving: false,
    published: 0,
    duplicates: 0,
    filtered: 0,
    filterErrors: 0,
    failed: 0,
    skipped: 0,
    lastEventMs: null,
    error: entry.refused ?? `type ${entry.type} is not yet in this version`,
    errorSinceMs: nowMs,
  }
}
