/** What is drawn can be done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ACTS } from './acts/index.ts'
import { KINDS } from './kinds.ts'

test('each kind of fault that is drawn can be done, and nothing else', () => {
  assert.deepEqual(Object.keys(ACTS).sort(), Object.keys(KINDS).sort())
})
