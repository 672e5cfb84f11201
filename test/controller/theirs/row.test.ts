import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowIn, withLateTicks } from './row.ts'

const ours = (...ns: number[]) => ns.map((n) => ({ n, ours: true }))

test('a tick told in the second of the next one is neither lost nor doubled; what is lost or doubled stays so', () => {
  const judged = (...ns: number[]) => {
    const { lost, doubled } = rowIn(withLateTicks(ours(...ns)))
    return [lost.ours, doubled.ours]
  }
  assert.deepEqual(judged(1, 2, 4, 4, 5), [[], []])
  assert.deepEqual(judged(1, 2, 4, 5), [[3], []])
  assert.deepEqual(judged(1, 2, 3, 3, 4), [[], [3]])
  assert.deepEqual(judged(1, 2, 5, 5, 6), [[3], []])
})
