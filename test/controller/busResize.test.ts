/**
 * What real nats-servers do with a native bus's configuration when the number of servers changes, and that a bus of five becomes one of three and of
 * one under load without a loss.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { openJetStream } from '../../src/bus/jetstream/bus.ts'
import { connectNats } from '../../src/clients/nats.ts'
import { authConf, DATA_DIR, natsConf, PID_FILE } from '../../src/controller/eventBus/natsConf.ts'
import { type Held, lossOf } from '../../src/controller/eventBus/resize.ts'
import { readServer } from '../../src/controller/serverHolds.ts'
import { systemClock as clock } from '../../src/core/clock.ts'
import { silentLogger as log } from '../../src/core/log.ts'
import { event, readAll, until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { answers, freePorts, type ServerProcess, startProcess } from '../servers/process.ts'
import { type Ask, shrinkStep } from './shrink.ts'

const MOST = 5
const server = (ordinal: number) => `eventbus-default-js-${ordinal}`
const source = { namespace: 'shop', name: 'orders' }

/** Servers as the Pods of a native bus, without its encryption of connections. */
async function servers(t: TestContext, line: 'newest' | 'debian') {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-resize-'))
  const ports = await freePorts(3 * MOST)
  const [client, cluster, monitor] = [0, MOST, 2 * MOST].map((at) => (i: number) => ports[at + i]!) as [
    (i: number) => number,
    (i: number) => number,
    (i: number) => number,
  ]
  const running = new Map<number, ServerProcess>()
  t.after(async () => {
    await Promise.all([...running.values()].map((one) => one.kill()))
    rmSync(dir, { recursive: true, force: true })
  })
  const plain = (text: string) => text.replaceAll(/^ *tls \{[^}]*\}\n?/gm, '')
  const write = (i: number, count: number) => {
    const here = join(dir, `${i}`)
    mkdirSync(here, { recursive: true })
    const hosts = Array.from({ length: count }, (_, each) => `host-${each}`)
    const encryption = { kind: line === 'newest' ? 'key' : 'constant' } as const
    const syncs = line === 'newest'
    const settings = 'max_file_store: 1GB'
    let text = natsConf({ cluster: 'default', hosts, maxPayload: '1MB', settings, encryption, syncs })
    for (let each = 0; each < count; each++) text = text.replace(`host-${each}:6222`, `127.0.0.1:${cluster(each)}`)
    text = plain(text)
      .replace('port: 4222', `listen: "127.0.0.1:${client(i)}"`)
      .replace('http: 8222', `http: "127.0.0.1:${monitor(i)}"`)
      .replace('port: 6222', `listen: "127.0.0.1:${cluster(i)}"`)
      .replace(PID_FILE, join(here, 'pid'))
      .replace(DATA_DIR, here)
    // Which the old one does not know.
    writeFileSync(join(here, 'nats.conf'), text)
    writeFileSync(join(here, 'auth.conf'), plain(authConf('user', 'word', 'system')))
    return join(here, 'nats.conf')
  }
  return {
    url: (i: number) => `nats://127.0.0.1:${client(i)}`,
    holds: (i: number) => readServer(clock, monitor(i))('127.0.0.1'),
    async start(i: number, count: number) {
      const env = { POD_NAME: server(i), JS_KEY: 'k'.repeat(32), CLUSTER_ADVERTISE: `127.0.0.1:${cluster(i)}` }
      const config = write(i, count)
      const started = await startProcess(natsBinary(line)!, ['-c', config], {
        env,
        ready: () => answers(client(i), '', () => true),
      })
      running.set(i, started)
    },
    /** As the reloader: its configuration has another number of servers. */
    reload(i: number, count: number) {
      write(i, count)
      process.kill(running.get(i)!.pid, 'SIGHUP')
    },
    async stop(i: number) {
      await running.get(i)!.stop()
      running.delete(i)
    },
  }
}

type Servers = Awaited<ReturnType<typeof servers>>

async function asks(t: TestContext, url: string, user: string, pass: string): Promise<Ask> {
  const nc = await connect({ servers: url, user, pass, maxReconnectAttempts: -1 })
  t.after(() => nc.close())
  return async (subject, body) => {
    const answer = await nc.request(subject, JSON.stringify(body), { timeout: 5_000 })
    return answer.json()
  }
}

function openBus(t: TestContext, all: Servers, count: number, streamConfig: string) {
  const urls = Array.from({ length: count }, (_, i) => all.url(i))
  const credentials = async () => ({ user: 'user', pass: 'word' })
  const client = connectNats({ servers: urls, name: 'test', credentials, clock, log })
  const bus = openJetStream({ client, streamConfig, clock, log })
  t.after(() => bus.close())
  return bus
}

/** Writes without an end, each event until it is stored. */
function load(t: TestContext, bus: ReturnType<typeof openBus>) {
  const stored = new Set<string>()
  let going = true
  const worker = async (name: number) => {
    for (let i = 0; going; i++) {
      const id = `${name}-${i}`
      while (going) {
        const [outcome] = await bus.append(source, [event(id)])
        if (outcome!.outcome === 'stored' || outcome!.outcome === 'duplicate') {
          stored.add(id)
          break
        }
        await clock.sleep(50)
      }
      await clock.sleep(5)
    }
  }
  const over = Promise.all([0, 1, 2, 3].map(worker))
  t.after(() => {
    going = false
  })
  return {
    stored,
    async end() {
      going = false
      await over
    },
  }
}

const skip = without('nats-server', natsBinary('newest'))

