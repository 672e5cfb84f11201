import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { createAllowance, createGate } from './gate.ts'

test('so many at once, so many waiting, in order; one that fails makes room too', async () => {
  const gate = createGate(2, 2)
  const begun: number[] = []
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<number>())
  const all = ends.map(({ promise }, n) =>
    gate.through(() => {
      begun.push(n)
      return promise
    }),
  )
  assert.equal(
    gate.through(async () => 9),
    null,
  )
  assert.deepEqual(begun, [0, 1])
  ends[0]!.reject(new Error('x'))
  await assert.rejects(all[0]!)
  await Promise.resolve()
  assert.deepEqual(begun, [0, 1, 2])
  for (const [n, { resolve }] of ends.entries()) resolve(n)
  assert.deepEqual(await Promise.all(all.slice(1)), [1, 2, 3])
  assert.equal(await gate.through(async () => 9), 9)
})

test('an allowance: a burst, then one each so often', async () => {
  const clock = fakeClock()
  const may = createAllowance(clock, 3, 1_000)
  const taken = () => Array.from({ length: 10 }, may).filter(Boolean).length
  assert.equal(taken(), 3)
  await clock.advance(2_500)
  assert.equal(taken(), 2)
  await clock.advance(60_000)
  assert.equal(taken(), 3)
})
