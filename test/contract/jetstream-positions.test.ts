/** Positions that are too large for one message: none is lost, no claim is stuck, and the fence holds for them as for all others. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Advance, Bus, SourceRef } from '../../src/bus/bus.ts'
import { createLogger } from '../../src/core/log.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { event, kinds, until } from './bus.ts'
import { claimOf, jetStreamFor, type NatsFixture, newSource, withOwnIds } from './jetstream.fixture.ts'

const SMALL = 'max_payload: 16384'
const lead = (bus: Bus, source: SourceRef, holder = 'r-0') => bus.claim(source, claimOf(holder))

/** Of `count` entries, `bytes` each: what a stream of many partitions or paths comes to. */
const advances = (count: number, bytes: number): Advance[] =>
  Array.from({ length: count }, (_, i) => ({
    entry: `e${i}`,
    position: { at: i, of: randomBytes(bytes / 2).toString('hex') },
  }))

const asMap = (members: Advance[]) => new Map(members.map(({ entry, position }) => [entry, position]))

async function start(
  t: { after(fn: () => unknown): void },
  config: string,
  line: 'newest' | 'debian' = 'newest',
): Promise<NatsFixture> {
  const fixture = await jetStreamFor(t, { config, line })
  return fixture
}

/** What lies in the bucket beside the records: keys and bytes. */
async function besideOf(fixture: NatsFixture): Promise<{ slots: number; keys: string[] }> {
  const nc = await connect({ servers: fixture.urls })
  const { state } = await (await jetstreamManager(nc)).streams.info('KV_vedette', {
    subjects_filter: '$KV.vedette.>',
  })
  await nc.close()
  const keys = Object.keys(state.subjects ?? {}).filter((key) => key.startsWith('$KV.vedette.positions/'))
  return { keys, slots: new Set(keys.map((key) => key.split('.').at(-2))).size }
}

