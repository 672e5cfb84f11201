/** The servers of Argo Events' buses, from the oldest to what it calls latest, and a cluster of them that is being upgraded. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/transport-node'
import type { Append, Bus, Fenced, SourceRef, Stored } from '../../src/bus/bus.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, natsBuilt } from '../servers/nats.ts'
import { until } from './bus.ts'
import { claimOf, jetStreamFor, newSource } from './jetstream.fixture.ts'

const event = (id: string): Append => ({ entry: 'e', id, event: Buffer.from('x'), position: id })

for (const line of ['oldest', 'argo'] as const) {
  test(`nats-server ${natsBuilt[line]}: events get in, fenced by the lease only, which is said`, {
    skip: without(`nats-server ${natsBuilt[line]}`, natsBinary(line)),
    timeout: 60_000,
  }, async (t) => {
    const fixture = await jetStreamFor(t, { line })
    const { bus } = await fixture.open()
    assert.equal(bus.fencing, 'lease-only')
    assert.match(bus.fencingReason!, new RegExp(`nats-server ${natsBuilt[line]} cannot`))
    const source = newSource()
    const fence = await bus.claim(source, claimOf('a'))
    const [first] = await bus.appendFenced(fence, [event('1')])
    assert.equal(first!.outcome, 'stored')
    assert.equal((await bus.append(source, [event('1')]))[0]!.outcome, 'duplicate')
    const next = await bus.claim(source, claimOf('b'))
    assert.equal(next.positions.get('e'), '1')
    const ids = (events: Stored[]) => events.map(({ id }) => id)
    await bus.append(source, [{ ...event('2'), entry: 'f' }, event('3')])
    assert.deepEqual(ids(await bus.tail(source, 'e', 5)), ['1', '3'])
    const all: Stored[] = []
    for await (const one of bus.read({ eventSource: source.name })) all.push(one)
    assert.deepEqual(ids(all), ['1', '2', '3'])
    const along = bus.read({ eventSource: source.name, follow: true })[Symbol.asyncIterator]()
    for (const id of ['1', '2', '3']) assert.equal((await along.next()).value?.id, id)
    await bus.append(source, [event('4')])
    assert.equal((await along.next()).value?.id, '4')
    await along.return?.()
  })
}

test(`nats-server ${natsBuilt.argo}: what it calls a duplicate of a message that it has not stored yet is not taken for stored`, {
  skip: without(`nats-server ${natsBuilt.argo}`, natsBinary('argo')),
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t, { line: 'argo', nodes: 3 })
  const { bus, client } = await fixture.open({ ackTimeoutMs: 500 })
  const jsm = await jetstreamManager(await client.connection)
  const leading = (await jsm.streams.info('default')).cluster!.leader!
  const others = fixture.servers.filter(({ index }) => `n${index}` !== leading)
  const leader = fixture.servers.find(({ index }) => `n${index}` === leading)!
  // Asked at the leader itself, which the others' silence does not cut off.
  const at = await fixture.open({ servers: [leader.url], ackTimeoutMs: 500 })
  const source = newSource()
  const outcomeOf = async (id: string, on = at.bus) => (await on.append(source, [event(id)]))[0]!.outcome
  assert.equal(await outcomeOf('before'), 'stored')
  for (const { child } of others) child.kill('SIGSTOP')
  // The first is proposed and never stored; whoever repeats it, as a sender does, must not hear that it is.
  const said = [await outcomeOf('x'), await outcomeOf('x')]
  await leader.kill()
  for (const { child } of others) child.kill('SIGCONT')
  assert.deepEqual(
    said.filter((outcome) => outcome === 'stored' || outcome === 'duplicate'),
    [],
    `${said}`,
  )
  await until(
    'it is stored by whoever leads next',
    async () => /stored|duplicate/.test(await outcomeOf('x', bus)),
    30_000,
  )
  assert.deepEqual(await idsOf(bus, source, 5), ['before', 'x'])
})

/** Those of the last events of the entry `e`, as soon as the log can be read. */
async function idsOf(bus: Bus, source: SourceRef, most: number): Promise<string[]> {
  let ids: string[] = []
  const read = async () => {
    ids = (await bus.tail(source, 'e', most)).map(({ id }) => id)
    return true
  }
  await until('the log can be read', () => read().catch(() => false), 20_000)
  return ids
}

const STREAMS = ['default', 'KV_vedette', 'KV_vedette-leases']

