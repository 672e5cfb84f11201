/** Thousands of simulated worlds (sim/), and the proof that their checker notices a broken product. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Mutation } from '../sim/client.ts'
import { faults } from '../sim/faults.ts'
import type { Sum } from '../sim/run.ts'
import { simulate } from '../sim/world.ts'
import { FULL } from './full.ts'

const WORLDS = FULL ? 10_000 : 2_000

/**
 * In processes of their own, one per processor: the test runner follows every promise, which makes a simulation five times
 * slower.
 */
async function worlds(count: number): Promise<{ sums: Sum[]; printed: string }> {
  const script = fileURLToPath(new URL('../sim/run.ts', import.meta.url))
  const share = Math.ceil(count / Math.min(availableParallelism(), 4))
  const sums: Sum[] = []
  const printed: string[] = []
  const some = async (from: number) => {
    const many = Math.min(share, count + 1 - from)
    const child = spawn(process.execPath, [script, '--from', `${from}`, '--count', `${many}`, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_V8_COVERAGE: '' },
    })
    const lines = (await text(child.stdout)).trimEnd().split('\n')
    sums.push(JSON.parse(lines.pop() ?? '') as Sum)
    printed.push(...lines)
  }
  await Promise.all(Array.from({ length: Math.ceil(count / share) }, (_, i) => some(1 + i * share)))
  return { sums, printed: printed.join('\n') }
}

suite('simulation', { timeout: 600_000 }, () => {
  test(`${WORLDS} worlds of crashes, pauses, cuts, losses and delays break no rule`, async (t) => {
    const { sums, printed } = await worlds(WORLDS)
    assert.deepEqual(
      sums.flatMap(({ failed }) => failed),
      [],
      printed,
    )
    for (const sum of sums) t.diagnostic(JSON.stringify(sum))
    // Worlds in which nothing happens prove nothing.
    const total = (what: (sum: Sum) => number) => sums.reduce((all, sum) => all + what(sum), 0)
    assert.equal(
      total(({ worlds }) => worlds),
      WORLDS,
    )
    assert.ok(total(({ events }) => events) > 50 * WORLDS)
    assert.ok(total(({ claims }) => claims) > 2 * WORLDS)
    const kinds = Object.keys(faults)
    assert.ok(kinds.length >= 16)
    for (const kind of kinds) assert.ok(total((sum) => sum.faults[kind] ?? 0) > WORLDS / 10, kind)
  })

  test('the same seed gives the same world, step by step', async () => {
    for (const seed of [3, 77, 1234]) {
      const [one, two] = [await simulate(seed, { trace: true }), await simulate(seed, { trace: true })]
      assert.ok(one.trace.length > 50)
      assert.deepEqual(one, two)
    }
  })

  const broken: { mutation: Mutation; rules: RegExp }[] = [
    { mutation: 'no fence', rules: /fence: .* while term|double: / },
    { mutation: 'unknown means no', rules: /double: / },
    { mutation: 'stale positions', rules: /double: |hole: / },
    { mutation: 'no order', rules: /hole: / },
    { mutation: 'forgets', rules: /acknowledged: / },
    { mutation: 'never stands again', rules: /liveness: / },
  ]
  for (const { mutation, rules } of broken) {
    test(`broken on purpose (${mutation}) is noticed within 300 worlds`, async () => {
      for (let seed = 1; seed <= 300; seed++) {
        const { violations } = await simulate(seed, { mutation })
        if (violations.some((violation) => rules.test(violation))) return
      }
      assert.fail('300 worlds looked fine')
    })
  }
})