suite('the number of servers of a native bus', { skip, timeout: 240_000 }, () => {
  for (const line of ['newest', 'debian'] as const) {
    test(`a lone ${line} server that joins a cluster loses its streams: so it is refused`, {
      skip: without('nats-server', natsBinary(line)),
    }, async (t) => {
      const all = await servers(t, line)
      await all.start(0, 1)
      const refusal = async () => lossOf({ from: 1, to: 3, persistent: true, server, held: [await all.holds(0)] })
      assert.equal(await refusal(), null)
      const bus = openBus(t, all, 1, 'replicas: 1')
      await until('the bus is there', () => bus.status().connected)
      assert.equal((await bus.append(source, [event('a')]))[0]!.outcome, 'stored')
      assert.match((await refusal())!, /a lone nats-server that joins a cluster loses what it holds/)
      assert.match((await refusal())!, /"default"/)
      await bus.close()
      // And that this is true.
      await all.stop(0)
      await Promise.all([0, 1, 2].map((i) => all.start(i, 3)))
      const nc = await connect({ servers: all.url(0), user: 'user', pass: 'word' })
      const jsm = await jetstreamManager(nc, { checkAPI: false })
      await until(
        'the cluster answers',
        () =>
          jsm.streams
            .names()
            .next()
            .then(
              (found) => found.length === 0,
              () => false,
            ),
        30_000,
      )
      await assert.rejects(jsm.streams.info('default'), /stream not found/i)
      await nc.close()
    })
  }
  test('three, five, three and one, under load: nothing is lost, and nothing goes that is still held', async (t) => {
    const all = await servers(t, 'newest')
    await Promise.all([0, 1, 2].map((i) => all.start(i, 3)))
    const bus = openBus(t, all, 3, 'replicas: 3')
    await until('the bus is there', () => bus.status().connected, 60_000)
    const going = load(t, bus)
    const asUser = await asks(t, all.url(0), 'user', 'word')
    const asSystem = await asks(t, all.url(0), 'sys', 'system')
    await asUser('$JS.API.CONSUMER.DURABLE.CREATE.default.sensor', {
      stream_name: 'default',
      config: { durable_name: 'sensor', ack_policy: 'explicit', deliver_policy: 'all' },
    })
    const held = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => all.holds(i)))
    const loss = async (from: number, to: number) =>
      lossOf({ from, to, persistent: true, server, held: await held(from) })
    const enough = (count: number) => until('events go on', () => going.stored.size >= count, 60_000)

    await enough(100)
    for (const i of [0, 1, 2]) all.reload(i, 5)
    await Promise.all([3, 4].map((i) => all.start(i, 5)))
    await until('five are members', async () => ((await all.holds(4)) as Held).members === 5, 30_000)
    await enough(going.stored.size + 100)
    // A stream on all five: it must come off two of them.
    const make = async (name: string, num_replicas: number) => {
      let last: unknown
      await until(`the stream ${name}`, async () => {
        last = await asUser(`$JS.API.STREAM.CREATE.${name}`, { name, subjects: [name], num_replicas, storage: 'file' })
        return (last as { error?: unknown }).error === undefined
      }).catch((error) => assert.fail(`${error.message} ${JSON.stringify(last)}`))
    }
    await make('all', 5)
    await make('single', 1)
    const stored = (subject: string) =>
      asUser(subject, {}).then(
        ({ seq }) => seq !== undefined,
        () => false,
      )
    for (let i = 0; i < 20; i++) for (const subject of ['all', 'single']) await until(subject, () => stored(subject))
    assert.match((await loss(5, 3))!, /would go and still holds the stream/)

    const shrink = async (from: number, to: number) => {
      await until(
        `${from} become ${to}`,
        async () => {
          const holdings = (await held(from)) as Held[]
          const isRemoved = (ordinal: number) => holdings[ordinal]!.removed === true
          const waits = await shrinkStep({ asUser, asSystem, from, to, server, isRemoved }).catch(String)
          if (waits === null) return true
          await clock.sleep(200)
          return false
        },
        90_000,
      )
      await until('nothing would be lost', async () => (await loss(from, to)) === null, 30_000)
    }
    await shrink(5, 3)
    for (const i of [3, 4]) await all.stop(i)
    for (const i of [0, 1, 2]) all.reload(i, 3)
    await enough(going.stored.size + 100)

    assert.match((await loss(3, 1))!, /would go and still holds the stream/)
    await shrink(3, 1)
    await enough(going.stored.size + 100)
    await Promise.all([0, 1, 2].map((i) => all.stop(i)))
    await all.start(0, 1)
    await enough(going.stored.size + 100)
    await going.end()
    const found = new Set((await readAll(bus, { namespace: source.namespace })).map(({ id }) => id))
    assert.deepEqual(
      [...going.stored].filter((id) => !found.has(id)),
      [],
    )
    const alone = (await all.holds(0)) as Held
    assert.deepEqual(alone.streams.map(({ name, copies }) => `${name} ${copies}`).sort(), [
      'KV_vedette 1',
      'KV_vedette-leases 1',
      'all 1',
      'default 1',
      'single 1',
    ])
    const after = await asks(t, all.url(0), 'user', 'word')
    for (const name of ['all', 'single'])
      assert.equal(((await after(`$JS.API.STREAM.INFO.${name}`, {})) as any).state.messages >= 20, true)
    assert.equal(((await after('$JS.API.CONSUMER.INFO.default.sensor', {})) as any).name, 'sensor')
    t.diagnostic(`${going.stored.size} events acknowledged`)
  })
})
