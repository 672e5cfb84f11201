import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fakeClock } from '../../test/fake-clock.ts'
import type { Advance, Append, Fenced, Outcome } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { fail, type VedetteError } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { createFencedPublisher, type FencedPublisherOptions } from './publisher.ts'

type Member = Append | Advance

const fence: Fenced = { source: { namespace: 'n', name: 's' }, term: 3, positions: new Map(), fencing: 'strict' }
const event = (id: string, { entry = 'e', bytes = 2 } = {}): Append => ({
  ...{ entry, id, event: new Uint8Array(bytes), position: id },
})
const stored: Outcome = { outcome: 'stored', seq: 1 }
const away: Outcome = { outcome: 'unavailable', error: fail('BUS_UNAVAILABLE', 'away') }
const unknown: Outcome = { outcome: 'unknown', error: fail('OUTCOME_UNKNOWN', 'who knows') }
const fenced: Outcome = { outcome: 'fenced', error: fail('FENCED', 'term 4 rules') }
const refused: Outcome = { outcome: 'refused', error: fail('EVENT_TOO_LARGE', 'too large') }
const nameOf = (member: Member) => ('id' in member ? member.id : `${member.entry}@${member.position}`)

/** A publisher over a bus whose every answer the test gives. */
function rig(over: Partial<FencedPublisherOptions> = {}) {
  const clock = fakeClock()
  const calls: { members: Member[]; answer: (outcomes: Outcome[]) => void; crash: (error: unknown) => void }[] = []
  const [lost, doubted, failing]: [unknown[], unknown[], number[]] = [[], [], []]
  const publisher = createFencedPublisher({
    bus: {
      appendFenced(used, members) {
        assert.equal(used, fence)
        return new Promise((answer, crash) => calls.push({ members, answer, crash }))
      },
    },
    fence,
    clock,
    log: silentLogger,
    onLost: (error) => lost.push(error),
    onUnknown: (error) => doubted.push(error),
    onFailing: (since) => failing.push(since),
    ...over,
  })
  const outcomes: Record<string, string> = {}
  return {
    ...{ clock, calls, lost, doubted, failing, publisher, outcomes },
    put(...members: Member[]) {
      for (const member of members) {
        void publisher.append(member).then(({ outcome }) => {
          outcomes[nameOf(member)] = outcome
        })
      }
    },
    /** Lets promise chains settle. */
    settle: () => clock.advance(0),
    sent: () => calls.map(({ members }) => members.map(nameOf).join(' ')),
    async answer(...given: Outcome[]) {
      const call = calls.at(-1)!
      call.answer(call.members.map((_, i) => given[i] ?? given.at(-1)!))
      await clock.advance(0)
    },
  }
}

test('what the outcomes of a batch set off goes with what already waited', async () => {
  const sizes: number[] = []
  const publisher = createFencedPublisher({
    bus: {
      async appendFenced(_, members) {
        sizes.push(members.length)
        await new Promise((resolve) => setImmediate(resolve))
        return members.map(() => stored)
      },
    },
    ...{ fence, clock: systemClock, log: silentLogger, onLost: () => assert.fail(), onUnknown: () => assert.fail() },
  })
  // An origin that gives the next message for each that is acknowledged, 50 at a time; and one that has just come.
  let next = 0
  const chain = async () => {
    while (next < 1_000) {
      await publisher.append(event(String(next++)))
      // An acknowledgement goes a long way through promises.
      for (let i = 0; i < 20; i++) await null
    }
  }
  const chains = Array.from({ length: 50 }, chain)
  await new Promise((resolve) => setImmediate(resolve))
  chains.push(chain())
  await Promise.all(chains)
  assert.ok(sizes.length < 30, `batches of ${sizes}`)
})

