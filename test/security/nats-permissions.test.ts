/**
 * A NATS user who may do what one EventSource needs, and nothing else (`vedette render --nats-permissions`): Pods of every kind of entry work under it,
 * and whoever has its password reaches nobody else's terms, leases, events to be stored, hooks, answers or consumers (S15).
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { inboxOf } from '../../src/bus/jetstream/inbox.ts'
import { systemClock as clock } from '../../src/core/clock.ts'
import { busUses, natsPermissions, natsUserText } from '../../src/runtime/natsPermissions.ts'
import { withLease } from '../../src/runtime/registrar/lease.ts'
import { keysOf, readRecords, writeRecords } from '../../src/runtime/registrar/records.ts'
import { event, kinds, until } from '../contract/bus.ts'
import { claimOf, jetStreamFor, type NatsFixture } from '../contract/jetstream.fixture.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { startCrowd } from '../faults/senders.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { allReady, anyLeader, linesOf, objectOf, startPods } from '../pod/pods.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'

/** The name that the judge of ticks knows. */
const mine = { namespace: 'default', name: 'clock' }
const theirs = { namespace: 'default', name: 'theirs' }
const entries = [
  { type: 'calendar', name: 'tick' },
  { type: 'webhook', name: 'order' },
  { type: 'file', name: 'files' },
  { type: 'github', name: 'hub' },
]
const passwords: Record<string, string> = { clock: 'SecretOfMine', theirs: 'SecretOfTheirs' }

/** Whoever gives no login may do everything: the fixture, and whoever looks. */
async function usersConf(): Promise<string> {
  const uses = await busUses(entries)
  const users = [mine, theirs].map((source) =>
    natsUserText(source, natsPermissions(source, uses)).replace(/"<of [^>]*>"/, `"${passwords[source.name]}"`),
  )
  return `authorization { users: [\n{ user: admin, password: "all" }\n${users.join('\n')}\n] }\nno_auth_user: admin`
}

const started = async (t: TestContext, nodes: number): Promise<NatsFixture> => {
  const fixture = await jetStreamFor(t, { nodes, config: await usersConf() })
  return fixture
}

const login = (source: typeof mine) => ({ user: `default/${source.name}`, pass: passwords[source.name]! })

const openAs = (fixture: NatsFixture, source: typeof mine) =>
  fixture.open({ credentials: async () => login(source), inbox: inboxOf(source) })

const dialAs = async (t: TestContext, fixture: NatsFixture, source: typeof mine): Promise<NatsConnection> => {
  const nc = await connect({ servers: fixture.urls, inboxPrefix: inboxOf(source), ...login(source) })
  t.after(() => nc.close())
  return nc
}

