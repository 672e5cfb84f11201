import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Advance, Append, Outcome } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { decodeEvent, eventData, eventId } from '../core/event.ts'
import { silentLogger } from '../core/log.ts'
import { createAccount } from './account.ts'
import { createMetrics } from './metrics.ts'
import { createPipeline, eventFilter, type Sink } from './pipeline.ts'

/** A pipeline into a sink that records what it gets and opens its gate for one member at a time. */
function setUp({
  fenced = true,
  filter,
  answer = (_: Append | Advance): Outcome => ({ outcome: 'stored', seq: 1 }),
  gated = false,
}: {
  fenced?: boolean
  filter?: string
  answer?: (member: Append | Advance) => Outcome
  gated?: boolean
} = {}) {
  const members: (Append | Advance)[] = []
  const gate: (() => void)[] = []
  const sink: Sink = {
    async append(member) {
      members.push(member)
      return answer(member)
    },
    ready: () => (gated ? new Promise((resolve) => gate.push(resolve)) : Promise.resolve()),
    busy: () => false,
    snapshot: () => ({ load: async () => null, save: async () => {} }),
  }
  const account = createAccount({
    clock: systemClock,
    log: silentLogger,
    metrics: createMetrics().entry('default', 'es', 'e'),
    onChange: () => {},
  })
  const pipeline = createPipeline({
    namespace: 'default',
    eventSource: 'es',
    entry: 'e',
    eventType: 'test',
    fingerprint: 'ff',
    fenced,
    recalled: new Set(),
    filter: eventFilter(filter === undefined ? undefined : { expression: filter, onError: 'drop' }),
    sink,
    position: null,
    clock: systemClock,
    account,
    maxEventBytes: () => 1000,
  })
  return { pipeline, members, account, gate }
}

const shown = (members: (Append | Advance)[]) =>
  members.map((member) =>
    'event' in member
      ? eventData(decodeEvent(member.event)).toString()
      : `to ${JSON.stringify((member.position as { p: unknown }).p)}`,
  )

test('an event gets its id from what the source saw, upstream’s bytes, and carries its position', async () => {
  const { pipeline, members } = setUp()
  const { id, outcome } = await pipeline.emit({ data: '{"n":1}', id: 'first', position: 1 })
  assert.equal(outcome, 'stored')
  assert.equal(id, eventId('default', 'es', 'e', 'ff/first'))
  const [member] = members as [Append]
  assert.match(
    Buffer.from(member.event).toString(),
    /^\{"specversion":"1.0","id":"[0-9a-f]{32}","source":"es","type":"test","subject":"e","datacontenttype":"application\/json","time":"[^"]+Z","data_base64":"eyJuIjoxfQ=="\}$/,
  )
  assert.deepEqual(member.position, { f: 'ff', p: 1 })
  assert.deepEqual(pipeline.position(), { f: 'ff', p: 1 })
})

test('no position overtakes an event that waits for room', async () => {
  const { pipeline, members, gate } = setUp({ gated: true })
  const calls = [
    pipeline.emit({ data: '1', position: 1 }),
    pipeline.emit({ data: '2', position: 2 }),
    pipeline.advance(3),
    pipeline.emit({ data: '4', position: 4 }),
  ]
  assert.deepEqual(members, [])
  for (const open of gate) open()
  await Promise.all(calls)
  assert.deepEqual(shown(members), ['1', '2', 'to 3', '4'])
})

test('the position of a held back event is written when settling, after what came before it, and not undone by it', async () => {
  const { pipeline, members, gate } = setUp({ gated: true, filter: 'pass' })
  const emitted = pipeline.emit({ data: '{"pass":true}', position: 1 })
  assert.equal((await pipeline.emit({ data: '{"pass":false}', position: 2 })).outcome, 'filtered')
  gate.shift()?.()
  await emitted
  const settled = pipeline.settle()
  while (gate.length === 0) await new Promise(setImmediate)
  gate.shift()?.()
  await settled
  assert.deepEqual(shown(members), ['{"pass":true}', 'to 2'])
  assert.deepEqual(pipeline.position(), { f: 'ff', p: 2 })
})

