/** Pulsar against a real broker: payloads, the wire, every error, lost connections; and what needs no broker. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { zstdCompressSync } from 'node:zlib'
import { type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { freePorts } from '../../test/servers/process.ts'
import { type PulsarServer, pulsarJars, sendChunksInJava, startPulsar, tokenOf } from '../../test/servers/pulsar.ts'
import { chunksOf, type WireEntry, wireProducer } from '../../test/servers/pulsar-wire.ts'
import { fullTopic, serviceOf } from './pulsar/spec.ts'
import pulsar from './pulsar.ts'

const skip = without('Pulsar', pulsarJars())
const valid = { url: 'pulsar://h:6650', topics: ['t'], type: 'exclusive' }
const secret = { name: 's', key: 'k' }
const athenz = { providerDomain: 'p', tenantDomain: 't', tenantService: 's', ztsUrl: 'https://z' }

test('what cannot work is found before anything connects, with a remedy', () => {
  for (const [more, path] of [
    [{ topics: [] }, ['topics']],
    [{ topics: ['a', 'a/b'] }, ['topics', 1]],
    [{ url: 'h:6650' }, ['url']],
    [{ url: 'ftp://h:8080' }, ['url']],
    [{ url: 'pulsar+ssl://h', tls: { clientCertSecret: secret } }, ['tls']],
    [{ tls: { clientCertSecret: secret, clientKeySecret: secret } }, ['tls']],
    [{ authAthenzSecret: secret, authAthenzParams: { ...athenz, ztsUrl: '' } }, ['authAthenzParams']],
    [{ authAthenzSecret: secret, authAthenzParams: { ...athenz, ztsUrl: 'z' } }, ['authAthenzParams', 'ztsUrl']],
    [{ authAthenzSecret: secret, authAthenzParams: { ...athenz, tenantService: '' } }, ['authAthenzParams']],
    [{ authAthenzParams: athenz }, ['authAthenzParams']],
  ] as const) {
    const findings = pulsar.validate!(pulsar.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path, one.fatal, one.remedy !== undefined]),
      [[path, true, true]],
    )
  }
  for (const more of [
    {},
    { url: 'https://h', tls: { clientCertSecret: secret, clientKeySecret: secret } },
    { authAthenzSecret: secret, authAthenzParams: athenz },
    { authAthenzSecret: secret, authAthenzParams: { providerDomain: 'p', ztsUrl: 'https://z', x509CertChain: '/c' } },
  ])
    assert.deepEqual(pulsar.validate!(pulsar.spec.parse({ ...valid, ...more })), [])
  const [unknown] = pulsar.validate!(
    pulsar.spec.parse({ ...valid, authAthenzSecret: secret, authAthenzParams: { ...athenz, keyID: '1' } }),
  )
  assert.deepEqual(
    [unknown?.severity, unknown?.fatal, unknown?.path],
    ['warning', undefined, ['authAthenzParams', 'keyID']],
  )
})

test('names of topics, and URLs', () => {
  assert.equal(fullTopic('t'), 'persistent://public/default/t')
  assert.equal(fullTopic('a/b/c'), 'persistent://a/b/c')
  assert.equal(fullTopic('non-persistent://a/b/c'), 'non-persistent://a/b/c')
  for (const name of ['', 'a/b', 'http://a/b/c', 'persistent://c', 'a b']) assert.equal(fullTopic(name), null)
  assert.deepEqual(serviceOf('pulsar+ssl://a,[::1]:7000'), {
    encrypted: true,
    http: false,
    hosts: [
      { host: 'a', port: 6651 },
      { host: '::1', port: 7000 },
    ],
  })
  assert.deepEqual(serviceOf('https://a,b:8443/'), {
    encrypted: true,
    http: true,
    hosts: [
      { host: 'a', port: 443 },
      { host: 'b', port: 8443 },
    ],
  })
  for (const url of ['', 'ftp://a', 'http://a/b', 'pulsar://', 'pulsar://a:99999', 'pulsar://a:b', 'pulsar://u@a'])
    assert.equal(serviceOf(url), null)
})

let plain: Promise<PulsarServer> | null = null
/** One for all tests that do not stop it. */
const started = (): Promise<PulsarServer> => {
  plain ??= startPulsar().then(async (server) => {
    // The chunks of a producer come in every order here, also those that the broker would call repeats.
    await server.admin('POST', 'namespaces/public/default/deduplication', false)
    return server
  })
  return plain
}
after(async () => (await plain)?.close())

