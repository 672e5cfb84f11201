import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { type Logger, silentLogger } from '../core/log.ts'
import { createReaders } from './readers.ts'

function world(limits: Partial<Parameters<typeof createReaders>[0]> = {}) {
  const clock = fakeClock()
  const lines: unknown[] = []
  const log: Logger = { ...silentLogger, info: (_, fields) => void lines.push(fields) }
  return {
    clock,
    lines,
    readers: createReaders({ most: 3, stalledMs: 1000, heldBytes: 100, ...limits }, { clock, log }),
  }
}

test('so many read at a time as may; whoever leaves makes room, once', () => {
  const { readers } = world()
  const [first] = [1, 2, 3].map(() => readers.enter(() => {}))
  assert.throws(() => readers.enter(() => {}), { code: 'BUS_BUSY', message: /^3 read .*--max-readers/ })
  first!.leave()
  first!.leave()
  readers.enter(() => {})
  assert.throws(() => readers.enter(() => {}), { code: 'BUS_BUSY' })
})

test('who takes nothing for long is dropped, who takes something in time is not', async () => {
  const { readers, clock, lines } = world()
  const dropped: string[] = []
  const slow = readers.enter(() => dropped.push('slow'))
  const stalled = readers.enter(() => dropped.push('stalled'))
  stalled.waits(1)
  for (let i = 0; i < 3; i++) {
    const goesOn = slow.waits(1)
    await clock.advance(400)
    goesOn()
  }
  assert.deepEqual(dropped, ['stalled'])
  assert.deepEqual(lines, [{ count: 1, why: 'nothing was taken for 1 s' }])
  assert.equal(clock.timers, 0)
})

test('when those who wait hold too much, the one that has waited for longest goes', () => {
  const { readers, lines } = world()
  const dropped: number[] = []
  const all = [0, 1, 2].map((i) => readers.enter(() => dropped.push(i)))
  all[0]!.waits(30)()
  all[1]!.waits(40)
  all[0]!.waits(40)
  assert.deepEqual(dropped, [])
  all[2]!.waits(40)
  assert.deepEqual(dropped, [1])
  all[2]!.waits(90)
  assert.deepEqual(dropped, [1, 0, 2])
  assert.equal(lines.length, 1, 'one line for many')
})