test('an event after held back ones carries the newer position: nothing else is written', async () => {
  const { pipeline, members } = setUp({ filter: 'pass' })
  await pipeline.emit({ data: '{"pass":false}', position: 1 })
  await pipeline.emit({ data: '{"pass":true}', position: 2 })
  await pipeline.settle()
  assert.deepEqual(shown(members), ['{"pass":true}'])
})

test('what can never be stored is stepped over where there is a position, and refused to the sender where there is none', async () => {
  const refused: Outcome = { outcome: 'refused', error: fail('EVENT_TOO_LARGE', 'too large') }
  const passive = setUp({ answer: () => refused })
  assert.equal((await passive.pipeline.emit({ data: '1', position: 1 })).outcome, 'skipped')
  assert.deepEqual(passive.pipeline.position(), { f: 'ff', p: 1 })
  assert.equal(passive.account.report().skipped, 1)
  const active = setUp({ fenced: false })
  await assert.rejects(active.pipeline.emit({ data: JSON.stringify('x'.repeat(2000)) }), { code: 'EVENT_TOO_LARGE' })
  assert.deepEqual(active.members, [])
})

test('what can never be stored is counted and shown, with its name and fate, before the position is beyond it', async () => {
  const item = { what: 'message 7 of queue q', fate: 'it is rejected' }
  const huge = JSON.stringify('x'.repeat(2000))
  const seen: (string | null)[] = []
  const passive = setUp({
    answer() {
      seen.push(passive.account.report().error)
      return { outcome: 'stored', seq: 1 }
    },
  })
  const [{ outcome }] = await Promise.all([
    passive.pipeline.emit({ data: huge, position: 1, item }),
    passive.pipeline.emit({ data: '2', position: 2 }),
  ])
  assert.equal(outcome, 'skipped')
  assert.deepEqual(shown(passive.members), ['to 1', '2'])
  assert.match(seen[0]!, /^skipped message 7 of queue q: event .* the bus takes 1000; it is rejected$/)
  assert.deepEqual([passive.account.report().skipped, passive.account.report().published], [1, 1])
  // Nobody waits for an answer: it is no error, whatever the strategy.
  const active = setUp({ fenced: false })
  assert.equal((await active.pipeline.emit({ data: huge, item })).outcome, 'skipped')
  assert.equal(active.account.report().skipped, 1)
})

test('a position that cannot pass what is skipped is said to be', async () => {
  const fenced: Outcome = { outcome: 'fenced', error: fail('FENCED', 'term 2 rules') }
  const { pipeline } = setUp({ answer: () => fenced })
  await assert.rejects(pipeline.emit({ data: JSON.stringify('x'.repeat(2000)), position: 1 }), { code: 'FENCED' })
  assert.equal(pipeline.position(), null)
})

test('fenced, unknown and unavailable reach the source; an active-active sender is told to come back', async () => {
  const fenced: Outcome = { outcome: 'fenced', error: fail('FENCED', 'term 2 rules') }
  await assert.rejects(setUp({ answer: () => fenced }).pipeline.emit({ data: '1' }), { code: 'FENCED' })
  await assert.rejects(setUp({ answer: () => fenced }).pipeline.advance(1), { code: 'FENCED' })
  await assert.rejects(setUp({ fenced: false, answer: () => fenced }).pipeline.emit({ data: '1' }), {
    code: 'BUS_UNAVAILABLE',
  })
  const unknown: Outcome = { outcome: 'unknown', error: fail('OUTCOME_UNKNOWN', 'no answer') }
  const { pipeline } = setUp({ answer: () => unknown })
  await assert.rejects(pipeline.emit({ data: '1', position: 1 }), { code: 'OUTCOME_UNKNOWN' })
  assert.equal(pipeline.position(), null)
})
