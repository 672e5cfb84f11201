/** The account of one entry: what status and metrics show of it. */
import type { Outcome } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { EntryMetrics } from './metrics.ts'
import type { EntryReport } from './report.ts'

export interface Account {
  /** A filter held the event back. */
  filtered(): void
  /** A filter failed on the event. @param kept it was published all the same */
  filterFailed(eventId: string, error: unknown, kept: boolean): void
  /** The bus has answered. @param startedMs monotonic, when the event was handed over */
  settled(outcome: Outcome, startedMs: number): void
  /** What is wrong with the origin; null: nothing any more. Logged once per change. */
  condition(text: string | null): void
  report(): Pick<
    EntryReport,
    | 'published'
    | 'duplicates'
    | 'filtered'
    | 'filterErrors'
    | 'failed'
    | 'skipped'
    | 'lastEventMs'
    | 'error'
    | 'errorSinceMs'
  >
}

/** A filter's last error is shown for this long. */
const FILTER_ERROR_SHOWN_MS = 600_000
/** A filter that fails on every event says so in the log this often. */
const FILTER_ERROR_LOGGED_MS = 1_000

export function createAccount({
  clock,
  log,
  metrics,
  onChange,
}: {
  clock: Clock
  log: Logger
  metrics: EntryMetrics
  onChange: () => void
}): Account {
  const counts = { published: 0, duplicates: 0, filtered: 0, filterErrors: 0, failed: 0, skipped: 0 }
  let lastEventMs: number | null = null
  let condition: { text: string; sinceMs: number } | null = null
  let filterError: { text: string; sinceMs: number; lastMs: number; loggedMs: number } | null = null

  return {
    filtered() {
      counts.filtered++
      metrics.filtered()
    },
    filterFailed(eventId, error, kept) {
      counts.filterErrors++
      metrics.filterError()
      metrics.processingFailed()
      const nowMs = clock.now()
      const became = kept ? 'published all the same' : 'dropped'
      let loggedMs = filterError?.loggedMs ?? Number.NEGATIVE_INFINITY
      if (nowMs - loggedMs > FILTER_ERROR_LOGGED_MS) {
        log.error(`filter failed, event ${became}`, { eventID: eventId, error: messageOf(error) })
        loggedMs = nowMs
      }
      const text = `filter: ${messageOf(error)} (${counts.filterErrors} events ${became})`
      filterError = { text, sinceMs: filterError?.sinceMs ?? nowMs, lastMs: nowMs, loggedMs }
      onChange()
    },
    settled(outcome, startedMs) {
      switch (outcome.outcome) {
        case 'stored':
          counts.published++
          lastEventMs = clock.now()
          metrics.sent(1)
          metrics.duration(clock.monotonic() - startedMs)
          break
        case 'duplicate':
          counts.duplicates++
          metrics.duplicate()
          break
        case 'refused':
          counts.skipped++
          metrics.skipped()
          metrics.processingFailed()
          break
        default:
          counts.failed++
          metrics.sendFailed()
          metrics.processingFailed()
      }
    },
    condition(text) {
      if ((condition?.text ?? null) === text) return
      if (text !== null) log.warn('entry has a problem', { error: text })
      else log.info('entry is fine again', { after: condition?.text })
      condition = text === null ? null : { text, sinceMs: clock.now() }
      onChange()
    },
    report() {
      if (filterError !== null && clock.now() - filterError.lastMs > FILTER_ERROR_SHOWN_MS) filterError = null
      const shown = condition ?? filterError
      return { ...counts, lastEventMs, error: shown?.text ?? null, errorSinceMs: shown?.sinceMs ?? null }
    },
  }
}