test('what is handed over in one turn goes together; what comes meanwhile waits for the outcome', async () => {
  const r = rig()
  r.put(event('1'), event('2'))
  await r.settle()
  r.put(event('3'))
  await r.settle()
  r.put(event('4'))
  await r.settle()
  assert.deepEqual(r.sent(), ['1 2'])
  assert.equal(r.publisher.pending, 4)
  await r.answer(stored, { outcome: 'duplicate' })
  assert.deepEqual(r.outcomes, { 1: 'stored', 2: 'duplicate' })
  assert.deepEqual(r.sent(), ['1 2', '3 4'])
  await r.answer(stored)
  assert.equal(r.publisher.pending, 0)
})

test('a batch ends at its limit of members, or of bytes; an event beyond the limit goes alone', async () => {
  const r = rig({ maxBatch: 3, maxBatchBytes: 100 })
  r.put(
    event('1'),
    event('2'),
    event('3'),
    event('4', { bytes: 60 }),
    event('5', { bytes: 60 }),
    event('6', { bytes: 500 }),
  )
  r.put(event('7'))
  for (let i = 0; i < 5; i++) {
    await r.settle()
    await r.answer(stored)
  }
  assert.deepEqual(r.sent(), ['1 2 3', '4', '5', '6', '7'])
})

test('a refused member fails alone', async () => {
  const r = rig()
  r.put(event('1'), event('2'), event('3'))
  await r.settle()
  await r.answer(stored, refused, stored)
  assert.deepEqual(r.outcomes, { 1: 'stored', 2: 'refused', 3: 'stored' })
  assert.deepEqual([r.lost, r.doubted], [[], []])
})

test('advances of an entry that wait together are merged, unless an event of that entry lies between', async () => {
  const r = rig()
  const at = (position: number, entry = 'e'): Advance => ({ entry, position })
  r.put(event('0'))
  await r.settle()
  r.put(at(1), at(2), at(1, 'f'), event('x', { entry: 'f' }), at(2, 'f'), at(3), event('4'), at(5), at(6))
  await r.answer(stored)
  assert.deepEqual(r.sent()[1], 'e@3 f@1 x f@2 4 e@6')
  assert.equal(r.publisher.pending, 9)
  await r.answer(stored)
  assert.equal(Object.values(r.outcomes).length, 10)
  assert.equal(r.publisher.pending, 0)
})

test('an advance in flight is not merged into', async () => {
  const r = rig()
  r.put({ entry: 'e', position: 1 })
  await r.settle()
  r.put({ entry: 'e', position: 2 })
  await r.answer(stored)
  assert.deepEqual(r.sent(), ['e@1', 'e@2'])
})

test('while the bus takes nothing, the same goes again, in order, after growing pauses, for ever', async () => {
  const r = rig()
  r.put(event('1'), event('2'), event('3'))
  await r.settle()
  await r.answer(stored, away, away)
  r.put(event('4'))
  await r.settle()
  const since = r.clock.monotonic()
  assert.equal(r.calls.length, 1, 'nothing later leaves meanwhile')
  for (const pauseMs of [10, 20, 40, 80, 160, 320, 500, 500, 500]) {
    const before: number = r.calls.length
    await r.clock.advance(pauseMs - 1)
    assert.equal(r.calls.length, before)
    await r.clock.advance(1)
    assert.equal(r.sent().at(-1), '2 3 4')
    await r.answer(away)
  }
  assert.ok(r.failing.length === 10 && r.failing.every((at) => at === since))
  await r.clock.advance(500)
  await r.answer(stored)
  assert.deepEqual(r.outcomes, { 1: 'stored', 2: 'stored', 3: 'stored', 4: 'stored' })
  r.put(event('5'))
  await r.settle()
  assert.equal(r.sent().at(-1), '5', 'at once again')
})