function serve(
  t: TestContext,
  spec: object,
  options: Parameters<typeof serveInHarness>[2] = {},
): Harness<Record<string, number>> {
  const harness = serveInHarness(pulsar, { ...valid, ...spec }, options as object) as Harness<Record<string, number>>
  t.after(() => harness.stop())
  return harness
}
const fine = (harness: Harness<any>) => harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)

/** Resolves when the broker holds nothing more for the subscription. */
async function allAcknowledged(server: PulsarServer, topic: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { subscriptions } = (await server.admin('GET', `persistent/public/default/${topic}/stats`)) as any
    if (subscriptions.e.msgBacklog === 0) return
    await pause(100)
  }
  assert.fail('not everything is acknowledged')
}

test('payload as Argo Events; no JSON is skipped; what is published is acknowledged', { skip }, async (t) => {
  const server = await started()
  const harness = serve(t, { url: server.url, topics: ['payload'], jsonBody: true, metadata: { k: 'v' } })
  await fine(harness)
  const producer = await server.producer('payload', 'batchingEnabled=false')
  t.after(() => producer.close())
  await producer.send(['{"a": 1}', 'no json'], 'one')
  await producer.send(['2'])
  await harness.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1, 20_000)
  const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})? \\+0000 UTC'
  const [first, second] = harness.emitted
  assert.match(
    first!.text,
    new RegExp(`^\\{"key":"one","publishTime":"${time}","body":\\{"a":1\\},"metadata":\\{"k":"v"\\}\\}$`),
  )
  assert.match(second!.text, new RegExp(`^\\{"key":"","publishTime":"${time}","body":2,"metadata":\\{"k":"v"\\}\\}$`))
  for (const { id } of harness.emitted) assert.match(id!, /^persistent:\/\/public\/default\/payload:\d+:\d+:0:\d{13}$/)
  await allAcknowledged(server, 'payload')
})

test('batches and every compression: each message once, in order', { skip }, async (t) => {
  const server = await started()
  const harness = serve(t, { url: server.url, topics: ['packed'] })
  await fine(harness)
  const texts = Array.from({ length: 50 }, (_, i) => `message ${i} ${'again and '.repeat(20)}`)
  const kinds = ['NONE', 'LZ4', 'ZLIB', 'ZSTD', 'SNAPPY']
  for (const kind of kinds) {
    const query = `batchingEnabled=true&batchingMaxMessages=20&batchingMaxPublishDelay=50&compressionType=${kind}`
    const producer = await server.producer('packed', query)
    await producer.send(texts)
    producer.close()
  }
  await harness.until(
    ({ emitted, skipped }) => emitted.length === texts.length * kinds.length || skipped.length > 0,
    20_000,
  )
  assert.deepEqual(harness.skipped, [])
  const bodies = harness.emitted.map(({ text }) => Buffer.from(JSON.parse(text).body, 'base64').toString())
  assert.deepEqual(
    bodies,
    kinds.flatMap(() => texts),
  )
  assert.equal(new Set(harness.emitted.map(({ id }) => id)).size, bodies.length)
  assert.ok(
    harness.emitted.some(({ id }) => /:[1-9]\d*:\d{13}$/.test(id!)),
    'nothing was in a batch',
  )
  await allAcknowledged(server, 'packed')
})

/** A topic, the producer of its chunks, and what was published of it as text. */
async function chunked(t: TestContext, server: PulsarServer, topic: string, more: object = {}) {
  const harness = serve(t, { url: server.url, topics: [topic], ...more })
  await fine(harness)
  const producer = await wireProducer(server.url, `persistent://public/default/${topic}`, topic)
  t.after(() => producer.close())
  return {
    harness,
    producer,
    bodies: () => harness.emitted.map(({ text }) => Buffer.from(JSON.parse(text).body, 'base64').toString()),
  }
}

