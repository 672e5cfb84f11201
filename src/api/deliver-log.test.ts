/** Deliveries and the log under them: retention, a log that was made anew, a bus that is away, a reading that dies or hangs. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeClock, passUntil } from '../../test/fake-clock.ts'
import type { Bus, ReadOptions } from '../bus/bus.ts'
import { type MemoryBus, memoryBusWorld } from '../bus/memory.ts'
import { systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { deliveryTo, ids, idsOf, receiver, recorder, takenIds, until } from './delivery/receiver.fixture.ts'
import { busWith, put } from './events.fixture.ts'

/** The bus with some of its ways changed. */
const changed = (bus: MemoryBus, change: Partial<Bus>): Bus => Object.assign({ ...bus }, change)

test('what the bus lets go while an event is held is counted, logged and shown, never silent', async (t) => {
  const clock = fakeClock()
  const { log, lines, has } = recorder()
  const world = memoryBusWorld()
  const bus = world.connect('only')
  const to = await receiver(t)
  const delivery = await deliveryTo(t, bus, to.url, { clock, log })
  await put(bus, 1, 1)
  await passUntil(clock, () => delivery.status().delivered === 1, 'the first')
  to.answers = () => 401
  // more than is read at a time
  await put(bus, 2, 1000)
  await passUntil(clock, () => delivery.status().held !== undefined, 'held')
  world.retain({ maxAgeMs: -1, maxBytes: 0 })
  await put(bus, 1001, 1003)
  await passUntil(clock, () => delivery.status().held?.droppedAfter === 998, 'what is gone is shown')
  assert.equal(has('error the bus lets events go'), 1)
  to.answers = () => 200
  await passUntil(clock, () => delivery.status().cursor === 1003, 'the rest')
  const taken = takenIds(to.got).length
  assert.equal(delivery.status().lost, 1003 - taken)
  assert.ok(delivery.status().lost > 400, `${delivery.status().lost}`)
  assert.deepEqual(takenIds(to.got).slice(-3), ids(1001, 1003))
  const [, fields] = lines.find(([line]) => line.startsWith('error the bus let events go'))!
  assert.equal(fields.atMost, delivery.status().lost)
  await delivery.stop()
  const again = await deliveryTo(t, bus, to.url)
  assert.equal(again.status().lost, 1003 - taken, 'it is remembered')
})

test('what was let go while nothing delivered is counted at the start', async (t) => {
  const world = memoryBusWorld()
  const bus = world.connect('only')
  const to = await receiver(t)
  await (await deliveryTo(t, bus, to.url)).stop()
  await put(bus, 1, 7)
  world.retain({ maxAgeMs: -1, maxBytes: 0 })
  const { log, has } = recorder()
  const delivery = await deliveryTo(t, bus, to.url, { log })
  assert.deepEqual([delivery.status().lost, delivery.status().cursor], [7, 7])
  assert.equal(has('error the bus let events go'), 1)
  await put(bus, 8, 8)
  await until(() => delivery.status().delivered === 1)
  assert.deepEqual(idsOf(to.got), ids(8, 8))
})

test("others' records between the events are not taken for lost ones, also not when they have gone", async (t) => {
  const clock = fakeClock()
  const world = memoryBusWorld()
  const memory = world.connect('only')
  const hidden = new Set(Array.from({ length: 20 }, (_, i) => i + 4))
  /** Numbers 4 to 23 are not events, as term records on JetStream. */
  const bus = changed(memory, {
    async *read(options: ReadOptions) {
      for await (const stored of memory.read(options)) if (!hidden.has(stored.seq)) yield stored
    },
  } as Partial<Bus>)
  const to = await receiver(t)
  const delivery = await deliveryTo(t, bus, to.url, { clock })
  await put(memory, 1, 23)
  await passUntil(clock, () => delivery.status().cursor === 23, 'the cursor passes what is no event')
  world.retain({ maxAgeMs: -1, maxBytes: 0 })
  await put(memory, 24, 25)
  await passUntil(clock, () => delivery.status().delivered === 5, 'the rest')
  assert.deepEqual([takenIds(to.got), delivery.status().lost], [[...ids(1, 3), ...ids(24, 25)], 0])
})

test('a log that was wiped and made anew, with smaller numbers, is delivered from its beginning', async (t) => {
  const clock = fakeClock()
  const { log, has } = recorder()
  const world = memoryBusWorld()
  const bus = world.connect('only')
  const to = await receiver(t)
  const delivery = await deliveryTo(t, bus, to.url, { clock, log })
  await put(bus, 1, 10)
  await passUntil(clock, () => delivery.status().delivered === 10, 'the old log')
  world.wipe()
  await put(bus, 11, 13)
  await passUntil(clock, () => delivery.status().delivered === 13, 'the new log')
  assert.deepEqual(takenIds(to.got), ids(1, 13))
  assert.equal(has('error the log was made anew'), 1)
  assert.equal(delivery.status().cursor, 3)
})

