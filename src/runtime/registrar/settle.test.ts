import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Hook } from '../../source.ts'
import { olderFirst } from './settle.ts'

test('the oldest: by creation, else by number, else by text', () => {
  const ids = (hooks: Hook[]) => hooks.sort(olderFirst).map(({ id }) => id)
  assert.deepEqual(ids([{ id: '10' }, { id: '9' }, { id: '100' }]), ['9', '10', '100'])
  assert.deepEqual(
    ids([
      { id: 'a', createdMs: 2 },
      { id: 'b', createdMs: 1 },
    ]),
    ['b', 'a'],
  )
  assert.deepEqual(ids([{ id: '{b}' }, { id: '{a}' }]), ['{a}', '{b}'])
})