for (const nodes of [1, 3])
  suite(`a user of one EventSource, ${nodes === 1 ? 'one server' : 'a cluster of three'}`, {
    skip: without('nats-server', natsBinary('newest')),
    timeout: 180_000,
  }, () => {
    if (nodes === 1 || FULL)
      test('two Pods of it serve a calendar, a webhook and a directory, through kill -9 of the leader; nothing is refused', async (t) => {
        const fixture = await started(t, nodes)
        const directory = mkdtempSync(join(tmpdir(), 'vedette-watched-'))
        t.after(() => rmSync(directory, { recursive: true, force: true }))
        mkdirSync(directory, { recursive: true })
        const object = (port: number) =>
          objectOf(mine.name, {
            replicas: 2,
            calendar: { tick: { schedule: '', interval: '1000ms' } },
            webhook: { order: { endpoint: '/orders', method: 'POST', port: String(port), url: '' } },
            file: { files: { eventType: 'CREATE', watchPathConfig: { directory, pathRegexp: '.*' }, polling: true } },
          })
        const secret = { name: 'x', key: 'y' }
        const pods = await startPods(t, ['mine-a', 'mine-b'], {
          object,
          bus: {
            jetstream: {
              url: fixture.urls.join(','),
              accessSecret: secret,
              streamConfig: `duplicates: 300s\nmaxmsgs: 50000\nreplicas: ${nodes}\n`,
            },
          },
          files: { 'etc/eventbus/auth/auth.yaml': `username: default/${mine.name}\npassword: ${passwords[mine.name]}` },
        })
        await allReady(pods, 60_000)
        const crowds = pods.map(({ port, name }) =>
          startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 1, pauseMs: 20, name }),
        )
        const { bus } = await fixture.open()
        const idsTold = async () => (await linesOf(bus, mine.name, 'files')).map(({ event }) => event.id)
        const told = async () => (await idsTold()).length
        // What is there when it begins is not told.
        await anyLeader(pods)
        let probes = 0
        await until(
          'the directory is watched',
          async () => {
            writeFileSync(join(directory, `probe-${probes++}`), 'x')
            return (await told()) > 0
          },
          30_000,
        )
        const first = await written(directory, 'first', told)
        await new Promise((resolve) => setTimeout(resolve, 1_200))
        const leader = await anyLeader(pods)
        leader.child.kill('SIGKILL')
        const killedMs = performance.now()
        await leader.exited()
        await anyLeader(pods.filter((pod) => pod !== leader))
        const gapMs = performance.now() - killedMs
        leader.restart()
        assert.equal(await written(directory, 'then', told), first + FILES)
        await allReady(pods, 60_000)
        const ids = await idsTold()
        assert.equal(new Set(ids).size, ids.length)
        await Promise.all(crowds.map((crowd) => crowd.stop()))
        const ticks = assertEveryTickOnce(await linesOf(bus, mine.name, 'tick'))
        const acknowledged = crowds.flatMap((crowd) => crowd.acknowledged)
        assertAcknowledgedOnce(await linesOf(bus, mine.name, 'order'), acknowledged)
        const refused = pods
          .flatMap((pod) => pod.log())
          .filter((line) => /violation|refuses/i.test(JSON.stringify(line)))
        assert.deepEqual(refused, [])
        assert.ok(ticks >= 2 && acknowledged.length > 10)
        t.diagnostic(`${ticks} ticks, ${acknowledged.length} requests, next leader after ${gapMs.toFixed(0)} ms`)
      })

    test('the bus under it: claims, batches, large positions, snapshots, tails, hooks', async (t) => {
      const fixture = await started(t, nodes)
      // Once with more rights: the stream is made, here as by whoever may.
      await fixture.open()
      const { bus } = await openAs(fixture, mine)
      const fence = await bus.claim(mine, claimOf('r-0'))
      const batch = ['a', 'b', 'c'].map((id, i) => event(id, { entry: 'tick', position: i }))
      assert.deepEqual(kinds(await bus.appendFenced(fence, batch)), ['stored', 'stored', 'stored'])
      assert.deepEqual(kinds(await bus.append(mine, [event('d', { entry: 'order' })])), ['stored'])
      const large = { entry: 'files', position: 'x'.repeat(bus.maxEventBytes + 10) }
      assert.deepEqual(kinds(await bus.appendFenced(fence, [large])), ['stored'])
      for (let i = 0; i < 20; i++)
        assert.equal((await bus.saveSnapshot(fence, 'files', Buffer.alloc(2_000_000, i))).outcome, 'stored')
      assert.equal((await bus.loadSnapshot(mine, 'files'))!.at(-1), 19)
      // By hand, so that the claim has to look closer.
      await (await openAs(fixture, mine)).bus.append(mine, [event('e', { entry: 'tick' })])
      const next = await bus.claim(mine, claimOf('r-1'))
      assert.deepEqual([next.positions.get('tick'), next.positions.get('files')], [2, large.position])
      assert.deepEqual(kinds(await bus.appendFenced(fence, [event('f', { entry: 'tick' })])), ['fenced'])
      assert.deepEqual(
        (await bus.tail(mine, 'tick', 2)).map(({ id }) => id),
        ['c', 'e'],
      )
      assert.deepEqual(await bus.others(mine, 'tick', 5), [])
      assert.equal((await bus.state()).lastSeq > 0, true)
      const keys = keysOf(mine, 'hub')
      const stored = await withLease(
        { kv: bus.kv, key: keys.lease, holder: 'r', clock },
        AbortSignal.timeout(5_000),
        async () => writeRecords(bus.kv, keys.records, await readRecords(bus.kv, keys.records)),
      )
      assert.equal((await readRecords(bus.kv, keys.records)).records.salt, stored.records.salt)
      for (const key of Object.values(keys)) await bus.kv.delete(key)
    })

    test('what it may not: everything of others, and what would undo the stream; what it can still read is what the docs say', async (t) => {
      const fixture = await started(t, nodes)
      const { bus } = await fixture.open()
      await bus.append(theirs, [event('a', { entry: 'order' })])
      const nc = await dialAs(t, fixture, mine)
      const refused = async (subject: string, data = '{}') =>
        await assert.rejects(nc.request(subject, data, { timeout: 2_000 }), /permissions violation/i, subject)
      for (const subject of [
        ...[
          'default.theirs.order',
          'default.theirs.$term-default',
          'default.clock.$term-other',
          'default.clock.unknown',
        ],
        ...[
          '$KV.vedette-leases.default/theirs',
          '$KV.vedette.hooks/default/theirs/hub/records',
          '$KV.vedette.positions/default/theirs.x.0',
        ],
        ...['vedette.alive.default/theirs.r-0', 'vedette.lease.default/theirs', `${inboxOf(theirs)}.x.1`, '_INBOX.x.1'],
        ...['graft.default-eventsource-theirs.heartbeat', 'graft.default-eventsource-clock.heartbeat'],
        ...[
          'STREAM.PURGE.default',
          'STREAM.DELETE.default',
          'STREAM.UPDATE.default',
          'STREAM.MSG.DELETE.default',
          'STREAM.SNAPSHOT.default',
        ].map(api),
        ...['STREAM.PURGE.KV_vedette', 'STREAM.DELETE.KV_vedette-leases', 'STREAM.CREATE.other', 'STREAM.LIST'].map(
          api,
        ),
        ...[
          'CONSUMER.CREATE.default',
          'CONSUMER.CREATE.default.x.default.theirs.order',
          'CONSUMER.MSG.NEXT.default.group',
          'CONSUMER.DELETE.default.group',
          'CONSUMER.LIST.default',
        ].map(api),
        'DIRECT.GET.default.default.theirs.order',
      ])
        await refused(subject.startsWith('DIRECT') ? api(subject) : subject)
      for (const subject of [
        '>',
        'default.theirs.*',
        'default.>',
        '_INBOX.>',
        `${inboxOf(theirs)}.>`,
        '$KV.>',
        'vedette.>',
        'graft.>',
      ]) {
        const error = await new Promise<Error | null>((resolve) => {
          nc.subscribe(subject, { callback: (error) => resolve(error) })
          setTimeout(resolve, 2_000, null)
        })
        assert.match(String(error), /permissions violation/i, subject)
      }
      // The API gives messages by stream, not by subject.
      const jsm = await jetstreamManager(nc, { checkAPI: false })
      const read = await jsm.streams.getMessage('default', { last_by_subj: 'default.theirs.order' })
      assert.equal(read!.header.get('Nats-Msg-Id'), 'a')
      const { config } = await jsm.streams.info('default')
      await assert.rejects(jsm.streams.add({ ...config, max_msgs: 1 }), /already in use/)
    })
  })

/** More at once than a position holds, so that they go by a snapshot. @returns how many files have been told of by then */
async function written(directory: string, name: string, told: () => Promise<number>): Promise<number> {
  const before = await settled(told)
  for (let i = 0; i < FILES; i++) writeFileSync(join(directory, `${name}-${i}`), 'x')
  await until(`the files ${name}-… are told`, async () => (await told()) >= before + FILES, 30_000)
  return await settled(told)
}

/** The number once it has been the same for a second. */
async function settled(number: () => Promise<number>): Promise<number> {
  let [last, sinceMs] = [-1, 0]
  await until('nothing more is told', async () => {
    const now = await number()
    if (now !== last) [last, sinceMs] = [now, performance.now()]
    return performance.now() - sinceMs > 1_000
  })
  return last
}

const FILES = 60
const api = (name: string): string => `$JS.API.${name}`
