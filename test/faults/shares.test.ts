/**
 * What origins give to one taker only, and what they keep for us: as `vedette run` has it with three replicas, whose file is edited. The origin is asked
 * what it has in the end.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { suite, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { connect as connectNats } from '@nats-io/transport-node'
import { connect as connectAmqp } from 'amqplib'
import { connect, connectAsync } from 'mqtt'
import { without } from '../servers/cache.ts'
import { startFakeEmitter } from '../servers/fakes/emitter.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { dataOf, everyoneBack, type Rig, startRig, waitFor } from './rig.ts'

const vedette = new URL('../../vedette', import.meta.url).pathname

/** `{ mqtt: { entry: { … } } }` as a manifest; flow style is YAML too. */
const source = (spec: object, name = 'shares') =>
  JSON.stringify({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata: { name },
    spec: { replicas: 3, ...spec },
  })
const file = (...specs: string[]) => specs.map((one) => `---\n${one}\n`).join('')

async function started(t: TestContext, yaml: string): Promise<Rig> {
  const rig = await startRig(() => yaml)
  t.after(() => rig.close(t))
  await everyoneBack(rig)
  return rig
}
const bodiesOf = async (rig: Rig, entry?: string) =>
  (await rig.lines())
    .filter(({ event }) => entry === undefined || event.subject === entry)
    .map((line) => dataOf(line).body)
const entryOf = async (rig: Rig, name: string) =>
  (await rig.status()).eventSources.flatMap(({ entries }) => entries).find((entry) => entry.name === name)
const served = (rig: Rig, name: string) =>
  waitFor(async () => {
    const entry = await entryOf(rig, name)
    return entry !== undefined && entry.leader !== null && entry.serving > 0 && entry.error === null
  }, 20_000)
const sorted = (bodies: unknown[]) => bodies.map(Number).sort((a, b) => a - b)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Sends thirty, and all of them are events: no standby has taken any. */
async function assertLeaderTakesAll(rig: Rig, send: (n: number) => Promise<unknown>): Promise<void> {
  for (const n of upTo(30)) await send(n)
  await waitFor(async () => (await entryOf(rig, 'e'))?.published === 30, 15_000).catch(() => {})
  assert.deepEqual(sorted(await bodiesOf(rig)), upTo(30))
}