test('a log that has gone back a little and on again, under used numbers, is noticed after the break', async (t) => {
  const clock = fakeClock()
  const world = memoryBusWorld()
  const bus = world.connect('only')
  const to = await receiver(t)
  const delivery = await deliveryTo(t, bus, to.url, { clock })
  await put(bus, 1, 5)
  await passUntil(clock, () => delivery.status().delivered === 5, 'before')
  world.wipe()
  await put(bus, 1, 3)
  // in the place of 4 and 5, and one more
  await put(bus, 104, 106)
  bus.link.cut()
  bus.link.mend()
  await passUntil(clock, () => takenIds(to.got).includes('s-e-106'), 'after')
  assert.deepEqual(takenIds(to.got), [...ids(1, 5), ...ids(104, 106)])
})

test('a log that says it is another one is read from its beginning, whatever its numbers', async (t) => {
  const clock = fakeClock()
  const bus = await busWith(0)
  let name = 'first'
  const other = changed(bus, { state: async () => ({ ...(await bus.state()), log: name }) })
  const to = await receiver(t)
  const delivery = await deliveryTo(t, other, to.url, { clock })
  await put(bus, 1, 3)
  await passUntil(clock, () => delivery.status().delivered === 3, 'before')
  name = 'second'
  await passUntil(clock, () => delivery.status().delivered === 6, 'all again')
  await delivery.stop()
  assert.deepEqual(idsOf(to.got), [...ids(1, 3), ...ids(1, 3)])
})

test('one lagging answer of the bus is not another log', async (t) => {
  const clock = fakeClock()
  const bus = await busWith(0)
  let lags = 0
  const lagging = changed(bus, {
    async state() {
      const state = await bus.state()
      return lags-- > 0 ? { ...state, lastSeq: 1 } : state
    },
  })
  const to = await receiver(t)
  const delivery = await deliveryTo(t, lagging, to.url, { clock })
  await put(bus, 1, 3)
  await passUntil(clock, () => delivery.status().delivered === 3, 'before')
  // to the look, and to the one after it
  lags = 2
  await passUntil(clock, () => lags <= 0, 'both')
  await clock.advance(60_000)
  await put(bus, 4, 4)
  await passUntil(clock, () => delivery.status().cursor === 4, 'after')
  assert.deepEqual(idsOf(to.got), ids(1, 4))
})

const deaths: [string, () => Promise<IteratorResult<never>>][] = [
  ['hangs', () => new Promise(() => {})],
  ['ends', async () => ({ done: true, value: undefined })],
  ['throws', () => Promise.reject(fail('BUS_UNAVAILABLE', 'the bus is away'))],
  ['is aborted by somebody else', () => Promise.reject(new DOMException('aborted', 'AbortError'))],
  ['throws what is no error of ours', () => Promise.reject(new TypeError('boom'))],
]

for (const [name, dies] of deaths) {
  test(`a reading of the log that ${name} is begun anew, however often`, async (t) => {
    const clock = fakeClock()
    const { log, has } = recorder()
    const bus = await busWith(0)
    let deaths = 0
    const dying = changed(bus, {
      read(options: ReadOptions = {}) {
        if (options.follow !== true || deaths >= 3) return bus.read(options)
        deaths++
        return { [Symbol.asyncIterator]: () => ({ next: dies }) }
      },
    })
    const to = await receiver(t)
    const delivery = await deliveryTo(t, dying, to.url, { clock, log })
    await put(bus, 1, 2)
    await passUntil(clock, () => delivery.status().delivered === 2, 'delivered in the end')
    assert.deepEqual(idsOf(to.got), ids(1, 2))
    assert.equal(deaths, 3)
    assert.equal(delivery.status().error, null)
    assert.ok(has('delivery fails') + has('stood still') >= 1, 'it was said')
  })
}

test('a log that can never be read is said once, asked for less and less, and shown', async (t) => {
  const clock = fakeClock()
  const { log, has } = recorder()
  const bus = await busWith(0)
  let reads = 0
  const never = changed(bus, {
    read() {
      reads++
      return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(fail('SPEC_INVALID', 'no one order')) }) }
    },
  })
  const to = await receiver(t)
  const delivery = await deliveryTo(t, never, to.url, { clock, log })
  await put(bus, 1, 1)
  const begun = clock.monotonic()
  await passUntil(clock, () => clock.monotonic() - begun > 10 * 60_000, 'ten minutes', 1_000)
  assert.equal(delivery.status().error, 'the log cannot be read: no one order')
  assert.ok(has('warn delivery fails') === 1 && has('info delivery goes on') === 0)
  assert.ok(reads > 20 && reads < 150, `${reads} reads`)
})

