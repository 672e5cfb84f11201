/** What JetStream adds to the port's contract: the record's life, streams of others, one bus for several namespaces, credentials. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Bus, SourceRef } from '../../src/bus/bus.ts'
import { encodeEvent } from '../../src/core/event.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { event, eventsOf, kinds, numbered, readAll, rejectsWith, until } from './bus.ts'
import { claimOf, jetStreamFor, type NatsFixture, newSource, startJetStream, withOwnIds } from './jetstream.fixture.ts'

const skip = without('nats-server', natsBinary('newest'))
const lead = (bus: Bus, source: SourceRef, holder = 'r-0') => bus.claim(source, claimOf(holder))

/** A client that knows nothing of Vedette. */
async function stock(fixture: NatsFixture): Promise<NatsConnection> {
  return await connect({ servers: fixture.urls })
}

suite('jetstream, one server', { skip, timeout: 120_000 }, () => {
  let fixture: NatsFixture
  let bus: Bus
  before(async () => {
    fixture = await startJetStream()
    bus = withOwnIds((await fixture.open()).bus)
  })
  after(() => fixture?.close())

  test('a consumer as a Sensor has it reads every event once, in the form Argo Events has', async () => {
    const source = newSource()
    const nc = await stock(fixture)
    const jsm = await jetstreamManager(nc)
    // Sensors: a durable pull consumer per dependency, new events only, explicit acks, one at a time.
    await jsm.consumers.add('default', {
      durable_name: 'group-3445561685',
      filter_subject: `default.${source.name}.orders`,
      deliver_policy: 'new',
      ack_policy: 'explicit',
    } as Parameters<typeof jsm.consumers.add>[1])
    const { bus: plain } = await fixture.open()
    const ids = Array.from({ length: 20 }, (_, i) => createHash('md5').update(`${source.name}${i}`).digest('hex'))
    const eventOf = (id: string) =>
      encodeEvent(
        { id, source: source.name, type: 'webhook', subject: 'orders', timeMs: Date.UTC(2026, 0, 2, 3, 4, 5) },
        Buffer.from('{"a":1}'),
      )
    const members = ids.map((id, i) => ({ entry: 'orders', id, event: eventOf(id), position: i }))
    const fence = await lead(plain, source)
    await plain.appendFenced(fence, members.slice(0, 10))
    await plain.appendFenced(fence, members.slice(5, 15))
    await plain.append(source, members.slice(10, 20))
    const consumer = await jetstream(nc).consumers.get('default', 'group-3445561685')
    const seen: string[] = []
    for (
      let message = await consumer.next({ expires: 1_000 });
      message;
      message = await consumer.next({ expires: 1_000 })
    ) {
      const id = message.headers?.get('Nats-Msg-Id') ?? ''
      assert.equal(
        message.string(),
        `{"specversion":"1.0","id":"${id}","source":"${source.name}","type":"webhook","subject":"orders",` +
          '"datacontenttype":"application/json","time":"2026-01-02T03:04:05Z","data_base64":"eyJhIjoxfQ=="}',
      )
      seen.push(id)
      message.ack()
    }
    assert.deepEqual(seen, ids)
    await nc.close()
  })

  test('two namespaces with equal names on one bus keep their positions and terms apart', async () => {
    const one = newSource('one')
    const two = { ...one, namespace: 'two' }
    const first = await lead(bus, one)
    await bus.appendFenced(first, [event('a', { position: 1 })])
    const second = await lead(bus, two)
    await bus.appendFenced(second, [event('a', { position: 100 })])
    await bus.appendFenced(first, [event('b', { position: 2 })])
    // The last event on the subject is the other namespace's.
    await bus.appendFenced(second, [event('b', { position: 101 })])
    assert.equal((await lead(bus, one, 'r-1')).positions.get('e'), 2)
    assert.equal((await lead(bus, two, 'r-1')).positions.get('e'), 101)
    assert.equal((await eventsOf(bus, one)).length, 2)
  })

  test('an event that somebody put on the subject by hand does not hide the position', async () => {
    const source = newSource()
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('a', { position: 1 })])
    await bus.appendFenced(fence, [event('b', { position: 2 })])
    await bus.append(source, [event('by-hand')])
    assert.equal((await lead(bus, source, 'r-1')).positions.get('e'), 2)
  })

  test("what Argo Events' Pods have stored since we last did is found, and only that", async () => {
    const source = newSource()
    const nc = await stock(fixture)
    const js = jetstream(nc)
    const theirs = async (id: string, entry = 'e') => {
      const event = encodeEvent(
        { id, source: source.name, type: 'calendar', subject: entry, timeMs: 0 },
        Buffer.from('{}'),
      )
      await js.publish(`default.${source.name}.${entry}`, event, { msgID: `${source.name}${id}` })
    }
    const others = async (limit = 10) =>
      (await bus.others(source, 'e', limit)).map(({ id }) => id.replace(source.name, ''))
    assert.deepEqual(await others(), [], 'nothing is there at all')
    for (const id of ['1', '2', '3']) await theirs(id)
    await theirs('else', 'another')
    assert.deepEqual(await others(), ['1', '2', '3'])
    assert.deepEqual(await others(2), ['2', '3'])
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('ours', { position: 1 })])
    assert.deepEqual(await others(), [])
    await theirs('4')
    assert.deepEqual(await others(), ['4'])
    assert.deepEqual(
      (await bus.tail(source, 'e', 2)).map(({ namespace }) => namespace),
      [source.namespace, ''],
    )
    await nc.close()
  })

  test('a position too long for a header travels in the record', async () => {
    const source = newSource()
    const position = { partitions: Array.from({ length: 2000 }, (_, i) => i * 1_000_003) }
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('a', { position: 1 })])
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('b', { position })])), ['stored'])
    assert.deepEqual((await lead(bus, source, 'r-1')).positions.get('e'), position)
  })

  test('positions survive any text', async () => {
    const source = newSource()
    const position = { 'ключ\r\nNats-Msg-Id: x': ['%25', 'é\u2028', '\ud800', '"\\'] }
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('a', { position: 0 })])
    await bus.appendFenced(fence, [event('b', { position, sourceId: 'one\r\ntwo ü' })])
    const expected = { 'ключ\r\nNats-Msg-Id: x': ['%25', 'é\u2028', '\ufffd', '"\\'] }
    const found = (await lead(bus, source, 'r-1')).positions.get('e')
    assert.ok(
      JSON.stringify(found) === JSON.stringify(expected) || JSON.stringify(found) === JSON.stringify(position),
      JSON.stringify(found),
    )
    assert.equal((await eventsOf(bus, source))[1]?.sourceId, 'one\r\ntwo ü')
  })

  test('an id that would break out of its header is refused', async () => {
    const source = newSource()
    assert.deepEqual(kinds(await bus.append(source, [event('x\r\nNats-Rollup: all'), event('fine')])), [
      'refused',
      'stored',
    ])
  })

  test('an event of the largest size is stored, one byte more is refused', async () => {
    const source = newSource()
    const fence = await lead(bus, source)
    const largest = event('fits', { event: randomBytes(bus.maxEventBytes), position: 1, sourceId: 's'.repeat(3_000) })
    const larger = event('large', { event: randomBytes(bus.maxEventBytes + 1), position: 2 })
    assert.deepEqual(kinds(await bus.appendFenced(fence, [largest, larger])), ['stored', 'refused'])
    assert.deepEqual(bus.status(), { connected: true })
    assert.equal((await lead(bus, source, 'r-1')).positions.get('e'), 2)
  })

  test('the stream deleted and made anew: the term is over, the next claim begins in the new stream, where the last one was', async () => {
    const source = newSource()
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('a', { position: 1 })])
    const nc = await stock(fixture)
    const jsm = await jetstreamManager(nc)
    await jsm.streams.delete('default')
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('b', { position: 2 })])), ['unavailable'])
    await until('there is a stream again', () => bus.status().connected)
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('b', { position: 2 })])), ['fenced'])
    assert.deepEqual(await eventsOf(bus, source), [])
    const next = await bus.claim(source, { ...claimOf('r-0'), floor: fence.term })
    assert.equal(next.term, fence.term + 1)
    assert.equal(next.positions.get('e'), 1)
    assert.deepEqual(kinds(await bus.appendFenced(next, [event('b', { position: 2 })])), ['stored'])
    // From here on the record says it, to anybody.
    const other = withOwnIds((await fixture.open()).bus)
    const last = await lead(other, source, 'r-1')
    assert.equal(last.positions.get('e'), 2)
    await other.appendFenced(last, [event('c', { position: 3 })])
    await jsm.streams.delete('default')
    await other.append(source, [event('finds-out')])
    await until('both know', () => bus.status().connected && other.status().connected)
    const stale = await bus.claim(source, { ...claimOf('r-0'), floor: last.term })
    assert.equal(stale.positions.get('e'), undefined, 'another has led since: what this one reached is old')
    await nc.close()
  })

  test('the stream purged: the term is over, the next claim goes on where the last one was', async () => {
    const source = newSource()
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, [event('a', { position: 1 })])
    const nc = await stock(fixture)
    await (await jetstreamManager(nc)).streams.purge('default')
    await nc.close()
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('b', { position: 2 })])), ['fenced'])
    const next = await bus.claim(source, { ...claimOf('r-0'), floor: fence.term })
    assert.equal(next.positions.get('e'), 1)
    assert.deepEqual(kinds(await bus.appendFenced(next, [event('b', { position: 2 })])), ['stored'])
  })
})