suite('MQTT', { skip: without('mosquitto', mosquittoBinary()), timeout: 180_000 }, () => {
  const broker = async (t: TestContext) => {
    const server = await startMosquitto()
    t.after(() => server.close())
    const client = await connectAsync(server.url)
    t.after(() => void client.end(true))
    const visit = async (clientId: string, clean: boolean): Promise<boolean> => {
      const probe = connect(server.url, { clientId, clean, reconnectPeriod: 0 })
      const { sessionPresent } = await new Promise<{ sessionPresent: boolean }>((resolve) =>
        probe.once('connect', resolve),
      )
      await probe.endAsync()
      return sessionPresent
    }
    /** Whether the broker has a session of this id; asking leaves none behind. */
    const hasSession = async (clientId: string) => (await visit(clientId, false)) || (await visit(clientId, true))
    return { server, client, hasSession }
  }
  const entry = (url: string, more: object = {}) => ({
    url,
    topic: 't',
    clientId: 'ours',
    jsonBody: true,
    qos: 1,
    ...more,
  })

  test('a shared subscription of QoS 0: the leader takes all', async (t) => {
    const { server, client } = await broker(t)
    const rig = await started(t, source({ mqtt: { e: entry(server.url, { topic: '$share/grp/sh/+', qos: 0 }) } }))
    await served(rig, 'e')
    await assertLeaderTakesAll(rig, (n) => client.publishAsync(`sh/${n}`, `${n}`, { qos: 1 }))
    const leader = (await rig.leader('shares'))!
    process.kill(leader.pid, 'SIGKILL')
    await waitFor(async () => ((await rig.leader('shares'))?.term ?? 0) > leader.term, 15_000)
    await served(rig, 'e')
    await client.publishAsync('sh/x', '30', { qos: 1 })
    await waitFor(async () => sorted(await bodiesOf(rig)).at(-1) === 30, 15_000)
  })

  test('edits: another topic, another client id, another name of the entry, another QoS, and none', async (t) => {
    const { server, client, hasSession } = await broker(t)
    const { url } = server
    const rig = await started(t, source({ mqtt: { e: entry(url) } }))
    await served(rig, 'e')
    const send = (topic: string, text: string) => client.publishAsync(topic, text, { qos: 1 })
    const edited = async (spec: object, ready: () => Promise<unknown>) => {
      rig.write(source(spec))
      await ready()
    }
    const has = async (text: string) => (await bodiesOf(rig)).includes(text)
    const told = (topic: string, text: string) =>
      waitFor(
        async () => {
          await send(topic, JSON.stringify(text))
          return await has(text)
        },
        20_000,
        200,
      )

    await edited({ mqtt: { e: entry(url, { topic: 'new' }) } }, () => told('new', 'first of new'))
    await send('t', '"to the old topic"')
    await told('new', 'second of new')
    assert.equal(await has('to the old topic'), false)
    assert.equal((await entryOf(rig, 'e'))?.error, null, 'the broker does not even send it')

    // The session is that of another entry now, and stays.
    await edited({ mqtt: { renamed: entry(url, { topic: 'new' }) } }, () => served(rig, 'renamed'))
    for (const n of upTo(20)) await send('new', `"kept ${n}"`)
    for (const n of upTo(20)) await waitFor(() => has(`kept ${n}`), 20_000)

    await edited({ mqtt: { renamed: entry(url, { topic: 'new', clientId: 'other' }) } }, () =>
      told('new', 'to the other'),
    )
    await waitFor(async () => !(await hasSession('ours')), 20_000, 500)

    await edited({ mqtt: { renamed: entry(url, { topic: 'new', clientId: 'other', qos: 0 }) } }, () =>
      told('new', 'heard'),
    )
    await waitFor(async () => !(await hasSession('other')), 20_000, 500)

    await edited({ mqtt: { renamed: entry(url) } }, () => told('t', 'again'))
    await edited({ calendar: { tick: { interval: '1h' } } }, () => served(rig, 'tick'))
    await waitFor(async () => !(await hasSession('ours')), 20_000, 500)
  })

  test('two that have one client id: the second is told of, and not served; each event is of the first', async (t) => {
    const { server, client } = await broker(t)
    const one = source({ mqtt: { a: entry(server.url, { topic: 'a' }) } }, 'one')
    const two = source({ mqtt: { b: entry(server.url, { topic: 'b' }) } }, 'two')
    const rig = await started(t, file(one, two))
    await served(rig, 'a')
    const { stdout } = await promisify(execFile)(vedette, ['validate', rig.manifest])
    assert.match(
      stdout,
      /warning: spec\.mqtt\.b: the clientId "ours" at .* is also that of the event "a" of EventSource one/,
    )
    assert.match((await entryOf(rig, 'b'))?.error ?? '', /the clientId "ours"/)
    for (const n of upTo(20)) for (const topic of ['a', 'b']) await client.publishAsync(topic, `${n}`, { qos: 1 })
    await waitFor(async () => (await bodiesOf(rig, 'a')).length === 20, 15_000)
    assert.deepEqual(sorted(await bodiesOf(rig)), upTo(20))
  })

  test('somebody else with the client id: status says so, and goes on when they are gone', async (t) => {
    const { server, client } = await broker(t)
    const rig = await started(t, source({ mqtt: { e: entry(server.url) } }))
    await served(rig, 'e')
    const other = await connectAsync(server.url, { clientId: 'ours', reconnectPeriod: 50, clean: false })
    other.on('error', () => {})
    t.after(() => void other.end(true))
    await waitFor(async () =>
      /another client with this clientId has connected/.test((await entryOf(rig, 'e'))?.error ?? ''),
    )
    await other.endAsync(true)
    await served(rig, 'e')
    await client.publishAsync('t', '1', { qos: 1 })
    await waitFor(async () => (await bodiesOf(rig)).length >= 1, 15_000)
  })
})

