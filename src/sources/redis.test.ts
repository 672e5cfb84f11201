/** Redis Pub/Sub against redis-server: payloads, every error, lost connections. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { freePorts } from '../../test/servers/process.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import { redisBinary, startRedis } from '../../test/servers/redis.ts'
import redis from './redis.ts'

const skip = without('redis-server', redisBinary())

test('what cannot work is found before anything connects, with a remedy', () => {
  for (const [more, path] of [
    [{ hostAddress: 'h' }, 'hostAddress'],
    [{ channels: [] }, 'channels'],
  ] as const) {
    const findings = redis.validate!(redis.spec.parse({ hostAddress: 'h:1', channels: ['c'], ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.fatal, one.remedy !== undefined]),
      [[path, true, true]],
    )
  }
})

async function started(t: TestContext, args: string[] = []) {
  const server = await startRedis({ args })
  t.after(() => server.close())
  return server
}
function listen(t: TestContext, spec: object, secrets: Record<string, string> = {}): Harness<unknown> {
  const harness: Harness<unknown> = serveInHarness(redis, { channels: ['c'], ...spec }, { secrets })
  t.after(() => harness.stop())
  return harness
}
const subscribed = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.includes(null), 15_000)

test('payload as Argo Events: text with what is no UTF-8 replaced, or JSON as sent; no JSON is skipped', {
  skip,
}, async (t) => {
  const { port } = await started(t)
  const hostAddress = `127.0.0.1:${port}`
  const text = listen(t, { hostAddress, channels: ['c', 'd'] })
  const json = listen(t, { hostAddress, jsonBody: true, metadata: { k: 'v' } })
  await Promise.all([subscribed(text), subscribed(json)])
  const client = new Redis({ host: '127.0.0.1', port })
  t.after(() => client.disconnect())
  await client.publish('c', Buffer.from([0x68, 0xff, 0xfe, 0x69]))
  await client.publish('c', '{"a": 1.0}')
  await client.publish('d', 'hello')
  await text.until(({ emitted }) => emitted.length === 3)
  await json.until(({ emitted }) => emitted.length === 1)
  assert.deepEqual(
    text.emitted.map((one) => one.text),
    [
      '{"channel":"c","pattern":"","body":"h\\ufffd\\ufffdi"}',
      '{"channel":"c","pattern":"","body":"{\\"a\\": 1.0}"}',
      '{"channel":"d","pattern":"","body":"hello"}',
    ],
  )
  assert.equal(json.emitted[0]!.text, '{"channel":"c","pattern":"","body":{"a":1.0},"metadata":{"k":"v"}}')
  assert.equal(json.skipped.length, 1)
})

test('what is wrong is said: nobody there, no such host, no and a wrong password, a server that falls silent or goes', {
  skip,
}, async (t) => {
  const { port } = await started(t, ['--requirepass', 'right'])
  const [free] = (await freePorts(1)) as [number]
  const hostAddress = `127.0.0.1:${port}`
  const password = { name: 's', key: 'p' }
  for (const [spec, secrets, words] of [
    [{ hostAddress: `127.0.0.1:${free}` }, {}, /TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    [{ hostAddress: 'no-such-host.invalid:6379' }, {}, /DNS: the host of no-such-host\.invalid:6379/],
    [{ hostAddress }, {}, /authentication: .*NOAUTH/],
    [{ hostAddress, password, namespace: 'default' }, { 's/p': 'false' }, /authentication: .*WRONGPASS/],
    [{ hostAddress, password, namespace: 'default' }, {}, /failed to find the secret password s/],
    [{ hostAddress, tls: { enabled: true } }, {}, /TLS: |TCP: /],
  ] as const) {
    const error = await endOf(listen(t, spec, secrets))
    assert.match(error.message, words)
  }
  const proxy = await startProxy(port)
  t.after(() => proxy.close())
  const through = { hostAddress: `127.0.0.1:${proxy.port}`, password, namespace: 'default' }
  const silenced = listen(t, through, { 's/p': 'right' })
  await subscribed(silenced)
  proxy.faults.dropToClient = true
  assert.match((await endOf(silenced)).message, /connected but silent/)
  proxy.faults.dropToClient = false
  const cut = listen(t, through, { 's/p': 'right' })
  await subscribed(cut)
  proxy.cut()
  assert.match((await endOf(cut)).message, /TCP: .*reset|closed/)
})