for (const [name, outcome, told] of [
  ['fenced', fenced, 'lost'],
  ['unknown', unknown, 'doubted'],
] as const) {
  test(`${name}: that ends it, once; what was not sent is certainly not stored`, async () => {
    const r = rig()
    r.put(event('1'), event('2'), event('3'))
    await r.settle()
    r.put(event('4'), { entry: 'e', position: 9 })
    await r.settle()
    await r.answer(stored, outcome, outcome)
    assert.deepEqual(r.outcomes, { 1: 'stored', 2: name, 3: name, 4: 'fenced', 'e@9': 'fenced' })
    assert.deepEqual(r[told], [(outcome as { error: VedetteError }).error])
    assert.equal(r.lost.length + r.doubted.length, 1)
    r.put(event('5'))
    await r.clock.advance(5_000)
    assert.equal((r.outcomes as Record<string, string>)['5'], 'fenced')
    assert.equal(r.calls.length, 1)
    await r.publisher.drain()
    await r.publisher.ready()
  })
}

test('a bus that breaks its word leaves the outcome unknown', async () => {
  const r = rig()
  r.put(event('1'))
  await r.settle()
  r.calls[0]?.crash(new TypeError('oops'))
  await r.settle()
  assert.equal(r.outcomes[1], 'unknown')
  assert.equal(r.doubted.length, 1)

  const short = rig()
  short.put(event('1'), event('2'))
  await short.settle()
  short.calls[0]?.answer([stored])
  await short.settle()
  assert.deepEqual(short.outcomes, { 1: 'stored', 2: 'unknown' })
})

test('a batch that the bus never answers is of unknown outcome, after a time', async () => {
  const r = rig()
  r.put(event('1'))
  await r.settle()
  r.put(event('2'))
  await r.clock.advance(29_000)
  assert.deepEqual([r.outcomes, r.doubted.length], [{}, 0])
  await r.clock.advance(2_000)
  assert.deepEqual([r.outcomes, r.doubted.length], [{ 1: 'unknown', 2: 'fenced' }, 1])
})

test('closed: what is in flight is unknown, the rest not stored, and a late answer changes nothing', async () => {
  const r = rig()
  r.put(event('1'))
  await r.settle()
  r.put(event('2'))
  r.publisher.close(fail('NOT_LEADING', 'over'))
  await r.settle()
  assert.deepEqual(r.outcomes, { 1: 'unknown', 2: 'fenced' })
  await r.answer(fenced)
  assert.deepEqual([r.lost, r.doubted, r.publisher.pending], [[], [], 0])
  r.publisher.close(new Error('again'))
})

test('closed: all who wait for room are let go', async () => {
  const r = rig({ maxPending: 1 })
  r.put(event('1'))
  await r.settle()
  let gone = 0
  for (let i = 0; i < 3; i++) {
    void r.publisher.ready().then(() => {
      gone++
    })
  }
  await r.settle()
  assert.equal(gone, 0)
  r.publisher.close(fail('FENCED', 'term 4 rules'))
  await r.settle()
  assert.equal(gone, 3)
})

test('closed while it waits to try again, it tries no more', async () => {
  const r = rig()
  r.put(event('1'))
  await r.settle()
  await r.answer(away)
  r.publisher.close(new Error('over'))
  await r.clock.advance(5_000)
  assert.equal(r.calls.length, 1)
  assert.equal(r.outcomes[1], 'fenced', 'certainly not stored')
  assert.equal(r.clock.timers, 0)
})

test('drain waits until all has an outcome', async () => {
  const r = rig({ maxBatch: 1 })
  await r.publisher.drain()
  r.put(event('1'), event('2'))
  let drained = false
  void r.publisher.drain().then(() => {
    drained = true
  })
  await r.settle()
  await r.answer(stored)
  assert.equal(drained, false)
  await r.answer(stored)
  assert.equal(drained, true)
})

for (const [name, limits] of [
  ['members', { maxPending: 4 }],
  ['bytes', { maxPendingBytes: 8 }],
] as const) {
  test(`ready waits while ${name} enough are pending, and lets in first who came first`, async () => {
    const r = rig({ ...limits, maxBatch: 2 })
    const order: string[] = []
    const emit = async (id: string) => {
      await r.publisher.ready()
      order.push(id)
      r.put(event(id))
    }
    for (let i = 1; i <= 9; i++) void emit(`${i}`)
    await r.settle()
    // Those who came together while there was room are in; the bound is on who comes later.
    const first = order.length
    void emit('late')
    await r.settle()
    assert.equal(order.length, first)
    let most = 0
    while (r.publisher.pending > 0) {
      await r.answer(stored)
      most = Math.max(most, r.publisher.pending)
    }
    assert.deepEqual(order, ['1', '2', '3', '4', '5', '6', '7', '8', '9', 'late'])
    assert.ok(most <= first)
  })
}

