import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partsOf } from './parts.ts'

const parts = (sizes: number[], limits: { bytes: number; members?: number }) => [
  ...partsOf(sizes, (size) => size, limits),
]

test('parts are full, in order, and hold every member once', () => {
  assert.deepEqual(parts([4, 6, 1, 9, 5, 5], { bytes: 10 }), [
    [4, 6],
    [1, 9],
    [5, 5],
  ])
  assert.deepEqual(parts([0, 0, 0, 0, 0], { bytes: 10, members: 2 }), [[0, 0], [0, 0], [0]])
  assert.deepEqual(parts([], { bytes: 10, members: 2 }), [])
})

test('what is larger than a part stands alone', () => {
  assert.deepEqual(parts([11, 1, 12, 12], { bytes: 10 }), [[11], [1], [12], [12]])
})