test('messages in chunks, among each other and others: one event each, acknowledged when whole', {
  skip,
}, async (t) => {
  const server = await started()
  const { harness, producer, bodies } = await chunked(t, server, 'chunks')
  const long = Buffer.from('again and '.repeat(1_000))
  const zstd = { compression: 3, uncompressedSize: long.length, key: 'k' }
  const [a, b] = [chunksOf('first message', 3, 1), chunksOf(zstdCompressSync(long), 2, 2, zstd)]
  const single: WireEntry = { metadata: { sequenceId: 3, publishTime: Date.now() }, payload: Buffer.from('single') }
  await producer.send(a[0]!, b[0]!, single, a[1]!)
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
  const { subscriptions } = (await server.admin('GET', 'persistent/public/default/chunks/stats')) as any
  assert.ok(subscriptions.e.msgBacklog >= 3, 'chunks of an incomplete message are acknowledged')
  await producer.send(b[1]!, a[2]!)
  await harness.until(({ emitted }) => emitted.length === 3, 20_000)
  assert.deepEqual(bodies(), ['single', long.toString(), 'first message'])
  assert.equal(JSON.parse(harness.emitted[1]!.text).key, 'k')
  await allAcknowledged(server, 'chunks')
  // A retry of its producer that comes after the message.
  await producer.send(a[0]!, a[1]!)
  await allAcknowledged(server, 'chunks')
  assert.deepEqual([bodies().length, harness.skipped], [3, []])
})

test('a message whose first chunks the last leader had: whole for the next one, under its id', { skip }, async (t) => {
  const server = await started()
  const { harness: first, producer } = await chunked(t, server, 'handover')
  const entries = chunksOf('in three', 3, 1)
  await producer.send(entries[0]!, entries[1]!)
  await first.stop()
  const ids: string[] = []
  for (const keep of [true, false]) {
    const next = serve(t, { url: server.url, topics: ['handover'] })
    await fine(next)
    if (keep) {
      next.failWith = new Error('killed before the acknowledgement')
      const { emit } = next.context
      next.context.emit = async (event) => {
        ids.push(event.id!)
        return await emit(event)
      }
      await producer.send(entries[2]!)
      await new Promise((resolve) => next.onEnd(resolve))
      continue
    }
    await next.until(({ emitted }) => emitted.length === 1, 20_000)
    ids.push(next.emitted[0]!.id!)
  }
  assert.equal(ids.length, 2)
  assert.equal(ids[0], ids[1])
  await allAcknowledged(server, 'handover')
})

test('chunks of messages that never end keep nobody waiting; too many of them, and the rest is read again', {
  skip,
}, async (t) => {
  const server = await started()
  const { harness, producer, bodies } = await chunked(t, server, 'unfinished')
  // More than the window has permits.
  const never = Array.from({ length: 90 }, (_, i) => chunksOf('x'.repeat(20), 20, i))
  for (const entries of never) await producer.send(...entries.slice(0, 15))
  const late = Array.from({ length: 30 }, (_, i) => chunksOf(`late ${i}`, 2, 100 + i))
  await producer.send(...late.map((entries) => entries[0]!))
  await producer.send({ metadata: { sequenceId: 500, publishTime: Date.now() }, payload: Buffer.from('single') })
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
  assert.deepEqual(bodies(), ['single'])
  const ended = new Promise<unknown>((resolve) => harness.onEnd(resolve))
  await producer.send(...never.flatMap((entries) => entries.slice(15)), ...late.map((entries) => entries[1]!))
  assert.match(String(await ended), /more than 100 messages in chunks at once/)
  const next = serve(t, { url: server.url, topics: ['unfinished'] })
  const all = () => new Set([...harness.emitted, ...next.emitted].map(({ id }) => id)).size
  await next.until(() => all() === 121, 20_000)
  await allAcknowledged(server, 'unfinished')
  assert.deepEqual([...harness.skipped, ...next.skipped], [])
})

test("chunks of Pulsar's own client for Java, compressed", { skip }, async (t) => {
  const server = await started()
  const harness = serve(t, { url: server.url, topics: ['java'], jsonBody: true })
  await fine(harness)
  await sendChunksInJava(server.url, 'java', { compression: 'LZ4', chunkBytes: 2_000, messages: 5, bytes: 30_000 })
  await harness.until(({ emitted, skipped }) => emitted.length === 5 || skipped.length > 0, 20_000)
  assert.deepEqual(harness.skipped, [])
  const bodies = harness.emitted.map(({ text }) => JSON.parse(text).body)
  assert.deepEqual(
    bodies.map(({ n, pad }) => [n, pad.length >= 30_000]),
    [0, 1, 2, 3, 4].map((n) => [n, true]),
  )
  await allAcknowledged(server, 'java')
})

