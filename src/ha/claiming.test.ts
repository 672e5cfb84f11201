import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { Logger } from '../core/log.ts'
import { watchClaims } from './claiming.ts'

function rig() {
  const clock = fakeClock()
  const said: unknown[] = []
  const shown: unknown[] = []
  const log = {
    warn: (message: string, fields: object) => said.push([message, fields]),
    info: (message: string, fields: object) => said.push([message, fields]),
  } as unknown as Logger
  const claims = watchClaims(clock, log, 'r-0', (standing) => shown.push(standing?.error ?? null))
  return { clock, said, shown, claims }
}

test('a claim that stands says so once, at what and since when, and once when it goes on; status follows what it does', async () => {
  const { clock, said, shown, claims } = rig()
  const since = new Date(clock.now()).toISOString()
  claims.begun()
  claims.at('looking for the coordinator')
  await clock.advance(3_000)
  // Tried again: it is still the same wait.
  claims.begun()
  claims.at('taking the epoch at broker 1')
  await clock.advance(1_900)
  assert.deepEqual([said, shown], [[], []])
  await clock.advance(200)
  claims.at('taking the epoch at broker 1')
  claims.at('reading from broker 2')
  await clock.advance(60_000)
  claims.over(true)
  assert.deepEqual(said, [
    ['a claim stands', { replica: 'r-0', at: 'taking the epoch at broker 1', since }],
    ['the claim went on: there is a term', { replica: 'r-0', tookMs: 65_100 }],
  ])
  assert.deepEqual(shown, ['no term yet: taking the epoch at broker 1', 'no term yet: reading from broker 2', null])
})

test('a claim that is soon over says nothing, and the next one counts from its own beginning', async () => {
  const { clock, said, shown, claims } = rig()
  for (let i = 0; i < 3; i++) {
    claims.begun()
    await clock.advance(4_000)
    claims.over(i % 2 === 0)
  }
  await clock.advance(60_000)
  assert.deepEqual([said, shown, clock.timers], [[], [], 0])
})