suite('jetstream, streams of others', { skip, timeout: 120_000 }, () => {
  /** A server with a stream as given, made by a stock client. */
  async function withStream(config: Record<string, unknown>): Promise<NatsFixture> {
    const fixture = await startJetStream()
    const nc = await stock(fixture)
    const jsm = await jetstreamManager(nc)
    await jsm.streams.add({
      name: 'default',
      subjects: ['default.*.*'],
      duplicate_window: 300e9,
      ...config,
    } as unknown as Parameters<typeof jsm.streams.add>[0])
    await nc.close()
    return fixture
  }

  test('a stream as Argo Events makes it is raised to strict fencing, and keeps what it held', async (t) => {
    const fixture = await withStream({ max_msgs: 50_000, max_age: 86_400e9 })
    t.after(() => fixture.close())
    const nc = await stock(fixture)
    await nc.request('default.old.e', '{"id":"before"}')
    const { bus } = await fixture.open()
    assert.equal(bus.fencing, 'strict')
    const fence = await lead(bus, newSource())
    assert.deepEqual([fence.fencing, fence.reason], ['strict', undefined])
    const { config } = await (await jetstreamManager(nc)).streams.info('default')
    assert.deepEqual([config.allow_atomic, config.max_msgs], [true, 50_000])
    assert.deepEqual(
      (await readAll(bus, {})).map(({ id, namespace }) => [id, namespace]),
      [['before', '']],
    )
    await nc.close()
  })

  for (const retention of ['interest', 'workqueue']) {
    test(`a stream whose retention is ${retention} is lease-only, and says why`, async (t) => {
      const fixture = await withStream({ retention })
      t.after(() => fixture.close())
      const { bus } = await fixture.open()
      assert.equal(bus.fencing, 'lease-only')
      assert.match(bus.fencingReason ?? '', new RegExp(retention))
    })
  }

  test('a stream that may not be altered is fenced message by message', async (t) => {
    const config =
      'authorization { users: [{ user: owner, password: o }, ' +
      '{ user: guest, password: g, permissions: { publish: { deny: "$JS.API.STREAM.UPDATE.>" } } }] }'
    const fixture = await jetStreamFor(t, { config })
    const nc = await connect({ servers: fixture.urls, user: 'owner', pass: 'o' })
    const jsm = await jetstreamManager(nc)
    await jsm.streams.add({ name: 'default', subjects: ['default.*.*'] })
    const guest = { credentials: async () => ({ user: 'guest', pass: 'g' }) }
    const [one, other] = [(await fixture.open(guest)).bus, (await fixture.open(guest)).bus].map(withOwnIds)
    assert.equal(one!.fencing, 'strict')
    const source = newSource()
    const old = await lead(one!, source)
    const outcomes = await one!.appendFenced(old, [
      ...numbered('a', 5, (position) => ({ position })),
      event('a-0', { position: 9 }),
    ])
    assert.deepEqual(kinds(outcomes), [...Array(5).fill('stored'), 'duplicate'])
    const next = await lead(other!, source, 'r-1')
    assert.equal(next.positions.get('e'), 9)
    assert.deepEqual(kinds(await one!.appendFenced(old, numbered('b', 2))), ['fenced', 'fenced'])
    assert.deepEqual(kinds(await other!.appendFenced(next, numbered('b', 2))), ['stored', 'stored'])
    assert.equal((await jsm.streams.info('default')).config.allow_atomic ?? false, false)
    await nc.close()
  })

  test('the record outlives the limits of the stream: by count and, idle, by age', async (t) => {
    const fixture = await withStream({ max_msgs: 100, max_age: 2e9, duplicate_window: 1e9 })
    t.after(() => fixture.close())
    const bus = withOwnIds((await fixture.open()).bus)
    const source = newSource()
    const fence = await lead(bus, source)
    for (let i = 0; i < 60; i++) {
      const batch = numbered(`b${i}`, 10, (k) => ({ position: i * 10 + k }))
      assert.deepEqual(new Set(kinds(await bus.appendFenced(fence, batch))), new Set(['stored']))
    }
    assert.equal((await bus.state()).messages, 100)
    const lastSeq = (await bus.state()).lastSeq
    // Longer than the age at which the stream drops things; the record is written again meanwhile.
    await until('all events have gone', async () => (await eventsOf(bus, source)).length === 0)
    await until('the record was written again', async () => (await bus.state()).lastSeq > lastSeq)
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('late', { position: 1000 })])), ['stored'])
    assert.equal((await lead(bus, source, 'r-1')).positions.get('e'), 1000)
  })

  test('a stream that is full and discards new messages says so, and takes them when there is room', async (t) => {
    const fixture = await withStream({ max_msgs: 8, discard: 'new' })
    t.after(() => fixture.close())
    const bus = withOwnIds((await fixture.open()).bus)
    const source = newSource()
    const fence = await lead(bus, source)
    assert.deepEqual(kinds(await bus.appendFenced(fence, numbered('a', 3))), ['stored', 'stored', 'stored'])
    const [outcome] = await bus.appendFenced(fence, numbered('b', 3))
    assert.equal(outcome?.outcome, 'unavailable')
    assert.equal((outcome as { error: { code: string } }).error.code, 'BUS_FULL')
    const nc = await stock(fixture)
    await (await jetstreamManager(nc)).streams.purge('default', { filter: `default.${source.name}.e` })
    await nc.close()
    assert.deepEqual(kinds(await bus.appendFenced(fence, numbered('b', 3))), ['stored', 'stored', 'stored'])
  })
})

test('credentials that are rotated are used at the next connect, without a restart', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const auth = 'authorization { users: [{ user: a, password: one }, { user: b, password: two }] }'
  const fixture = await jetStreamFor(t, { config: auth })
  let current = { user: 'a', pass: 'wrong' }
  const client = fixture.client({ credentials: async () => current })
  await until('it says what is wrong', () => {
    const status = client.status()
    return !status.connected && /authorization/i.test(status.error)
  })
  current = { user: 'a', pass: 'one' }
  const { bus } = await fixture.open({ client })
  current = { user: 'b', pass: 'two' }
  await fixture.servers[0]!.kill()
  await until('the break is seen', () => !bus.status().connected)
  await rejectsWith(bus.state(), 'BUS_UNAVAILABLE')
  await fixture.servers[0]!.restart()
  await until('it is back', () => bus.status().connected)
  const nc = await client.connection
  const { data } = (await nc.request('$SYS.REQ.USER.INFO')).json<{ data: { user: string } }>()
  assert.equal(data.user, 'b')
  assert.deepEqual(kinds(await bus.append(newSource(), [event(`after-${randomBytes(4).toString('hex')}`)])), ['stored'])
})