test('a shared channel of Emitter: the leader takes all', { timeout: 60_000 }, async (t) => {
  const server = await startFakeEmitter({ keys: { key: 'orders' } })
  t.after(() => server.close())
  const client = await connectAsync(server.url)
  t.after(() => void client.end(true))
  const entry = { broker: server.url, channelName: '$share/g/orders', channelKey: 'key', jsonBody: true }
  const rig = await started(t, source({ emitter: { e: entry } }))
  await served(rig, 'e')
  await assertLeaderTakesAll(rig, (n) => client.publishAsync('key/orders/', `${n}`, { qos: 1 }))
  assert.equal(server.subscriptions(), 1)
})

test('a queue group of NATS: the leader takes all', {
  skip: without('nats-server', natsBinary('newest')),
  timeout: 60_000,
}, async (t) => {
  const server = await startNats()
  t.after(() => server.close())
  const url = `127.0.0.1:${server.servers[0]!.port}`
  const nc = await connectNats({ servers: url })
  t.after(() => nc.close())
  const rig = await started(t, source({ nats: { e: { url, subject: 's', queue: 'q', jsonBody: true } } }))
  await served(rig, 'e')
  await assertLeaderTakesAll(rig, async (n) => {
    nc.publish('s', `${n}`)
    await nc.flush()
  })
})

suite('AMQP', { skip: without('rabbitmq-server', rabbitmqBinary()), timeout: 240_000 }, () => {
  const broker = async (t: TestContext, plugins: string[] = []) => {
    const server = await startRabbitmq({ plugins })
    const model = await connectAmqp(server.url)
    t.after(async () => {
      await model.close().catch(() => {})
      await server.close()
    })
    return { server, model, channel: await model.createConfirmChannel() }
  }

  test('an exchange that shares: the leader takes all', async (t) => {
    const { server, channel } = await broker(t, ['rabbitmq_consistent_hash_exchange'])
    const entry = {
      url: server.url,
      exchangeName: 'shared',
      exchangeType: 'x-consistent-hash',
      routingKey: '1',
      jsonBody: true,
    }
    const rig = await started(t, source({ amqp: { e: entry } }))
    await served(rig, 'e')
    await assertLeaderTakesAll(rig, async (n) => {
      channel.publish('shared', `key ${n}`, Buffer.from(`${n}`))
      await channel.waitForConfirms()
    })
  })

  test('another routing key: the old binding goes; the queue goes with the entry where that is asked for', async (t) => {
    const { server, model, channel } = await broker(t)
    const send = async (key: string, text: string) => {
      channel.publish('x', key, Buffer.from(JSON.stringify(text)))
      await channel.waitForConfirms()
    }
    const entry = (routingKey: string) => ({
      url: server.url,
      exchangeName: 'x',
      exchangeType: 'direct',
      routingKey,
      queueDeclare: { name: 'q', durable: true },
      deleteQueueOnFinish: true,
      jsonBody: true,
    })
    const rig = await started(t, source({ amqp: { e: entry('old') } }))
    await served(rig, 'e')
    await send('old', 'one')
    await waitFor(async () => (await bodiesOf(rig)).length === 1, 15_000)
    rig.write(source({ amqp: { e: entry('new') } }))
    await waitFor(
      async () => {
        await send('new', 'two')
        return (await bodiesOf(rig)).includes('two')
      },
      20_000,
      200,
    )
    await send('old', 'none')
    await send('new', 'three')
    await waitFor(async () => (await bodiesOf(rig)).includes('three'), 15_000)
    assert.equal((await bodiesOf(rig)).includes('none'), false)
    rig.write(source({ calendar: { tick: { interval: '1h' } } }))
    await waitFor(
      async () => {
        const one = await model.createChannel()
        one.on('error', () => {})
        return await one.checkQueue('q').then(
          () => false,
          () => true,
        )
      },
      20_000,
      300,
    )
  })
})
