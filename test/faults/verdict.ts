/** The judgement of a log after a fault, the same whatever happened and whatever the bus is. */
import { assertAcknowledged, assertAcknowledgedOnce } from './checks.ts'
import { type Logged, longestPauseMs } from './stream-log.ts'
import { assertEveryTickOnce, type Ticking } from './ticks.ts'

/** What the log says after the fault. */
export interface Verdict {
  /** Events of the calendar, each entry's an unbroken row. */
  ticks: number
  /** Requests answered 200, each on the log, once where the bus knows ids. */
  acknowledged: number
  /** Terms that wrote. */
  terms: number
  /** The longest time in which no event of the calendar was stored. */
  longestPauseMs: number
}

export interface Judged {
  /** Of the calendar. */
  entries: Ticking[]
  /** Keys of the requests answered 200. */
  acknowledged: readonly string[]
  /** The beginning of the subjects that the senders' events have. */
  requests?: string
  /** What a sender repeated may be there twice: the bus knows no ids of active-active entries. */
  repeats?: boolean
  /** The fence, looked for among the calendar's events. @returns how many terms wrote */
  fenced(clock: Logged[]): number
}

/** Nothing lost, nothing doubled, nothing of an older term. @param events the whole log, in its order */
export function verdictOn(
  events: Logged[],
  { entries, acknowledged, requests = 'default.orders.', repeats = false, fenced }: Judged,
): Verdict {
  const of = (prefix: string) => events.filter(({ subject }) => subject.startsWith(prefix))
  const clock = of('default.clock.beat')
  let ticks = 0
  for (const entry of entries) {
    const own = clock.filter(
      ({ subject, namespace }) => subject === `default.clock.${entry.entry}` && namespace === entry.namespace,
    )
    ticks += assertEveryTickOnce(own, entry)
  }
  const assertThere = repeats ? assertAcknowledged : assertAcknowledgedOnce
  assertThere(of(requests), acknowledged)
  return { ticks, acknowledged: acknowledged.length, terms: fenced(clock), longestPauseMs: longestPauseMs(clock) }
}
