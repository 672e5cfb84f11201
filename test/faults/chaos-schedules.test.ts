/** Schedules with which the campaign has found something, done again: see test/chaos/schedules. */

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { availability } from '../chaos/origins.ts'
import type { Plan } from '../chaos/plan.ts'
import { newPool } from '../chaos/pool.ts'
import { runPlan } from '../chaos/run.ts'
import { FULL } from '../full.ts'

/** Times are real, so that one round may miss the moment. */
const ROUNDS = FULL ? 5 : 1
const there = availability()
const pool = newPool()
after(() => pool.close())

for (const file of globSync(join(import.meta.dirname, '../chaos/schedules/*.json')).sort()) {
  const name = basename(file, '.json')
  const plan = JSON.parse(readFileSync(file, 'utf8')) as Plan
  const skip = plan.origins.map((origin) => there.get(origin) ?? false).find((missing) => missing !== false) ?? false
  test(`schedule ${name}: nothing is lost, everything is served again`, {
    skip,
    timeout: ROUNDS * 240_000,
  }, async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const outcome = await runPlan(plan, { pool, name: `${name}-${round}` })
      assert.equal(outcome.broken, undefined)
      assert.deepEqual(outcome.violations, [], [...outcome.said, outcome.log ?? ''].join('\n'))
      t.diagnostic(`${outcome.messages} messages, back after ${Math.max(...Object.values(outcome.backMs))} ms`)
    }
  })
}