/** The step of docs/migrate.md: with one copy there is no log of copies, and nothing in it that another line of NATS reads otherwise. */
async function copies(jsm: JetStreamManager, replicas: number): Promise<void> {
  for (const name of STREAMS) {
    const changed = async () => {
      const { config } = await jsm.streams.info(name)
      await jsm.streams.update(name, { ...config, num_replicas: replicas })
      return true
    }
    await until(`${name} is to have ${replicas}`, () => changed().catch(() => false), 30_000)
    const settled = async () => {
      const { cluster } = await jsm.streams.info(name)
      const others = cluster?.replicas ?? []
      return others.length === replicas - 1 && others.every(({ current }) => current)
    }
    await until(`${name} has ${replicas}`, () => settled().catch(() => false), 30_000)
  }
}

/** A leader of 2.10 puts them into the log of its copies, each of which refuses them for itself; one of 2.15 would store them. */
async function refusedWrites(nc: NatsConnection): Promise<void> {
  const unmet = headers()
  unmet.set('Nats-Expected-Last-Sequence', '999999999')
  for (let i = 0; i < 6; i++) await nc.request('default.probe.probe', '', { headers: unmet, timeout: 2_000 })
}

async function leadBy(nc: NatsConnection, server: string): Promise<void> {
  const jsm = await jetstreamManager(nc)
  const leads = async () => {
    if ((await jsm.streams.info('default')).cluster?.leader === server) return true
    await nc.request('$JS.API.STREAM.LEADER.STEPDOWN.default', JSON.stringify({ placement: { preferred: server } }))
    return false
  }
  await until(`${server} leads`, () => leads().catch(() => false), 30_000)
}

// In full runs only: three servers that are replaced take their time. What a refused write does to it stands in docs/migrate.md, "To raise NATS".
if (FULL) {
  suite('a cluster that is upgraded', {
    skip: without('nats-server 2.10', natsBinary('argo')) || without('nats-server', natsBinary('newest')),
    timeout: 120_000,
  }, () => {
    // Encrypted, as native buses are: see src/controller/eventBus/natsConf.ts for the key.
    test('one server after another, streams at one copy meanwhile: nothing is lost, no server crashes, and the fence comes with the last of them', async (t) => {
      const fixture = await jetStreamFor(t, { line: 'argo', nodes: 3, jetstream: 'key: "$JS_KEY"' })
      const before = await fixture.open()
      const source = newSource()
      const stored: string[] = []
      const append = async (bus = before.bus) => {
        const id = `e${stored.length}`
        await until(
          `${id} is stored`,
          async () => {
            const [one] = await bus.append(source, [event(id)])
            return one!.outcome === 'stored' || one!.outcome === 'duplicate'
          },
          20_000,
        )
        stored.push(id)
      }
      const raise = async (index: number) => {
        await fixture.servers[index]!.stop()
        await fixture.servers[index]!.restart(undefined, { line: 'newest' })
        for (let i = 0; i < 5; i++) await append()
      }
      await append()
      const connection = await before.client.connection
      const jsm = await jetstreamManager(connection)
      await refusedWrites(connection)
      await copies(jsm, 1)
      await raise(2)
      // A Pod that starts now, and finds the new server.
      const amid = await fixture.open({ servers: [fixture.urls[2]!] })
      assert.equal(amid.bus.fencing, 'lease-only')
      assert.match(amid.bus.fencingReason!, /nats-server 2\.10\.29 cannot/)
      const leader = newSource()
      // Claimed anew as long as a leader of the stream is only just being elected.
      const lead = async (ids: string[]): Promise<Fenced> => {
        let fence: Fenced | null = null
        await until(
          `${ids} are stored`,
          async () => {
            fence = await amid.bus.claim(leader, claimOf('a')).catch(() => null)
            const outcomes = fence === null ? [] : await amid.bus.appendFenced(fence, ids.map(event))
            return fence !== null && outcomes.every(({ outcome }) => outcome === 'stored' || outcome === 'duplicate')
          },
          20_000,
        )
        return fence!
      }
      const fence = await lead(['a', 'b', 'c'])
      await raise(1)
      await raise(0)
      await copies(jsm, 3)
      for (const { bus } of [before, amid]) await until('it can fence', () => bus.fencing === 'strict', 20_000)
      await lead(['d'])
      assert.equal((await amid.bus.appendFenced(fence, [event('e')]))[0]!.outcome, 'fenced')
      for (const led of ['n0', 'n1', 'n2']) {
        await leadBy(connection, led)
        assert.deepEqual(await idsOf(before.bus, source, 100), stored, `as ${led} has it`)
        assert.deepEqual(await idsOf(before.bus, leader, 100), ['a', 'b', 'c', 'd'], `as ${led} has it`)
      }
      for (const { child } of fixture.servers) assert.equal(child.exitCode, null)
    })
  })
}
