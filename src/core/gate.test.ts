import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGate } from './gate.ts'

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