test('one who was let in and hands nothing over does not hold the others up', async () => {
  const r = rig({ maxPending: 1 })
  r.put(event('1'))
  const lazy = r.publisher.ready()
  let came = 0
  for (let i = 0; i < 3; i++) void r.publisher.ready().then(() => came++)
  await r.settle()
  assert.equal(came, 0)
  await r.answer(stored)
  await lazy
  await r.settle()
  assert.equal(came, 3)
})

test('whatever the bus does: on the log everything lies in the order handed over, once, up to some point', async () => {
  const fates = fc.constantFrom(
    'ok',
    'ok',
    'ok',
    'away',
    'away after one',
    'fenced',
    'unknown, stored',
    'unknown, not stored',
  )
  const members = fc.array(fc.record({ entry: fc.constantFrom('a', 'b'), advance: fc.boolean(), turn: fc.boolean() }), {
    minLength: 1,
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(members, fc.array(fates, { maxLength: 12 }), async (given, script) => {
      const clock = fakeClock()
      const log: Member[] = []
      let [inFlight, ended] = [0, 0]
      const fatesLeft = [...script]
      const publisher = createFencedPublisher({
        bus: {
          async appendFenced(_, batch) {
            assert.equal(++inFlight, 1, 'two batches in flight')
            assert.equal(ended, 0, 'sent after the end')
            await clock.sleep(1)
            inFlight--
            const fate = fatesLeft.shift() ?? 'ok'
            const keep = fate === 'ok' || fate === 'unknown, stored' ? batch.length : fate === 'away after one' ? 1 : 0
            log.push(...batch.slice(0, keep))
            if (fate === 'ok') return batch.map(() => stored)
            const other = fate.startsWith('away') ? away : fate === 'fenced' ? fenced : unknown
            return batch.map((_member, i) => (i < keep && other === away ? stored : other))
          },
        },
        ...{ fence, clock, log: silentLogger, maxBatch: 5, onLost: () => ended++, onUnknown: () => ended++ },
      })
      const outcomes: Outcome[] = []
      for (const [i, { entry, advance, turn }] of given.entries()) {
        const member: Member = advance ? { entry, position: i } : { ...event(`${i}`, { entry }), position: i }
        void publisher.append(member).then((outcome) => {
          outcomes[i] = outcome
        })
        if (turn) await clock.advance(1)
      }
      await clock.advance(60_000)
      assert.equal(publisher.pending, 0)
      assert.ok(ended <= 1)
      for (const entry of ['a', 'b']) {
        const positions = log.filter((member) => member.entry === entry).map(({ position }) => position as number)
        assert.deepEqual(
          positions,
          [...new Set(positions)].sort((x, y) => x - y),
          'in order, once',
        )
        const last = positions.at(-1) ?? -1
        const missing = given.findIndex(
          (member, i) => member.entry === entry && !member.advance && i < last && !positions.includes(i),
        )
        assert.equal(missing, -1, `hole at ${missing}`)
      }
      for (const [i, { entry, advance }] of given.entries()) {
        const { outcome } = outcomes[i] as Outcome
        const onLog = log.some(
          (member) => member.entry === entry && Number(member.position) >= i && (advance || member.position === i),
        )
        if (outcome === 'stored') assert.ok(onLog, `${i} acknowledged and not there`)
        if (outcome === 'fenced' && !advance) assert.ok(!onLog, `${i} said to be not stored and there`)
        assert.notEqual(outcome, 'unavailable')
      }
      if (ended === 0) assert.ok(outcomes.every(({ outcome }) => outcome === 'stored'))
    }),
    { numRuns: 300 },
  )
})
