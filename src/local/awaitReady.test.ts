import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { type Awaited, WAITED_MS } from '../api/served.ts'
import { silentLogger } from '../core/log.ts'
import { awaitReady, named } from './awaitReady.ts'

const one = (entry: string, kind: keyof typeof WAITED_MS): Awaited => ({
  ...{ namespace: 'default', eventSource: 's', entry, type: 'webhook' },
  ...{ why: kind === 'slow' ? 'its port is being opened' : 'its port is taken', waitMs: WAITED_MS[kind] },
})

function watched(first: Awaited[]) {
  const clock = fakeClock()
  let awaited = first
  const said: string[] = []
  const say = (message: string) => void said.push(message)
  const watch = awaitReady({
    judge: () => ({ entries: 3, notServed: awaited, awaited }),
    clock,
    log: { ...silentLogger, warn: say, info: say },
    onReady: () => said.push('READY'),
  })
  const become = (now: Awaited[]) => {
    awaited = now
    watch.look()
  }
  return { clock, said, watch, become }
}

test('what is slow to start is waited for, however long, and named meanwhile', async () => {
  const { clock, said, become } = watched([one('slow', 'slow')])
  become([one('slow', 'slow')])
  await clock.advance(60_000)
  assert.deepEqual(said, [
    'not ready yet: 1 of 3 entries are waited for: default/s/slow (webhook): its port is being opened',
  ])
  become([])
  assert.equal(said.at(-1), 'READY')
})

test('a port that is taken is waited for 10 s, and named before the word; that it is free is told later', async () => {
  const { clock, said, become, watch } = watched([one('taken', 'portTaken')])
  watch.look()
  await clock.advance(9_900)
  assert.ok(!said.includes('READY'))
  await clock.advance(200)
  assert.deepEqual(said.slice(-2), [
    'ready, but 1 of 3 entries are not served: default/s/taken (webhook): its port is taken',
    'READY',
  ])
  become([])
  become([])
  assert.equal(said.at(-1), 'all 3 entries are served now')
  assert.equal(said.filter((line) => line === 'READY').length, 1)
})

test('a port that becomes free in time is no trouble', async () => {
  const { clock, said, become, watch } = watched([one('taken', 'portTaken')])
  watch.look()
  await clock.advance(2_000)
  become([])
  await clock.advance(60_000)
  assert.deepEqual(said, ['READY'])
})

test('a lock that does not answer is waited for longer, and what shows an error beside it as long', async () => {
  const { clock, said, become } = watched([one('slow', 'slow')])
  become([one('led', 'lockAway'), one('taken', 'portTaken')])
  await clock.advance(59_900)
  assert.ok(!said.includes('READY'))
  await clock.advance(200)
  assert.equal(said.at(-1), 'READY')
})

test('of many the first are named, the others counted', () => {
  const many = Array.from({ length: 200 }, (_, i) => one(`e${i}`, 'slow'))
  assert.match(named(many), /^default\/s\/e0 .*default\/s\/e4 [^;]*; and 195 more$/)
})
