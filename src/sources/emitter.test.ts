/** Emitter against a broker that speaks as it does: payloads, keys, every error, lost connections. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { type FakeEmitterOptions, startFakeEmitter } from '../../test/servers/fakes/emitter.ts'
import { freePorts } from '../../test/servers/process.ts'
import emitter from './emitter.ts'

const valid = { broker: 'tcp://h:8080', channelName: 'orders', channelKey: 'hidden-key' }

test('what Argo Events refuses, and what cannot work, with a remedy', () => {
  for (const [more, path, severity, fatal] of [
    [{ broker: '' }, 'broker', 'error', undefined],
    [{ channelName: '' }, 'channelName', 'error', undefined],
    [{ channelKey: '' }, 'channelKey', 'error', undefined],
    [{ tls: {} }, 'tls', 'error', undefined],
    [{ broker: 'http://h' }, 'broker', 'warning', true],
    [{ broker: 'tcp://h:port' }, 'broker', 'warning', true],
    [{ channelName: '/' }, 'channelName', 'warning', true],
    [{ channelName: 'a/#/' }, 'channelName', 'warning', true],
    [{ channelKey: 'a/b' }, 'channelKey', 'warning', true],
    [{ connectionBackoff: { factor: 'x' } }, 'connectionBackoff', 'warning', true],
  ] as const) {
    const findings = emitter.validate!(emitter.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.severity, one.fatal, one.remedy !== undefined]),
      [[path, severity, fatal, true]],
    )
  }
  assert.deepEqual(emitter.validate!(emitter.spec.parse({ ...valid, channelName: '/a/+/b/', channelKey: '/k/' })), [])
})

test('a shared channel is no hot standby, and says so', () => {
  const of = (channelName: string) => emitter.spec.parse({ ...valid, channelName })
  for (const [channelName, guarantee] of [
    ['$share/g/orders', 'at-most-once'],
    ['/$share/g/orders/', 'at-most-once'],
    ['orders', 'hot-standby'],
  ] as const) {
    assert.equal(emitter.guaranteeOf!(of(channelName)), guarantee)
    const said = emitter.validate!(of(channelName)).map(({ path, fatal }) => [path[0], fatal])
    assert.deepEqual(said, guarantee === 'hot-standby' ? [] : [['channelName', undefined]])
  }
})

async function started(t: TestContext, options: Partial<FakeEmitterOptions> = {}) {
  const server = await startFakeEmitter({ keys: { 'hidden-key': 'orders' }, ...options })
  t.after(() => server.close())
  return server
}
async function sender(t: TestContext, url: string) {
  const client = await connectAsync(url)
  t.after(() => void client.end(true))
  return client
}
function serve(t: TestContext, spec: object, secrets: Record<string, string> = {}): Harness<unknown> {
  const harness: Harness<unknown> = serveInHarness(emitter, { ...valid, ...spec }, { secrets })
  t.after(() => harness.stop())
  return harness
}
const subscribed = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.includes(null), 15_000)

test('payload as Argo Events: base64 or JSON; no JSON is skipped; the topic has no key', async (t) => {
  const server = await started(t)
  const client = await sender(t, server.url)
  const plain = serve(t, { broker: server.url, metadata: { k: 'v' } })
  const json = serve(t, { broker: server.url, channelName: '/orders/', channelKey: '/hidden-key/', jsonBody: true })
  await Promise.all([subscribed(plain), subscribed(json)])
  assert.deepEqual(server.asked, ['hidden-key/orders/', 'hidden-key/orders/'])
  await client.publishAsync('hidden-key/orders/', Buffer.from([0xff, 0]), { qos: 1 })
  await client.publishAsync('hidden-key/orders/new/', '{ "a": 1 }', { qos: 1 })
  await client.publishAsync('hidden-key/elsewhere/', '1', { qos: 1 })
  await plain.until(({ emitted }) => emitted.length === 2)
  await json.until(({ emitted, skipped }) => emitted.length === 1 && skipped.length === 1)
  assert.deepEqual(
    plain.emitted.map(({ text }) => text),
    [
      '{"topic":"orders/","body":"/wA=","metadata":{"k":"v"}}',
      '{"topic":"orders/new/","body":"eyAiYSI6IDEgfQ==","metadata":{"k":"v"}}',
    ],
  )
  assert.equal(json.emitted[0]!.text, '{"topic":"orders/new/","body":{"a":1}}')
  assert.equal(json.emitted[0]!.id, undefined)
})

test('what is wrong is said, and never the key: nobody there, DNS, a wrong key, a wrong password, a missing Secret', async (t) => {
  const [free] = (await freePorts(1)) as [number]
  const server = await started(t)
  const guarded = await started(t, { login: { username: 'a', password: 'b' } })
  const login = { username: { name: 's', key: 'u' }, password: { name: 's', key: 'p' } }
  for (const [spec, secrets, words] of [
    [{ broker: `tcp://127.0.0.1:${free}` }, {}, /^TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    [{ broker: 'tcp://no-such-host.invalid:8080' }, {}, /^DNS: the host of no-such-host\.invalid:8080/],
    [{ broker: server.url, channelName: 'other' }, {}, /^authentication: .*does it permit reading\?/],
    [{ broker: guarded.url }, {}, /^authentication: .*refuses the user or the password/],
    [{ broker: guarded.url, ...login }, { 's/u': 'a', 's/p': 'wrong' }, /^authentication: .*refuses the user/],
    [{ broker: guarded.url, ...login }, { 's/u': 'a' }, /^failed to retrieve the password from s/],
  ] as [object, Record<string, string>, RegExp][]) {
    const error = await endOf(serve(t, spec, secrets))
    assert.match(error.message, words)
    assert.doesNotMatch(error.message, /hidden|wrong/)
  }
  const right = serve(t, { broker: guarded.url, ...login }, { 's/u': 'a', 's/p': 'b' })
  await subscribed(right)
})

test('the broker goes away: said, so that it is made again', async (t) => {
  const server = await started(t)
  const harness = serve(t, { broker: server.url })
  await subscribed(harness)
  await server.restart()
  assert.match((await endOf(harness)).message, /TCP|closed/)
})

test('a broker that speaks nonsense: said, and nothing breaks', async (t) => {
  for (const nonsense of ['HTTP/1.1 400 Bad Request\r\n\r\n', '\x20\x02\x00', Buffer.alloc(100_000, 0xff)]) {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end(nonsense)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    const error = await endOf(serve(t, { broker: `tcp://127.0.0.1:${port}` }))
    assert.equal(error.code, 'ORIGIN_UNAVAILABLE')
  }
})
