/** MQTT against Mosquitto: payloads, sessions, every error, lost connections. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { mosquittoBinary, startMosquitto } from '../../test/servers/mosquitto.ts'
import { freePorts } from '../../test/servers/process.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import { fail } from '../core/errors.ts'
import mqtt from './mqtt.ts'

const skip = without('mosquitto', mosquittoBinary())
const valid = { url: 'tcp://h:1883', topic: 't', clientId: 'c' }

test('what cannot work is found before anything connects, with a remedy', () => {
  for (const [more, path] of [
    [{ url: 'http://h' }, 'url'],
    [{ url: 'tcp://h:port' }, 'url'],
    [{ topic: 'a/#/b' }, 'topic'],
    [{ topic: 'a/b+' }, 'topic'],
    [{ topic: '$share/g/t', qos: 1 }, 'topic'],
  ] as const) {
    const findings = mqtt.validate!(mqtt.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.fatal, one.remedy !== undefined]),
      [[path, true, true]],
    )
  }
  for (const topic of ['a/+/b/#', '+', '#', '/'])
    assert.deepEqual(mqtt.validate!(mqtt.spec.parse({ ...valid, topic })), [])
  assert.equal(mqtt.guaranteeOf!(mqtt.spec.parse({ ...valid, qos: 2 })), 'at-least-once')
  assert.equal(mqtt.guaranteeOf!(mqtt.spec.parse(valid)), 'hot-standby')
  for (const topic of ['$share/g/t', '$queue/t', '$exclusive/t', '$share:g:t', '#share/g/t'])
    assert.equal(mqtt.guaranteeOf!(mqtt.spec.parse({ ...valid, topic })), 'at-most-once', topic)
})

async function started(t: TestContext, config?: string) {
  const server = await startMosquitto(config === undefined ? {} : { config })
  t.after(() => server.close())
  return server
}
async function sender(t: TestContext, url: string) {
  const client = await connectAsync(url)
  t.after(() => void client.end(true))
  return client
}
function serve(t: TestContext, spec: object, secrets: Record<string, string> = {}): Harness<unknown> {
  const harness: Harness<unknown> = serveInHarness(mqtt, { ...valid, ...spec }, { secrets })
  t.after(() => harness.stop())
  return harness
}
const subscribed = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.includes(null), 15_000)

test('payload as Argo Events: base64 or JSON; no JSON is skipped; what is retained has an id', { skip }, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  await client.publishAsync('t', '"kept"', { retain: true })
  const plain = serve(t, { url, metadata: { k: 'v' } })
  const json = serve(t, { url, clientId: 'd', jsonBody: true })
  await Promise.all([subscribed(plain), subscribed(json)])
  await plain.until(({ emitted }) => emitted.length === 1)
  await json.until(({ emitted }) => emitted.length === 1)
  await client.publishAsync('t', Buffer.from([0xff, 0]))
  await client.publishAsync('t', '{ "a": 1 }')
  await plain.until(({ emitted }) => emitted.length === 3)
  await json.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1)
  assert.equal(plain.emitted[1]!.text, '{"topic":"t","messageId":0,"body":"/wA=","metadata":{"k":"v"}}')
  assert.equal(json.emitted[1]!.text, '{"topic":"t","messageId":0,"body":{"a":1}}')
  assert.match(json.emitted[0]!.id!, /^retained:[0-9a-f]{64}$/)
  assert.equal(json.emitted[0]!.id, plain.emitted[0]!.id)
  assert.equal(json.emitted[1]!.id, undefined)
})

test('QoS 1: nothing is acknowledged that the bus does not have; the next one gets it, and what came meanwhile, in order', {
  skip,
}, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  const spec = { url, qos: 1, jsonBody: true }
  const first = serve(t, spec)
  await subscribed(first)
  await client.publishAsync('t', '0', { qos: 1 })
  await first.until(({ emitted }) => emitted.length === 1)
  first.failWith = fail('FENCED', 'term 2 rules')
  for (const n of [1, 2, 3]) await client.publishAsync('t', String(n), { qos: 1 })
  assert.equal((await endOf(first)).code, 'FENCED')
  await client.publishAsync('t', '4', { qos: 2 })
  const next = serve(t, spec)
  await next.until(({ emitted }) => emitted.length >= 4, 15_000)
  assert.deepEqual(
    next.emitted.map(({ text }) => JSON.parse(text).body),
    [1, 2, 3, 4],
  )
})

test('QoS 1: many are published side by side, and acknowledged in their order', { skip }, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  const harness = serve(t, { url, qos: 1, jsonBody: true })
  const { emit } = harness.context
  let open = 0
  let most = 0
  harness.context.emit = async (event) => {
    most = Math.max(most, ++open)
    await harness.context.clock.sleep(Math.random() * 20)
    open--
    return await emit(event)
  }
  await subscribed(harness)
  await Promise.all(Array.from({ length: 100 }, (_, n) => client.publishAsync('t', String(n), { qos: 1 })))
  await harness.until(({ emitted }) => emitted.length === 100, 15_000)
  assert.ok(most > 5, `${most} at a time`)
  await harness.stop()
  const after = serve(t, { url, qos: 1, jsonBody: true })
  await subscribed(after)
  await client.publishAsync('t', '"last"', { qos: 1 })
  await after.until(({ emitted }) => emitted.length === 1)
  assert.equal(JSON.parse(after.emitted[0]!.text).body, 'last', 'all before it were acknowledged')
})

test('a filter that is gone is unsubscribed, and what the broker kept for it is no event', { skip }, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  const before = serve(t, { url, topic: 'old/+', qos: 1, jsonBody: true })
  await subscribed(before)
  const { snapshot } = before
  await before.stop()
  await client.publishAsync('old/a', '1', { qos: 1 })
  const changed: Harness<unknown> = serveInHarness(
    mqtt,
    { ...valid, url, topic: 'new/#', qos: 1, jsonBody: true },
    { snapshot },
  )
  t.after(() => changed.stop())
  await changed.until(({ skipped }) => skipped.length === 1, 15_000)
  assert.match(
    changed.skipped[0]!,
    /^a message of topic old\/a: .*session c is subscribed to more than the topic new\/#/,
  )
  await subscribed(changed)
  await client.publishAsync('old/a', '2', { qos: 1 })
  await client.publishAsync('new', '3', { qos: 1 })
  await changed.until(({ emitted }) => emitted.length === 1)
  assert.equal(JSON.parse(changed.emitted[0]!.text).body, 3)
  assert.equal(changed.skipped.length, 1, 'the broker sends it no more')
  await changed.stop()
  // All was acknowledged, also what was no event.
  const after = serve(t, { url, topic: 'new/#', qos: 1, jsonBody: true })
  await subscribed(after)
  await client.publishAsync('new/b', '4', { qos: 1 })
  await after.until(({ emitted }) => emitted.length === 1)
  assert.equal(JSON.parse(after.emitted[0]!.text).body, 4)
  assert.deepEqual(after.skipped, [])
})

test('a session whose filters nobody remembers gives the entry only what it asked for', { skip }, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  const before = serve(t, { url, topic: 'old', qos: 1, jsonBody: true })
  await subscribed(before)
  await before.stop()
  const changed = serve(t, { url, topic: 'new', qos: 1, jsonBody: true })
  await subscribed(changed)
  await client.publishAsync('old', '1', { qos: 1 })
  await client.publishAsync('new', '2', { qos: 1 })
  await changed.until(({ emitted, skipped }) => emitted.length === 1 && skipped.length === 1)
  assert.equal(JSON.parse(changed.emitted[0]!.text).body, 2)
})

test('the session ends with the entry, unless it is to stay; with QoS 0 there is none', { skip }, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  for (const [more, kept] of [
    [{ clientId: 'ends' }, []],
    [{ clientId: 'stays', deleteSessionOnFinish: false }, [1]],
  ] as const) {
    const spec = { url, qos: 1, jsonBody: true, ...more }
    const served = serve(t, spec)
    await subscribed(served)
    await served.stop()
    await mqtt.remove!({ ...served.context, signal: AbortSignal.timeout(10_000) })
    await client.publishAsync('t', '1', { qos: 1 })
    const again = serve(t, spec)
    await subscribed(again)
    await client.publishAsync('t', '2', { qos: 1 })
    await again.until(({ emitted }) => emitted.some(({ text }) => JSON.parse(text).body === 2))
    assert.deepEqual(
      again.emitted.map(({ text }) => JSON.parse(text).body),
      [...kept, 2],
    )
    await again.stop()
  }
  const removes = (more: object) => mqtt.removes!(mqtt.spec.parse({ ...valid, ...more }))
  assert.deepEqual([{}, { qos: 1 }, { qos: 2 }, { qos: 1, deleteSessionOnFinish: false }].map(removes), [
    false,
    true,
    true,
    false,
  ])
})

test('a session that somebody else takes over is told from a broker that goes down', { skip }, async (t) => {
  const server = await started(t)
  const { url } = server
  const served = serve(t, { url, qos: 1 })
  await subscribed(served)
  const other = await connectAsync(url, { clientId: 'c', reconnectPeriod: 0 })
  t.after(() => void other.end(true))
  assert.match((await endOf(served)).message, /another client with this clientId has connected \(c\)/)
  const second = serve(t, { url, qos: 1, clientId: 'd' })
  await subscribed(second)
  await server.server.kill()
  assert.doesNotMatch((await endOf(second)).message, /another client/)
})

test('a shared subscription: the leader alone is subscribed, and hands over what it got before it ends', {
  skip,
}, async (t) => {
  const { url } = await started(t)
  const client = await sender(t, url)
  const spec = { url, topic: '$share/g/sh/+', jsonBody: true }
  const standby: Harness<unknown> = serveInHarness(mqtt, { ...valid, ...spec }, { prepareOnly: true })
  t.after(() => standby.stop())
  const leader = serve(t, spec)
  await Promise.all([subscribed(standby), subscribed(leader)])
  for (let n = 0; n < 30; n++) await client.publishAsync(`sh/${n}`, String(n))
  await leader.until(({ emitted }) => emitted.length === 30)
  leader.failWith = fail('FENCED', 'term 2 rules')
  await client.publishAsync('sh/x', '31')
  assert.equal((await endOf(leader)).code, 'FENCED')
})

test('what is wrong is said: nobody there, no such host, no and a wrong password, no TLS, a connection that is cut', {
  skip,
}, async (t) => {
  const { port } = await started(t, 'allow_anonymous false')
  const [free] = (await freePorts(1)) as [number]
  const auth = { username: { name: 's', key: 'u' }, password: { name: 's', key: 'p' } }
  for (const qos of [0, 1]) {
    for (const [spec, secrets, words] of [
      [{ url: `tcp://127.0.0.1:${free}` }, {}, /TCP: 127\.0\.0\.1:\d+: nothing listens there/],
      [{ url: 'mqtt://no-such-host.invalid:1883' }, {}, /DNS: the host of no-such-host\.invalid:1883/],
      [{ url: `tcp://127.0.0.1:${port}` }, {}, /authentication: .*refuses/],
      [{ url: `tcp://127.0.0.1:${port}`, auth }, { 's/u': 'a', 's/p': 'hidden' }, /authentication: .*refuses/],
      [{ url: `tcp://127.0.0.1:${port}`, auth }, { 's/u': 'a' }, /password not found/],
      [{ url: `ssl://127.0.0.1:${port}` }, {}, /TLS: |TCP: |closed/],
    ] as const) {
      const error = await endOf(serve(t, { ...spec, qos }, secrets))
      assert.match(error.message, words)
      assert.doesNotMatch(error.message, /hidden/)
    }
  }
  const open = await started(t)
  const proxy = await startProxy(open.port)
  t.after(() => proxy.close())
  const cut = serve(t, { url: `tcp://127.0.0.1:${proxy.port}` })
  await subscribed(cut)
  proxy.cut()
  assert.match((await endOf(cut)).message, /TCP|closed/)
})
