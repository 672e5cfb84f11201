import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { createBucket } from './bucket.ts'

test('a bucket gives its burst, then what time brings, and never more than its burst', async () => {
  const clock = fakeClock()
  const take = createBucket({ requestsPerSecond: 10, burst: 3 }, clock)
  const taken = (n: number) => Array.from({ length: n }, take)
  assert.deepEqual(taken(4), [0, 0, 0, 100])
  await clock.advance(50)
  assert.equal(Math.round(take()), 50)
  await clock.advance(50)
  assert.deepEqual(taken(2).map(Math.round), [0, 100])
  await clock.advance(3_600_000)
  assert.deepEqual(taken(4), [0, 0, 0, 100])
})

test('an allowance: a burst, then one each so often', async () => {
  const clock = fakeClock()
  const take = createBucket({ requestsPerSecond: 1, burst: 3 }, clock)
  const taken = () => Array.from({ length: 10 }, take).filter((waitMs) => waitMs === 0).length
  assert.equal(taken(), 3)
  await clock.advance(2_500)
  assert.equal(taken(), 2)
  await clock.advance(60_000)
  assert.equal(taken(), 3)
})
