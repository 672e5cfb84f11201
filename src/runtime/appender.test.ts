import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { Append, Bus, Outcome } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { createAppender } from './appender.ts'

const source = { namespace: 'default', name: 's' }
const member = (id: string, bytes = 3): Append => ({ entry: 'e', id, event: new Uint8Array(bytes) })
const unknown: Outcome = { outcome: 'unknown', error: fail('OUTCOME_UNKNOWN', 'no answer') }
const unavailable: Outcome = { outcome: 'unavailable', error: fail('BUS_UNAVAILABLE', 'away') }

/** A bus of which only `append` is used, answering as `answer` says. */
function scripted(answer: (batch: Append[], call: number) => Promise<Outcome[]> | Outcome[]): {
  bus: Bus
  batches: Append[][]
} {
  const batches: Append[][] = []
  const append = async (_: unknown, batch: Append[]) => {
    batches.push(batch)
    return await answer(batch, batches.length - 1)
  }
  return { bus: { append } as unknown as Bus, batches }
}

test('what arrives together leaves in one batch, and each member gets its own outcome', async () => {
  const { bus, batches } = scripted((batch) =>
    batch.map((m, i) => (m.id === 'b' ? { outcome: 'duplicate' } : { outcome: 'stored', seq: i })),
  )
  const appender = createAppender({ bus, source, clock: systemClock })
  const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => appender.append(member(id))))
  assert.equal(batches.length, 1)
  assert.deepEqual(
    outcomes.map((o) => o.outcome),
    ['stored', 'duplicate', 'stored'],
  )
  assert.equal(appender.pending, 0)
})

test('an unknown outcome is settled by repeating the same id', async () => {
  const { bus, batches } = scripted((batch, call) => batch.map(() => (call === 0 ? unknown : { outcome: 'duplicate' })))
  const appender = createAppender({ bus, source, clock: systemClock, retryMs: 1 })
  assert.deepEqual(await appender.append(member('a')), { outcome: 'duplicate' })
  assert.deepEqual(
    batches.map((batch) => batch[0]!.id),
    ['a', 'a'],
  )
})

test('once unsure, a refusal to take it now does not prove that it is not stored', async () => {
  const answers: Outcome[] = [unknown, unavailable, unavailable, { outcome: 'stored', seq: 7 }]
  const { bus } = scripted((batch, call) => batch.map(() => answers[call]!))
  const appender = createAppender({ bus, source, clock: systemClock, retryMs: 1 })
  assert.deepEqual(await appender.append(member('a')), { outcome: 'stored', seq: 7 })
})

test('a sender is not left waiting while the bus is silent, and what it sent counts until the bus lets go of it', async () => {
  const clock = fakeClock()
  let answer = (_: Outcome[]) => {}
  const { bus, batches } = scripted(() => new Promise<Outcome[]>((resolve) => (answer = resolve)))
  const appender = createAppender({ bus, source, clock, settleMs: 8_000, maxPending: 2 })
  const told: Outcome[] = []
  for (const id of ['a', 'b']) void appender.append(member(id)).then((outcome) => told.push(outcome))
  await new Promise(setImmediate)
  await clock.advance(7_900)
  assert.equal(told.length, 0)
  await clock.advance(200)
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    ['unknown', 'unknown'],
  )
  assert.equal(appender.pending, 2)
  assert.equal((await appender.append(member('c'))).outcome, 'unavailable')
  answer([{ outcome: 'stored', seq: 1 }, unknown])
  await appender.drain()
  assert.equal(batches.length, 1, 'nobody waits for an outcome any more')
})

test('a batch that gets no answer holds up none of those behind it', async () => {
  const { bus, batches } = scripted((batch) =>
    batch.some(({ id }) => id.startsWith('slow'))
      ? new Promise(() => {})
      : batch.map(() => ({ outcome: 'stored', seq: 1 })),
  )
  const appender = createAppender({ bus, source, clock: systemClock })
  for (let i = 0; i < 20; i++) {
    void appender.append(member(`slow ${i}`))
    while (batches.length <= i) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await appender.append(member('a'))).outcome, 'stored')
  assert.equal(appender.pending, 20)
})

test('what is repeated at the same moment leaves in one batch again', async () => {
  const { bus, batches } = scripted((batch, call) => batch.map(() => (call === 0 ? unknown : { outcome: 'duplicate' })))
  const clock = fakeClock()
  const appender = createAppender({ bus, source, clock, retryMs: 1 })
  const outcomes = Promise.all(['a', 'b', 'c'].map((id) => appender.append(member(id))))
  while (clock.timers === 0) await clock.advance(0)
  await clock.advance(1)
  await outcomes
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [3, 3],
  )
})

test('unavailable at the first attempt is told at once', async () => {
  const { bus, batches } = scripted((batch) => batch.map(() => unavailable))
  const appender = createAppender({ bus, source, clock: systemClock })
  assert.equal((await appender.append(member('a'))).outcome, 'unavailable')
  assert.equal(batches.length, 1)
})

test('an outcome that stays unknown is told after a while, as unknown', async () => {
  const { bus } = scripted((batch) => batch.map(() => unknown))
  const appender = createAppender({ bus, source, clock: systemClock, retryMs: 1, settleMs: 20 })
  assert.equal((await appender.append(member('a'))).outcome, 'unknown')
})

test('memory is bounded: too much in flight is refused, and drain waits for what was taken', async () => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const { bus } = scripted(async (batch) => {
    await gate
    return batch.map((_, i) => ({ outcome: 'stored', seq: i }))
  })
  const appender = createAppender({ bus, source, clock: systemClock, maxPending: 3, maxPendingBytes: 100 })
  const taken = ['a', 'b'].map((id) => appender.append(member(id)))
  const tooBig = await appender.append(member('c', 200))
  assert.equal(tooBig.outcome === 'unavailable' && tooBig.error.code, 'BUS_BUSY')
  taken.push(appender.append(member('d')))
  assert.equal((await appender.append(member('e'))).outcome, 'unavailable')
  let drained = false
  const drain = appender.drain().then(() => {
    drained = true
  })
  assert.equal(drained, false)
  release()
  assert.deepEqual(
    (await Promise.all(taken)).map((o) => o.outcome),
    ['stored', 'stored', 'stored'],
  )
  await drain
})