test('acknowledged only when the bus has it; the next one gets it under the same id', { skip }, async (t) => {
  const server = await started()
  const first = serve(t, { url: server.url, topics: ['durable'] })
  await fine(first)
  first.failWith = new Error('the bus is away')
  const producer = await server.producer('durable')
  t.after(() => producer.close())
  await producer.send(['one'])
  const ended = await new Promise<unknown>((resolve) => first.onEnd(resolve))
  assert.match(String(ended), /the bus is away/)
  const { subscriptions } = (await server.admin('GET', 'persistent/public/default/durable/stats')) as any
  assert.equal(subscriptions.e.msgBacklog, 1)
  const ids: string[] = []
  for (const keep of [true, false]) {
    const next = serve(t, { url: server.url, topics: ['durable'] })
    if (keep) {
      const { emit } = next.context
      next.context.emit = async (event) => {
        await emit(event)
        throw new Error('killed before the acknowledgement')
      }
    }
    await next.until(({ emitted }) => emitted.length === 1, 20_000)
    ids.push(next.emitted[0]!.id!)
    await next.stop()
  }
  assert.equal(ids[0], ids[1])
})

test('partitions: all are read; one that comes later is read from its beginning', { skip }, async (t) => {
  const server = await started()
  await server.admin('PUT', 'persistent/public/default/parts/partitions', 2)
  const first = serve(t, { url: server.url, topics: ['parts'] })
  await fine(first)
  assert.deepEqual(first.advanced, [{ 'persistent://public/default/parts': 2 }])
  await first.stop()
  await server.admin('POST', 'persistent/public/default/parts/partitions', 3)
  for (const i of [0, 1, 2]) {
    const producer = await server.producer(`parts-partition-${i}`)
    await producer.send([`in ${i}`])
    producer.close()
  }
  const next = serve(t, { url: server.url, topics: ['parts'] }, { resume: first.advanced[0] })
  await next.until(({ emitted }) => emitted.length === 3, 20_000)
  const bodies = next.emitted.map(({ text }) => Buffer.from(JSON.parse(text).body, 'base64').toString())
  assert.deepEqual(bodies.sort(), ['in 0', 'in 1', 'in 2'])
})

test('the subscription goes with the entry, or with the topic that is taken out, where that is asked for', {
  skip,
}, async (t) => {
  const server = await started()
  await server.admin('PUT', 'persistent/public/default/gone-parts/partitions', 2)
  const subscriptionsOf = async (topic: string): Promise<string[]> =>
    Object.keys(((await server.admin('GET', `persistent/public/default/${topic}/stats`)) as any).subscriptions)
  const all = ['gone-parts-partition-0', 'gone-parts-partition-1', 'gone-a', 'gone-b']
  const left = async () => (await Promise.all(all.map(subscriptionsOf))).map(({ length }) => length)
  for (const type of ['exclusive', 'shared']) {
    for (const deleteSubscriptionOnFinish of [false, true]) {
      const spec = { url: server.url, type, deleteSubscriptionOnFinish }
      const first = serve(t, { ...spec, topics: ['gone-parts', 'gone-a', 'gone-b'] })
      await fine(first)
      await first.stop()
      assert.deepEqual(await left(), [1, 1, 1, 1])
      const changed = serve(t, { ...spec, topics: ['gone-b'] }, { snapshot: first.snapshot })
      await fine(changed)
      assert.deepEqual(await left(), deleteSubscriptionOnFinish ? [0, 0, 0, 1] : [1, 1, 1, 1])
      const producer = await server.producer('gone-b')
      await producer.send(['still'])
      producer.close()
      await changed.until(({ emitted }) => emitted.length === 1)
      await changed.stop()
      const remove = (topics: string[]) =>
        pulsar.remove!({
          ...changed.context,
          spec: pulsar.spec.parse({ ...valid, ...spec, topics }),
          signal: AbortSignal.timeout(20_000),
        })
      await remove(['gone-b'])
      assert.deepEqual(await left(), deleteSubscriptionOnFinish ? [0, 0, 0, 0] : [1, 1, 1, 1])
      await remove(['gone-b'])
      if (deleteSubscriptionOnFinish) await remove(['gone-parts', 'gone-a'])
    }
  }
})