test('a cursor that cannot be written holds up nothing, is said once, and is written later', async (t) => {
  const clock = fakeClock()
  const { log, has } = recorder()
  const bus = await busWith(0)
  let failing: 'no' | 'throws' | 'hangs' = 'no'
  const kv = {
    ...bus.kv,
    put: (...of: Parameters<typeof bus.kv.put>) =>
      failing === 'no'
        ? bus.kv.put(...of)
        : failing === 'hangs'
          ? new Promise<never>(() => {})
          : Promise.reject(fail('BUS_FULL', 'no room')),
  }
  const to = await receiver(t)
  const delivery = await deliveryTo(t, changed(bus, { kv }), to.url, { clock, log })
  for (const way of ['throws', 'hangs'] as const) {
    failing = way
    const before = delivery.status().delivered
    await put(bus, before + 1, before + 3)
    await passUntil(clock, () => delivery.status().delivered === before + 3, 'delivered all the same')
    await clock.advance(120_000)
    failing = 'no'
    await passUntil(clock, () => has('cursor is written again') === (way === 'throws' ? 1 : 2), 'written again')
  }
  assert.equal(has('warn the delivery cursor cannot be written'), 2)
  const next = await deliveryTo(t, bus, to.url)
  assert.equal(next.status().cursor, 6)
})

test('a bus that is away at the start keeps nothing from starting, and what it takes from then on is delivered', async (t) => {
  const clock = fakeClock(Date.now())
  let agoMs = 3_600_000
  const world = memoryBusWorld({ clock: { ...systemClock, now: () => systemClock.now() - agoMs } })
  const bus = world.connect('run')
  const others = world.connect('others')
  await put(others, 1, 400)
  agoMs = 0
  bus.link.cut()
  const to = await receiver(t)
  const starting = deliveryTo(t, bus, to.url, { clock })
  for (let i = 0; i < 30; i++) await clock.advance(250)
  const delivery = await starting
  assert.match(delivery.status().error ?? '', /^the log cannot be read: /)
  await put(others, 401, 404)
  bus.link.mend()
  await passUntil(clock, () => delivery.status().cursor === 404, 'delivered')
  assert.deepEqual(takenIds(to.got), ids(401, 404))
  assert.equal(delivery.status().error, null)
})

test('a cursor that cannot be read begins with everything: an event twice is better than one lost', async (t) => {
  const bus = await busWith(3)
  const to = await receiver(t)
  await (await deliveryTo(t, bus, to.url)).stop()
  const [key] = await keysOf(bus, to.url)
  for (const broken of ['', '{', '{"seq":"x"}', '{"seq":-1}', '[]', 'null']) {
    await bus.kv.put(key, Buffer.from(broken))
    const before = to.got.length
    const delivery = await deliveryTo(t, bus, to.url)
    await until(() => delivery.status().delivered === 3)
    await delivery.stop()
    assert.deepEqual(idsOf(to.got.slice(before)), ids(1, 3), broken)
  }
})

async function keysOf(bus: MemoryBus, url: string): Promise<[string]> {
  const { createHash } = await import('node:crypto')
  const key = `deliver/${createHash('sha256').update(url).digest('hex').slice(0, 32)}`
  assert.notEqual(await bus.kv.get(key), null)
  return [key]
}

test('what is held survives a new token, and a receiver that has moved', async (t) => {
  const bus = await busWith(0)
  const to = await receiver(t, () => 401)
  const at = (path: string, query = '', user = '') => `http://${user}127.0.0.1:${to.port}${path}${query}`
  const first = await deliveryTo(t, bus, at('/in', '?token=old', 'me:old@'))
  await put(bus, 1, 3)
  await until(() => to.got.length > 0)
  await first.stop()
  const second = await deliveryTo(t, bus, at('/in', '?token=new', 'me:new@'))
  assert.equal(second.status().cursor, 0)
  await second.stop()
  to.answers = () => 200
  const third = await deliveryTo(t, bus, at('/moved'))
  await until(() => third.status().delivered === 3)
  await third.stop()
  assert.deepEqual(takenIds(to.got), ids(1, 3))
  // a run of its own begins on its own
  const other = await deliveryTo(t, bus, at('/other'), { owner: 'another' })
  assert.equal(other.status().cursor, 3)
})

test('the cursor of a version that kept one for each query is found', async (t) => {
  const bus = await busWith(5)
  const to = await receiver(t)
  const { createHash } = await import('node:crypto')
  const url = `${to.url}?token=x`
  const key = `deliver/${createHash('sha256').update(url).digest('hex').slice(0, 32)}`
  await bus.kv.put(key, Buffer.from(JSON.stringify({ seq: 2, url: to.url })))
  const delivery = await deliveryTo(t, bus, url)
  await until(() => delivery.status().delivered === 3)
  assert.deepEqual(idsOf(to.got), ids(3, 5))
})
