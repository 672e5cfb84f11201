/** Work side by side: when all of it is done, and what a failure means to whoever waits for that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sideBySide } from './side-by-side.ts'

test('done waits for all that was handed over', async () => {
  const { hand, done } = sideBySide(8)
  const work = Promise.withResolvers<void>()
  await hand(() => work.promise)
  let isDone = false
  const waited = done().then(() => {
    isDone = true
  })
  await new Promise(setImmediate)
  assert.equal(isDone, false)
  work.resolve()
  await waited
})

test('work that failed is never done: nothing that counts it as told is written', async () => {
  const { hand, done, settled } = sideBySide(8)
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await hand(() => first.promise)
  await hand(() => second.promise)
  const waited = assert.rejects(done(), /the outcome is unknown/)
  first.reject(new Error('the outcome is unknown'))
  second.resolve()
  await waited
  await settled()
  await assert.rejects(done(), /the outcome is unknown/)
})
