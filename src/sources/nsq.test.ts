/** NSQ against nsqd and nsqlookupd: payloads, the wire, every error, lost connections. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { makeCertificate } from '../../test/certificate.ts'
import { type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { type NsqServer, nsqdBinary, startNsq } from '../../test/servers/nsq.ts'
import { freePorts } from '../../test/servers/process.ts'
import { frameReader } from './nsq/frames.ts'
import { messageKey } from './nsq/serve.ts'
import type { NsqMessage } from './nsq/wire.ts'
import nsq from './nsq.ts'

const skip = without('NSQ', nsqdBinary())
const valid = { hostAddress: 'h:4161', topic: 't', channel: 'c' }

test('what cannot work is found before anything connects, with a remedy', () => {
  for (const [more, path] of [
    [{ hostAddress: 'h' }, 'hostAddress'],
    [{ hostAddress: 'http://h:x' }, 'hostAddress'],
    [{ topic: 'a b' }, 'topic'],
    [{ channel: 'x'.repeat(65) }, 'channel'],
  ] as const) {
    const findings = nsq.validate!(nsq.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.fatal, one.remedy !== undefined]),
      [[path, true, true]],
    )
  }
  assert.deepEqual(nsq.validate!(nsq.spec.parse(valid)), [])
  assert.equal(nsq.validate!(nsq.spec.parse({ ...valid, channel: 'c#ephemeral' }))[0]!.fatal, undefined)
})

/** A frame as nsqd writes it. */
function frame(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(4 + data.length, 0)
  head.writeInt32BE(type, 4)
  return Buffer.concat([head, data])
}

test('frames: in any pieces', () => {
  const message = Buffer.alloc(26 + 5)
  message.writeBigInt64BE(1_700_000_000_000_000_000n, 0)
  message.writeUInt16BE(3, 8)
  message.write('0123456789abcdefhello', 10, 'latin1')
  const stream = Buffer.concat([
    frame(0, Buffer.from('OK')),
    frame(2, message),
    frame(1, Buffer.from('E_BAD')),
    frame(9, Buffer.from('?')),
  ])
  for (const size of [1, 2, 3, 7, 1_000]) {
    const seen: unknown[] = []
    const feed = frameReader({
      response: (data) => seen.push(data.toString()),
      error: (text) => seen.push(text),
      message: ({ body, ...rest }: NsqMessage) => seen.push({ ...rest, body: body.toString() }),
    })
    for (let at = 0; at < stream.length; at += size) feed(stream.subarray(at, at + size))
    const told = { timestamp: 1_700_000_000_000_000_000n, attempts: 3, id: '0123456789abcdef', body: 'hello' }
    assert.deepEqual(seen, ['OK', told, 'E_BAD'])
  }
})

test('frames: what is not the protocol is refused, and takes no memory', () => {
  const ignore = { response() {}, error() {}, message() {} }
  for (const hostile of [Buffer.from('HTTP/1.1 400 Bad Request'), Buffer.alloc(8), frame(2, Buffer.alloc(25))]) {
    assert.throws(() => frameReader(ignore)(hostile), /not the protocol of NSQ/)
  }
})

test('ids: what nsqd queues again is the same; what two nsqds of one node id call the same is not', () => {
  const message = { id: '0a1b2c3d4e5f6071', timestamp: 1_700_000_000_000_000_000n, body: Buffer.from('a') }
  assert.equal(messageKey(message), messageKey({ ...message }))
  for (const more of [
    { body: Buffer.from('b') },
    { timestamp: 1_700_000_000_000_000_001n },
    { id: '0a1b2c3d4e5f6072' },
  ])
    assert.notEqual(messageKey({ ...message, ...more }), messageKey(message))
})

