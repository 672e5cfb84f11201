/** What is drawn can be started, and what can be started is drawn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availability } from './origins.ts'
import { TRAITS } from './traits.ts'

test('each name that is drawn has an adapter, and the other way round', () => {
  assert.deepEqual([...availability().keys()].sort(), Object.keys(TRAITS).sort())
})
