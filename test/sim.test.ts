/** Thousands of simulated worlds (sim/), and the proof that their checker notices a broken product. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Mutation } from '../sim/client.ts'
import type { Sum } from '../sim/run.ts'
import { simulate } from '../sim/world.ts'

const WORLDS = 5_000

/** In a process of their own: the test runner follows every promise, which makes a simulation five times slower. */
async function worlds(count: number): Promise<{ sum: Sum; printed: string }> {
  const script = fileURLToPath(new URL('../sim/run.ts', import.meta.url))
  const child = spawn(process.execPath, [script, '--count', `${count}`, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_V8_COVERAGE: '' },
  })
  const printed = await text(child.stdout)
  const lines = printed.trimEnd().split('\n')
  return { sum: JSON.parse(lines.pop() ?? '') as Sum, printed: lines.join('\n') }
}

suite('simulation', { timeout: 600_000 }, () => {
  test(`${WORLDS} worlds of crashes, pauses, cuts, losses and delays break no rule`, async (t) => {
    const { sum, printed } = await worlds(WORLDS)
    assert.equal(sum.failed.length, 0, printed)
    t.diagnostic(JSON.stringify(sum))
    // Worlds in which nothing happens prove nothing.
    assert.equal(sum.worlds, WORLDS)
    assert.ok(sum.events > 50 * WORLDS)
    assert.ok(sum.claims > 2 * WORLDS)
    assert.equal(Object.keys(sum.faults).length, 16)
    for (const [fault, times] of Object.entries(sum.faults)) assert.ok(times > WORLDS / 10, fault)
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