async function started(t: TestContext, options: Parameters<typeof startNsq>[0] = {}) {
  const server = await startNsq(options)
  t.after(() => server.close())
  await post(server, 'topic/create?topic=t')
  await post(server, 'channel/create?topic=t&channel=c')
  return server
}
async function post(server: NsqServer, path: string, body = ''): Promise<void> {
  const answer = await fetch(`${server.http}/${path}`, { method: 'POST', body })
  assert.ok(answer.ok, `${path}: ${answer.status}`)
}
function serve(
  t: TestContext,
  server: Pick<NsqServer, 'lookupd'>,
  more: object = {},
  secrets: Record<string, string> = {},
): Harness<unknown> {
  const harness: Harness<unknown> = serveInHarness(nsq, { ...valid, hostAddress: server.lookupd, ...more }, { secrets })
  t.after(() => harness.stop())
  return harness
}
const fine = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.at(-1) === null, 20_000)
async function channelOf(server: NsqServer): Promise<Record<'depth' | 'in_flight_count' | 'timeout_count', number>> {
  const { topics } = (await (await fetch(`${server.http}/stats?format=json&topic=t`)).json()) as any
  return topics[0].channels[0]
}
async function depth(server: NsqServer): Promise<number> {
  const { depth, in_flight_count } = await channelOf(server)
  return depth + in_flight_count
}

test('payload as Argo Events; no JSON is skipped; what is published is finished', { skip }, async (t) => {
  const server = await started(t)
  const harness = serve(t, server, { jsonBody: true, metadata: { k: 'v' } })
  await fine(harness)
  for (const body of ['{"a": 1}', 'no json', '2']) await post(server, 'pub?topic=t', body)
  await harness.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1)
  const [first] = harness.emitted.map(({ text }) => text).sort((a, b) => b.length - a.length)
  assert.match(
    first!,
    new RegExp(
      `^\\{"body":\\{"a":1\\},"timestamp":"\\d{19}","nsqdAddress":"127\\.0\\.0\\.1:${server.port}","metadata":\\{"k":"v"\\}\\}$`,
    ),
  )
  for (const { id } of harness.emitted) assert.match(id!, /^[0-9a-f]{16}:\d{19}:[0-9a-f]{32}$/)
  while ((await depth(server)) > 0) await pause(20)
})

test('a slow bus: nsqd gives a message to nobody else while it is touched', { skip }, async (t) => {
  const server = await started(t)
  const release = Promise.withResolvers<void>()
  const harness = serve(t, server)
  const { emit } = harness.context
  let asked = 0
  harness.context.emit = async (event) => {
    asked++
    await release.promise
    return await emit(event)
  }
  await fine(harness)
  await post(server, 'pub?topic=t', 'slow')
  // Longer than nsqd waits for a message that is not touched.
  await pause(7_000)
  assert.equal((await channelOf(server)).timeout_count, 0)
  release.resolve()
  await harness.until(({ emitted }) => emitted.length === 1)
  assert.equal(asked, 1)
})

test('as many messages are under way as their size allows', { skip }, async (t) => {
  const server = await started(t)
  const harness = serve(t, server)
  const { emit } = harness.context
  let release = Promise.withResolvers<void>()
  harness.context.emit = async (event) => {
    await release.promise
    return await emit(event)
  }
  await fine(harness)
  const put = (count: number, bytes: number) =>
    post(server, 'mpub?topic=t', Array.from({ length: count }, () => 'x'.repeat(bytes)).join('\n'))
  const underWay = async () => (await channelOf(server)).in_flight_count
  await put(600, 100)
  while ((await underWay()) < 512) await pause(20)
  await put(1, 1_000_000)
  release.resolve()
  await harness.until(({ emitted }) => emitted.length === 601, 20_000)
  release = Promise.withResolvers()
  for (let i = 0; i < 50; i++) await put(1, 1_000_000)
  while ((await underWay()) < 33) await pause(20)
  await put(1, 100)
  // It is there, and waits.
  while ((await channelOf(server)).depth < 18) await pause(20)
  assert.equal(await underWay(), 33)
  release.resolve()
  await harness.until(({ emitted }) => emitted.length === 652, 20_000)
})

