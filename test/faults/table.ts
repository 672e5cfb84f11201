/**
 * The fault table: each scenario with each number of replicas is a test and a row. Every run does each scenario once, with
 * VEDETTE_FULL=1 all of it. With VEDETTE_FAULT_ROWS=FILE the rows are appended to that file, one JSON object a line, for tools/fault-table.ts.
 */

import { appendFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import type { Verdict } from './verdict.ts'

export interface Scenario {
  /** What happens. */
  fault: string
  /** Numbers of replicas; the first is the one of every run. */
  replicas: number[]
  /** Only in full runs. */
  long?: boolean
  /** @param full takes the durations that the fault names; else shorter ones. @returns what the log says, and what else is worth a column */
  run(t: TestContext, replicas: number, full: boolean): Promise<Verdict & { note?: string }>
}

/** Where rows stand on the page. */
export interface Heading {
  /** What they were measured on, which the page introduces (tools/fault-table.ts). */
  section: 'NATS JetStream' | 'Kafka' | 'Kubernetes'
  /** The table in it. */
  group: string
}

/** A row of the table. */
export interface Row extends Partial<Verdict>, Heading {
  fault: string
  replicas: number
  passed: boolean
  note?: string
}

const withoutNats = without('nats-server', natsBinary('newest'))
const TIMEOUT_MS = 240_000

/** Registers a test for each row. @param skip why not, when its servers are missing */
export function faultTable(heading: Heading, scenarios: Scenario[], skip = withoutNats): void {
  for (const { fault, replicas, long = false, run } of scenarios) {
    if (long && !FULL) continue
    for (const count of FULL ? [...replicas].sort((a, b) => a - b) : replicas.slice(0, 1)) {
      test(`${fault}; ${count} replicas`, { skip, timeout: TIMEOUT_MS }, async (t) => {
        let row: Row = { ...heading, fault, replicas: count, passed: false }
        try {
          const found = await run(t, count, FULL)
          row = { ...row, ...found, passed: true }
          t.diagnostic(shown(row))
        } finally {
          const { VEDETTE_FAULT_ROWS } = process.env
          if (VEDETTE_FAULT_ROWS !== undefined) appendFileSync(VEDETTE_FAULT_ROWS, `${JSON.stringify(row)}\n`)
        }
      })
    }
  }
}

const shown = ({ ticks, acknowledged, terms, longestPauseMs, note }: Row): string =>
  `${ticks} ticks, ${acknowledged} acknowledged, ${terms} terms, longest pause ${longestPauseMs} ms${note ? `; ${note}` : ''}`
