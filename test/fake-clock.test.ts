import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from './fake-clock.ts'

test('timers run in order of time, then of creation, each at its own time', async () => {
  const clock = fakeClock(0)
  const seen: [string, number][] = []
  clock.after(20, () => seen.push(['late', clock.now()]))
  clock.after(10, () => seen.push(['first', clock.now()]))
  clock.after(10, () => seen.push(['second', clock.now()]))
  clock.after(31, () => seen.push(['never', clock.now()]))
  await clock.advance(30)
  assert.deepEqual(seen, [
    ['first', 10],
    ['second', 10],
    ['late', 20],
  ])
  assert.equal(clock.now(), 30)
  assert.equal(clock.timers, 1)
})

test('a chain of sleeps moves on within one advance', async () => {
  const clock = fakeClock(0)
  const woke: number[] = []
  const run = (async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10)
      woke.push(clock.now())
    }
  })()
  await clock.advance(30)
  await run
  assert.deepEqual(woke, [10, 20, 30])
})

test('stall runs timers late, step moves only the wall clock', async () => {
  const clock = fakeClock(0)
  const woke: number[] = []
  clock.after(10, () => woke.push(clock.now()))
  await clock.stall(50)
  assert.deepEqual(woke, [50])
  const before = clock.monotonic()
  clock.step(-40)
  assert.equal(clock.now(), 10)
  assert.equal(clock.monotonic(), before)
})

test('a cancelled or aborted timer does not run', async () => {
  const clock = fakeClock(0)
  const cancel = clock.after(5, () => assert.fail('cancelled'))
  cancel()
  const controller = new AbortController()
  const sleeping = clock.sleep(5, controller.signal)
  controller.abort(new Error('enough'))
  await assert.rejects(sleeping, /enough/)
  await clock.advance(10)
  assert.equal(clock.timers, 0)
})