test('the channel is deleted with the entry where that is asked for', { skip }, async (t) => {
  const server = await started(t)
  for (const deleteChannelOnFinish of [false, true]) {
    const harness = serve(t, server, { deleteChannelOnFinish })
    await fine(harness)
    await harness.stop()
    const { remove, removes } = nsq
    assert.equal(removes!(harness.context.spec), deleteChannelOnFinish)
    const ctx = { ...harness.context, signal: AbortSignal.timeout(10_000) }
    await remove!(ctx)
    // Once more: what is gone is gone.
    await remove!(ctx)
    const { topics } = (await (await fetch(`${server.http}/stats?format=json&topic=t`)).json()) as any
    assert.equal(topics[0].channels.length, deleteChannelOnFinish ? 0 : 1)
  }
  const [free] = (await freePorts(1)) as [number]
  const dead = serve(t, { lookupd: `127.0.0.1:${free}` }, { deleteChannelOnFinish: true })
  await assert.rejects(
    nsq.remove!({ ...dead.context, signal: AbortSignal.timeout(10_000) }),
    /TCP: nsqlookupd .*nothing listens/,
  )
})

test('nsqd is restarted: connected again by itself, status says what was wrong', { skip }, async (t) => {
  const server = await started(t)
  const harness = serve(t, server)
  await fine(harness)
  await server.restart()
  await harness.until(({ conditions }) => conditions.some((one) => one !== null), 20_000)
  await fine(harness)
  await post(server, 'pub?topic=t', 'again')
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
})

test('what is wrong is said: no lookupd, an unknown topic', { skip }, async (t) => {
  const server = await started(t)
  const [free] = (await freePorts(1)) as [number]
  for (const [lookupd, more, words] of [
    [`127.0.0.1:${free}`, {}, /TCP: nsqlookupd 127\.0\.0\.1:\d+: nothing listens there/],
    ['no-such-host.invalid:4161', {}, /DNS: the host of nsqlookupd no-such-host/],
    [server.lookupd, { topic: 'elsewhere' }, /nsqlookupd knows no nsqd that has the topic elsewhere yet/],
  ] as const) {
    const harness = serve(t, { lookupd }, more)
    await harness.until(({ conditions }) => conditions.some((one) => one !== null && words.test(one)), 15_000)
  }
})

test('TLS, and a secret that nsqd asks for: right, wrong, missing', { skip }, async (t) => {
  const { cert, key } = makeCertificate()
  const asked: string[] = []
  const authority = createServer((request, response) => {
    const secret = new URL(request.url!, 'http://h').searchParams.get('secret') ?? ''
    asked.push(secret)
    const authorizations =
      secret === 'right' ? [{ topic: '.*', channels: ['.*'], permissions: ['subscribe', 'publish'] }] : []
    response.end(JSON.stringify({ ttl: 60, identity: 'x', identity_url: '', authorizations }))
  })
  await new Promise<void>((resolve) => authority.listen(0, '127.0.0.1', resolve))
  t.after(() => authority.close())
  const address = `127.0.0.1:${(authority.address() as AddressInfo).port}`
  const server = await started(t, {
    args: ['-auth-http-address', address],
    files: { 'cert.pem': cert, 'key.pem': key },
    tls: true,
  })
  const tls = { caCertSecret: { name: 's', key: 'ca' } }
  const authSecret = { name: 's', key: 'auth' }
  const right = serve(t, server, { tls, authSecret }, { 's/ca': cert, 's/auth': 'right' })
  await fine(right)
  assert.ok(asked.includes('right'))
  for (const [more, secrets, words] of [
    [{ tls, authSecret }, { 's/ca': cert, 's/auth': 'wrong' }, /authentication: .*E_/],
    [{ tls }, { 's/ca': cert }, /authentication: .*set authSecret/],
    [{ tls: { enabled: true } }, {}, /TLS: 127\.0\.0\.1:\d+: .*self.signed/],
  ] as const) {
    const harness = serve(t, server, more, secrets)
    await harness.until(({ conditions }) => conditions.some((one) => one !== null && words.test(one)), 15_000)
    assert.doesNotMatch(harness.conditions.join(), /wrong/)
  }
})