test('a standby is connected and consumes nothing; who serves holds the subscription alone', { skip }, async (t) => {
  const server = await started()
  const standby = serve(t, { url: server.url, topics: ['held'] }, { prepareOnly: true })
  await fine(standby)
  const { subscriptions } = (await server.admin('GET', 'persistent/public/default/held/stats').catch(() => ({
    subscriptions: {},
  }))) as any
  assert.deepEqual(Object.keys(subscriptions), [])
  const first = serve(t, { url: server.url, topics: ['held'] })
  await fine(first)
  const second = serve(t, { url: server.url, topics: ['held'] })
  await second.until(({ conditions }) => /another consumer has the subscription/.test(conditions.at(-1) ?? ''), 15_000)
  // It asks again on the same connection, so it has it as soon as the first one is gone.
  await first.stop()
  await second.until(({ conditions }) => conditions.at(-1) === null, 15_000)
})

test('what is wrong is said: nobody there, no such host, no broker, a silent one', async (t) => {
  const [free] = (await freePorts(1)) as [number]
  const speaks = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await new Promise<void>((resolve) => speaks.listen(0, '127.0.0.1', resolve))
  t.after(() => speaks.close())
  const { port } = speaks.address() as { port: number }
  for (const [url, words] of [
    [`pulsar://127.0.0.1:${free}`, /TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    ['pulsar://no-such-host.invalid:6650', /DNS: the host of no-such-host/],
    [`pulsar://127.0.0.1:${port}`, /not the protocol of Pulsar/],
  ] as const) {
    const ended = await new Promise<unknown>((resolve) => serve(t, { url }).onEnd(resolve))
    assert.match(String(ended), words)
  }
})

test('TLS and a token: right, wrong, missing; a topic that does not exist', { skip }, async (t) => {
  const server = await startPulsar({ secured: true })
  t.after(() => server.close())
  const secrets = {
    's/ca': server.ca,
    's/key': server.key,
    's/token': server.token,
    's/other': tokenOf(Buffer.alloc(32), 'admin'),
  }
  const tlsTrustCertsSecret = { name: 's', key: 'ca' }
  const authTokenSecret = { name: 's', key: 'token' }
  const url = server.secureUrl
  const right = serve(t, { url, tlsTrustCertsSecret, tlsValidateHostname: true, authTokenSecret }, { secrets })
  await fine(right)
  const producer = await server.producer('t')
  t.after(() => producer.close())
  await producer.send(['one'])
  await right.until(({ emitted }) => emitted.length === 1, 20_000)
  const unchecked = serve(t, { url, tlsAllowInsecureConnection: true, authTokenSecret, topics: ['u'] }, { secrets })
  await fine(unchecked)
  const tls = { clientCertSecret: { name: 's', key: 'ca' }, clientKeySecret: { name: 's', key: 'key' } }
  const certified = serve(t, { url, tlsTrustCertsSecret, tls, topics: ['v'] }, { secrets })
  await fine(certified)
  const web = { url: server.secureWebUrl, tlsTrustCertsSecret }
  const byRest = serve(t, { ...web, authTokenSecret, topics: ['w'] }, { secrets })
  await fine(byRest)
  await fine(serve(t, { ...web, tls, topics: ['x'] }, { secrets }))
  for (const [more, words] of [
    [{ ...web, authTokenSecret: { name: 's', key: 'other' } }, /localhost:\d+ answered 401.*authentication/],
    [{ url: server.secureWebUrl, authTokenSecret }, /localhost:\d+ .*self.signed/],
    [{ tlsTrustCertsSecret, authTokenSecret: { name: 's', key: 'other' } }, /authentication: localhost:\d+: /],
    [{ tlsTrustCertsSecret }, /authentication: localhost:\d+: /],
    [{ authTokenSecret }, /TLS: localhost:\d+: .*self.signed/],
  ] as const) {
    const ended = await new Promise<unknown>((resolve) => serve(t, { url, ...more }, { secrets }).onEnd(resolve))
    assert.match(String(ended), words)
    assert.doesNotMatch(String(ended), new RegExp(secrets['s/other'].slice(-20)))
  }
  await server.admin('POST', 'namespaces/public/default/autoTopicCreation', { allowAutoTopicCreation: false })
  const missing = serve(t, { url, tlsTrustCertsSecret, authTokenSecret, topics: ['missing'] }, { secrets })
  assert.match(String(await new Promise((resolve) => missing.onEnd(resolve))), /the topic does not exist|not found/i)
})
