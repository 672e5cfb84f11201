/** The whole log of a run against what was promised. Pure, given the log. */
import assert from 'node:assert/strict'
import type { Ticking } from '../faults/ticks.ts'
import { type Verdict, verdictOn } from '../faults/verdict.ts'
import type { BusLog } from './buses/bus.ts'
import type { OriginJudged } from './origin.ts'

export interface Judged extends Partial<Verdict> {
  violations: string[]
  /** By origin, in the order of the plan. */
  origins: OriginJudged[]
}

export interface Expected {
  ticks: Ticking[]
  /** Keys of the requests answered 200. */
  acknowledged: readonly string[]
  /** The subject of the senders' events. */
  requests: string
  /** The bus knows no ids of active-active entries. */
  repeats: boolean
  /** By origin: the lines of its entry. */
  origins: readonly ((lines: BusLog['events']) => OriginJudged)[]
  isOf(line: BusLog['events'][number], origin: number): boolean
}

export function judgeLog({ events, fenced }: BusLog, expected: Expected): Judged {
  const violations: string[] = []
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      violations.push((error as Error).message.slice(0, 2_000))
      return undefined
    }
  }
  const { ticks: entries, acknowledged, requests, repeats } = expected
  const verdict = attempt(() => verdictOn(events, { entries, acknowledged, requests, repeats, fenced }))
  // One of these may hide the other.
  if (verdict === undefined) attempt(() => fenced())
  attempt(() => assertIdsOnce(repeats ? events.filter(({ term }) => term !== null) : events))
  const origins = expected.origins.map((judge, index) => judge(events.filter((line) => expected.isOf(line, index))))
  violations.push(...origins.flatMap((origin) => origin.violations))
  return { ...verdict, origins, violations: [...new Set(violations)] }
}

/** No id is on the log twice. */
export function assertIdsOnce(events: BusLog['events']): void {
  const times = new Map<string, number>()
  for (const { namespace, event } of events) {
    const id = `${namespace} ${event.source} ${event.id}`
    times.set(id, (times.get(id) ?? 0) + 1)
  }
  const twice = [...times].filter(([, count]) => count > 1).map(([id]) => id)
  assert.deepEqual(twice.slice(0, 10), [], `${twice.length} ids are on the log more than once`)
}
