import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { silentLogger } from '../core/log.ts'
import { createAccount } from './account.ts'
import { createMetrics } from './metrics.ts'

function counting(logEvents?: boolean) {
  const clock = fakeClock()
  const logged: unknown[] = []
  const errors: string[] = []
  const log = {
    ...silentLogger,
    info: (_: string, fields: object = {}) => void logged.push(fields),
    error: (text: string) => void errors.push(text),
  }
  const metrics = createMetrics().entry('ns', 'es', 'e')
  const account = createAccount({ clock, log, metrics, logEvents, onChange() {} })
  let events = 0
  return {
    clock,
    logged,
    errors,
    account,
    store(count: number) {
      for (let i = 0; i < count; i++)
        account.settled({ outcome: 'stored', seq: 1 }, clock.monotonic(), `id-${++events}`)
    },
  }
}

test('of many events in a second the first 100 are logged, then every hundredth; all are counted', async () => {
  const { clock, logged, account, store } = counting(true)
  store(1_000)
  assert.equal(logged.length, 109)
  assert.deepEqual(logged.at(-1), { eventID: 'id-1000' })
  await clock.advance(1_000)
  store(5)
  assert.equal(logged.length, 114)
  assert.equal(account.report().published, 1_005)
})

test('events are not logged unless that is asked for', () => {
  const { logged, store } = counting()
  store(10)
  assert.deepEqual(logged, [])
})

test('what is skipped is shown for ten minutes, whatever else comes and goes, and logged once', async () => {
  const { clock, account, errors } = counting()
  account.skip('message 1 of queue q', new Error('no JSON'), 'it is rejected')
  const text = 'skipped message 1 of queue q: no JSON; it is rejected'
  assert.deepEqual(errors, ['message 1 of queue q can never become an event and is skipped'])
  assert.equal(account.report().error, text)
  account.condition(null)
  assert.equal(account.report().error, text)
  account.condition('nobody is there')
  assert.equal(account.report().error, 'nobody is there')
  account.condition(null)
  await clock.advance(599_000)
  assert.equal(account.report().error, text)
  await clock.advance(2_000)
  assert.deepEqual([account.report().error, account.report().skipped], [null, 1])
})
