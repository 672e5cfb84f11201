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
  settled(outcome: Outcome, startedMs: number, eventId: string): void
  /** Something of the origin can never become an event, or never be stored. See `Item` for the texts. */
  skip(what: string, error: unknown, fate?: string): void
  /**
   * What is wrong with the origin, or with the hooks there; null: nothing any more. Logged once per change.
   * @param thrown the source ended with it: it holds until the source says something else, or serves
   */
  condition(text: string | null, about?: { of?: 'origin' | 'hooks'; thrown?: boolean }): void
  /** The source serves: what it ended with before is over. */
  served(): void
  /** The source has ended with an error, and has not said since that it serves. */
  readonly ended: boolean
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

/** The last error of a filter, and what was skipped last, are shown for this long, unless something is wrong now. */
const SHOWN_MS = 600_000
/** A filter that fails on every event says so in the log this often. */
const FILTER_ERROR_LOGGED_MS = 1_000
/** Of stored events, so many are logged in each second, and of those beyond one in so many. */
const LOGGED_PER_SECOND = 100

export function createAccount({
  clock,
  log,
  metrics,
  logEvents = false,
  onChange,
}: {
  clock: Clock
  log: Logger
  metrics: EntryMetrics
  /** Stored events are logged in upstream's words: the first 100 of each second, then every hundredth. */
  logEvents?: boolean | undefined
  onChange: () => void
}): Account {
  const counts = { published: 0, duplicates: 0, filtered: 0, filterErrors: 0, failed: 0, skipped: 0 }
  let lastEventMs: number | null = null
  const conditions = new Map<'origin' | 'hooks', { text: string; sinceMs: number; thrown: boolean }>()
  let filterError: { text: string; sinceMs: number; lastMs: number; loggedMs: number } | null = null
  let skipped: { text: string; sinceMs: number } | null = null

  const second = { startedMs: 0, events: 0 }
  const sampled = (): boolean => {
    const nowMs = clock.monotonic()
    if (nowMs - second.startedMs >= 1_000) Object.assign(second, { startedMs: nowMs, events: 0 })
    return ++second.events <= LOGGED_PER_SECOND || second.events % LOGGED_PER_SECOND === 0
  }

  const condition: Account['condition'] = (text, { of = 'origin', thrown = false } = {}) => {
    const before = conditions.get(of)
    if (before !== undefined) before.thrown = thrown
    if ((before?.text ?? null) === text) return
    if (text !== null) log.warn('entry has a problem', { error: text })
    else log.info('entry is fine again', { after: before?.text })
    if (text === null) conditions.delete(of)
    else conditions.set(of, { text, sinceMs: clock.now(), thrown })
    onChange()
  }

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
    settled(outcome, startedMs, eventId) {
      switch (outcome.outcome) {
        case 'stored':
          counts.published++
          lastEventMs = clock.now()
          metrics.sent(1)
          metrics.duration(clock.monotonic() - startedMs)
          if (logEvents && sampled()) log.info('Succeeded to publish an event', { eventID: eventId })
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
    condition,
    served() {
      if (conditions.get('origin')?.thrown) condition(null)
    },
    get ended() {
      return conditions.get('origin')?.thrown === true
    },
    skip(what, error, fate) {
      counts.skipped++
      metrics.skipped()
      metrics.processingFailed()
      const why = messageOf(error)
      log.error(`${what} can never become an event and is skipped`, {
        error: why,
        ...(fate === undefined ? {} : { fate }),
      })
      skipped = { text: `skipped ${what}: ${why}${fate === undefined ? '' : `; ${fate}`}`, sinceMs: clock.now() }
      onChange()
    },
    report() {
      if (filterError !== null && clock.now() - filterError.lastMs > SHOWN_MS) filterError = null
      if (skipped !== null && clock.now() - skipped.sinceMs > SHOWN_MS) skipped = null
      const shown = conditions.get('origin') ?? conditions.get('hooks') ?? filterError ?? skipped
      return { ...counts, lastEventMs, error: shown?.text ?? null, errorSinceMs: shown?.sinceMs ?? null }
    },
  }
}
