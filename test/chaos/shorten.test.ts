/** A schedule is shortened to what makes it fail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shorten } from './shorten.ts'

const failsWith =
  (...needed: number[]) =>
  async (rest: number[]) =>
    needed.every((one) => rest.includes(one))
const eight = [0, 1, 2, 3, 4, 5, 6, 7]

test('one fault of eight is found', async () => {
  for (const guilty of eight) assert.deepEqual((await shorten(eight, failsWith(guilty), 50)).faults, [guilty])
})

test('two faults that fail together only are found, wherever they stand', async () => {
  for (const [a, b] of [
    [0, 1],
    [0, 7],
    [2, 5],
  ] as const)
    assert.deepEqual((await shorten(eight, failsWith(a, b), 50)).faults, [a, b])
})

test('it gives up after so many tries, with the shortest that it has seen fail', async () => {
  let tried = 0
  const { faults, tries } = await shorten(
    eight,
    async (rest) => {
      tried++
      return rest.includes(3)
    },
    2,
  )
  assert.equal(tries, 2)
  assert.equal(tried, 2)
  assert.ok(faults.length < 8)
  assert.ok(faults.includes(3))
})

test('what never fails again stays whole', async () => {
  assert.deepEqual((await shorten(eight, async () => false, 50)).faults, eight)
})