suite('jetstream, positions larger than a message', {
  skip: without('nats-server', natsBinary('newest')),
  timeout: 120_000,
}, () => {
  for (const line of ['newest', 'debian'] as const)
    test(`a claim finds all of them, and the old term moves none (${line})`, {
      skip: without('nats-server 2.9', natsBinary(line)),
    }, async (t) => {
      const fixture = await start(t, SMALL, line)
      const bus = withOwnIds((await fixture.open()).bus)
      const other = withOwnIds((await fixture.open()).bus)
      const source = newSource()
      const first = await lead(bus, source)
      const large = advances(60, 2_000)
      assert.deepEqual(new Set(kinds(await bus.appendFenced(first, large))), new Set(['stored']))
      // Events move some of them on, by their headers.
      const moved = [event('x', { entry: 'e1', position: 'moved' }), event('y', { entry: 'e2', position: 7 })]
      assert.deepEqual(kinds(await bus.appendFenced(first, moved)), ['stored', 'stored'])
      const expected = asMap(large).set('e1', 'moved').set('e2', 7)

      const second = await lead(other, source, 'r-1')
      assert.deepEqual(new Map(second.positions), expected)
      // The old one does not know yet, and writes as large a record.
      assert.equal(kinds(await bus.appendFenced(first, advances(60, 2_000)))[0], 'fenced')
      assert.deepEqual(new Map((await lead(bus, source, 'r-2')).positions), expected)
      assert.deepEqual(kinds(await other.appendFenced(second, [event('z')])), ['fenced'])
    })

  test('each renewal in place of the one before: space stays bounded, over renewals and terms', async (t) => {
    const fixture = await start(t, SMALL)
    const { bus } = await fixture.open()
    const source = newSource()
    let expected: Advance[] = []
    for (let term = 0; term < 6; term++) {
      const fence = await lead(bus, source, `r-${term % 2}`)
      if (expected.length > 0) assert.deepEqual(new Map(fence.positions), asMap(expected))
      for (let i = 0; i < 5; i++) {
        expected = advances(40, 2_000)
        assert.equal(kinds(await bus.appendFenced(fence, expected))[0], 'stored')
      }
    }
    await lead(bus, source)
    await until('what older terms left is gone', async () => (await besideOf(fixture)).slots === 1)
    assert.ok((await besideOf(fixture)).keys.length < 15)
  })

  test('the limit of the server lowered below what the record has, and raised again', async (t) => {
    const fixture = await start(t, '')
    const { bus } = await fixture.open()
    const source = newSource()
    const large = advances(60, 2_000)
    assert.equal(kinds(await bus.appendFenced(await lead(bus, source), large))[0], 'stored')
    assert.deepEqual((await besideOf(fixture)).keys, [])
    for (const config of [SMALL, '']) {
      await fixture.servers[0]!.kill()
      await until('the break is seen', () => !bus.status().connected)
      await fixture.servers[0]!.restart(config)
      await until('it is back', () => bus.status().connected, 20_000)
      const fence = await lead(bus, source, 'r-1')
      assert.deepEqual(new Map(fence.positions), asMap(large))
      assert.equal((await besideOf(fixture)).slots, 1)
      large[3] = { entry: 'e3', position: `after ${config}` }
      assert.deepEqual(kinds(await bus.appendFenced(fence, [large[3]])), ['stored'])
    }
    // It fits again.
    assert.deepEqual(new Map((await lead(bus, source)).positions), asMap(large))
    await until('nothing lies beside it', async () => (await besideOf(fixture)).slots === 0)
  })

  test('around the limit, byte by byte', async (t) => {
    const fixture = await start(t, SMALL)
    const { bus } = await fixture.open()
    const source = newSource()
    const fence = await lead(bus, source)
    let last: Advance = { entry: 'e', position: null }
    for (let bytes = bus.maxEventBytes - 200; bytes <= bus.maxEventBytes + 20; bytes += 10) {
      last = { entry: 'e', position: 'x'.repeat(bytes) }
      assert.deepEqual(kinds(await bus.appendFenced(fence, [last])), ['stored'], `${bytes} bytes`)
    }
    assert.equal((await lead(bus, source)).positions.get('e'), last.position)
  })

  test('the server killed at any moment of writing them: a claim finds what was acknowledged, or what was on its way', async (t) => {
    const fixture = await start(t, SMALL)
    const { bus } = await fixture.open({ ackTimeoutMs: 1_000 })
    const source = newSource()
    const padding = 'x'.repeat(2_000)
    let [sent, acknowledged] = [0, 0]
    for (let round = 0; round < (process.env.VEDETTE_FULL ? 30 : 6); round++) {
      await until('it is connected', () => bus.status().connected, 20_000)
      const fence = await lead(bus, source, `r-${round}`)
      const found = new Set([...fence.positions.values()].map((position) => (position as { n: number }).n))
      const [n] = [...found]
      assert.deepEqual([found.size, fence.positions.size], round === 0 ? [0, 0] : [1, 30])
      if (n !== undefined) assert.ok(n >= acknowledged && n <= sent, `at ${n} of ${acknowledged} to ${sent}`)
      let writing = true
      const written = (async () => {
        while (writing) {
          const n = ++sent
          const all = Array.from({ length: 30 }, (_, i) => ({ entry: `e${i}`, position: { n, padding } }))
          if (!kinds(await bus.appendFenced(fence, all)).every((kind) => kind === 'stored')) return
          acknowledged = n
        }
      })()
      await pause(300 + Math.random() * 50)
      await fixture.servers[0]!.kill()
      await pause(50)
      writing = false
      await written
      await fixture.servers[0]!.restart()
    }
    t.diagnostic(`${sent} records sent`)
    assert.ok(acknowledged > 50)
  })

  test('what lay beside the record was deleted by hand: said, and the log itself counts', async (t) => {
    const fixture = await start(t, SMALL)
    let text = ''
    const log = createLogger({
      format: 'json',
      redact: (text) => text,
      write: (line) => {
        text += line
      },
    })
    const bus = withOwnIds((await fixture.open({ log })).bus)
    const source = newSource()
    const fence = await lead(bus, source)
    await bus.appendFenced(fence, advances(60, 2_000))
    await bus.appendFenced(fence, [event('a', { position: 5 })])
    const nc = await connect({ servers: fixture.urls })
    await (await jetstreamManager(nc)).streams.purge('KV_vedette')
    await nc.close()
    const next = await lead(bus, source, 'r-1')
    assert.deepEqual(new Map(next.positions), new Map([['e', 5]]))
    assert.match(text, /positions that lay beside the term record are gone/)
    assert.deepEqual(kinds(await bus.appendFenced(next, [event('b', { position: 6 })])), ['stored'])
  })
})
