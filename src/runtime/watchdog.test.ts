import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { createWatchdog } from './watchdog.ts'

function setUp({ startsMs = 30_000, busy = false } = {}) {
  const clock = fakeClock()
  const complaints: string[] = []
  const bus = { busy }
  const dog = createWatchdog({ clock, startsMs, busy: () => bus.busy, onStalled: (why) => complaints.push(why) })
  return { clock, complaints, bus, dog }
}

test('a source that never begins to read is told, once, after the time that it has', async () => {
  const { clock, complaints, dog } = setUp()
  assert.equal(dog.activity(), 'starting')
  await clock.advance(29_000)
  assert.deepEqual(complaints, [])
  await clock.advance(60_000)
  assert.deepEqual(complaints, ['it has neither begun to read its origin nor said why not for 30 s'])
  assert.equal(clock.timers, 0)
})

test('one that reads until further notice is left alone, and costs no timer', async () => {
  const { clock, complaints, dog } = setUp()
  dog.reading()
  assert.equal(dog.activity(), 'reading')
  await clock.advance(3_600_000)
  assert.deepEqual([complaints, clock.timers], [[], 0])
})

test('one that has said when it will read again is told when it does not, by the part that stands still', async () => {
  const { clock, complaints, dog } = setUp()
  dog.reading(10_000)
  for (let i = 0; i < 20; i++) {
    await clock.advance(8_000)
    dog.reading(10_000)
    dog.reading(60_000, 'partition 3')
  }
  assert.deepEqual(complaints, [])
  for (let i = 0; i < 10; i++) {
    await clock.advance(8_000)
    dog.reading(10_000)
  }
  assert.deepEqual(complaints, ['it has not gone on reading partition 3 for 60 s'])
})

test('a part that has ended is not missed', async () => {
  const { clock, complaints, dog } = setUp()
  dog.reading(10_000, 'broker 1')
  dog.reading(Number.POSITIVE_INFINITY, 'broker 1')
  await clock.advance(600_000)
  assert.deepEqual(complaints, [])
})

test('while what it handed over is on its way to the bus, however long, nothing is missed; then its time goes on', async () => {
  const { clock, complaints, dog, bus } = setUp()
  dog.reading(10_000)
  const outcome = Promise.withResolvers<void>()
  const handed = dog.handed(outcome.promise)
  bus.busy = true
  assert.equal(dog.activity(), 'waiting for the bus')
  await clock.advance(600_000)
  assert.deepEqual(complaints, [])
  outcome.resolve()
  await handed
  bus.busy = false
  assert.equal(dog.activity(), 'reading')
  await clock.advance(20_000)
  assert.deepEqual(complaints, ['it has not gone on reading for 10 s'])
})

test('an outcome that was lost on the way is noticed, also by one that reads until further notice', async () => {
  const { clock, complaints, dog } = setUp()
  dog.reading()
  void dog.handed(new Promise(() => {}))
  await clock.advance(9_000)
  assert.deepEqual(complaints, [])
  await clock.advance(9_000)
  assert.match(complaints.join(), /had no outcome for 10 s, and nothing is on its way/)
})

test('a process that was frozen itself accuses nobody', async () => {
  const { clock, complaints, dog } = setUp()
  dog.reading(10_000)
  for (let i = 0; i < 20; i++) {
    await clock.stall(600_000)
    dog.reading(10_000)
  }
  assert.deepEqual(complaints, [])
})

test('ended, it is not watched any more; while it settles only lost outcomes count', async () => {
  const { clock, complaints, dog } = setUp()
  dog.settling()
  await clock.advance(600_000)
  assert.deepEqual(complaints, [])
  const other = setUp()
  other.dog.end()
  await other.clock.advance(600_000)
  assert.deepEqual([other.complaints, other.clock.timers], [[], 0])
})
