import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVedetteError } from '../core/errors.ts'
import { leaseTiming, quickTiming } from './timing.ts'

test('the defaults fit each other, and given figures replace them one by one', () => {
  assert.deepEqual(leaseTiming(), { leaseMs: 1500, renewDeadlineMs: 1000, retryMs: 250 })
  assert.deepEqual(leaseTiming({ leaseMs: 5000 }), { ...quickTiming, leaseMs: 5000 })
  assert.deepEqual(leaseTiming({ leaseMs: 5000, renewDeadlineMs: 2000, retryMs: 1000 }).retryMs, 1000)
})

for (const [name, timing, says] of [
  ['a lease as short as the deadline', { leaseMs: 1000 }, /lease \(1000 ms\) must be longer than the renew deadline/],
  ['a deadline of 1.2 pauses', { renewDeadlineMs: 300 }, /deadline \(300 ms\) must be longer than 1\.2 × .*\(250 ms\)/],
  ['nothing', { retryMs: 0 }, /retryMs is 0/],
  ['less than nothing', { leaseMs: -1 }, /leaseMs is -1/],
  ['no number', { renewDeadlineMs: Number.NaN }, /renewDeadlineMs is NaN/],
  ['without end', { leaseMs: Number.POSITIVE_INFINITY }, /leaseMs is Infinity/],
] as const) {
  test(`timing is refused: ${name}`, () => {
    assert.throws(
      () => leaseTiming(timing),
      (error) => isVedetteError(error, 'SPEC_INVALID') && says.test(error.message),
    )
  })
}
