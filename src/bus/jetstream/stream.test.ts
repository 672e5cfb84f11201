import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import { fakeClock } from '../../../test/fake-clock.ts'
import { whenLed } from './stream.ts'

/** A stream that nobody leads until `electedMs`; a question before that is never answered, and times out. */
function leaderless(electedMs: number) {
  const clock = fakeClock()
  const startedMs = clock.monotonic()
  const asked: number[] = []
  const info = () => {
    const atMs = clock.monotonic() - startedMs
    asked.push(atMs)
    if (atMs >= electedMs) return Promise.resolve({} as StreamInfo)
    return clock.sleep(2_000).then(() => Promise.reject(new Error('timeout')))
  }
  return { clock, asked, jsm: { streams: { info } } as unknown as JetStreamManager }
}

test('a leader elected meanwhile is noticed within a moment, though the first question is lost', async () => {
  const { clock, asked, jsm } = leaderless(600)
  const led = whenLed(jsm, clock)
  await clock.advance(760)
  assert.deepEqual(await led, {})
  assert.deepEqual(asked, [0, 250, 500, 750])
  await clock.advance(5_000)
  assert.equal(asked.length, 4, 'nothing is asked any more')
})

test('it gives up with the first question that fails, so that its caller has always a young one under way', async () => {
  const { clock, asked, jsm } = leaderless(60_000)
  const failed = assert.rejects(whenLed(jsm, clock), /timeout/)
  await clock.advance(2_000)
  await failed
  assert.ok(asked.at(-1)! >= 1_750)
  const { length } = asked
  await clock.advance(5_000)
  assert.equal(asked.length, length)
})
