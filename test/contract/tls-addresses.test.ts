/**
 * TLS to an IP address: no server name is sent, which is for names alone, and the certificate is checked for the address; so one that is for another
 * name is refused, also where a library would check it for `localhost`.
 */
import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { Agent, request } from 'undici'
import { connectKafka } from '../../src/clients/kafka.ts'
import { certifiedFor, serverNameOf } from '../../src/clients/server-name.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createRest } from '../../src/sources/http/rest.ts'
import { loadSource } from '../../src/sources/index.ts'
import { makeCertificate } from '../certificate.ts'
import { type Harness, serveInHarness } from '../harness.ts'
import { without } from '../servers/cache.ts'
import { startFakeEmitter } from '../servers/fakes/emitter.ts'
import { startGeneric } from '../servers/generic.ts'
import { KAFKA_PASSWORD, KAFKA_USER, kafkaJars, startKafka } from '../servers/kafka.ts'
import { minioBinary, startMinio } from '../servers/minio.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { pulsarJars, startPulsar } from '../servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { redisBinary, startRedis } from '../servers/redis.ts'
import { startTlsFront } from '../servers/tls-front.ts'
import { until } from './bus.ts'
import { jetStreamFor } from './jetstream.fixture.ts'

const loopback = ['127.0.0.1', '::1'] as const
const forAddresses = makeCertificate('addresses', { names: [...loopback] })
const forName = makeCertificate('name', { names: ['localhost'] })
const caCertSecret = { name: 's', key: 'ca' }
const tls = { caCertSecret }
const secretsOf = ({ cert }: { cert: string }, more: object = {}) => ({ 's/ca': cert, ...more })
const inUrl = (host: string) => (host.includes(':') ? `[${host}]` : host)
const MISMATCH = /not (match|in the cert)|altnames|IP: |does not match/i

async function serve(t: TestContext, type: string, spec: object, secrets: Record<string, string>) {
  const harness: Harness<unknown> = serveInHarness((await loadSource(type))!, spec, { secrets })
  t.after(() => harness.stop())
  return harness
}
const works = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.includes(null), 30_000)
/** The message with which it ends, or that it shows. */
async function failure(harness: Harness<unknown>): Promise<string> {
  const ended = new Promise<string>((resolve) => harness.onEnd((error) => resolve(String(error))))
  const shown = harness.until(({ conditions }) => conditions.some((one) => one !== null), 30_000)
  return await Promise.race([ended, shown.then(() => String(harness.conditions.find((one) => one !== null)))])
}

test('a name is sent, an address never', () => {
  for (const address of ['127.0.0.1', '::1', '[::1]', '[fe80::abcd]', '10.0.0.1', ''])
    assert.equal(serverNameOf(address), undefined, address)
  for (const name of ['localhost', 'a.b', '1.2.3.4.example', 'beef']) assert.equal(serverNameOf(name), name)
  assert.deepEqual(certifiedFor('a.b'), { servername: 'a.b' })
})

/** A type whose connection begins with TLS, and the port of a server without. */
interface Fronted {
  type: string
  skip: string | false
  start(t: TestContext): Promise<number>
  spec(host: string, port: number): object
}

const fronted: Fronted[] = [
  {
    type: 'mqtt',
    skip: without('mosquitto', mosquittoBinary()),
    async start(t) {
      const server = await startMosquitto()
      t.after(() => server.close())
      return server.port
    },
    spec: (host, port) => ({ url: `ssl://${host}:${port}`, topic: 't', clientId: 'c', tls }),
  },
  {
    type: 'redis',
    skip: without('redis-server', redisBinary()),
    async start(t) {
      const server = await startRedis()
      t.after(() => server.close())
      return server.port
    },
    spec: (host, port) => ({ hostAddress: `${host}:${port}`, channels: ['c'], tls }),
  },
  {
    type: 'amqp',
    skip: without('rabbitmq-server', rabbitmqBinary()),
    async start(t) {
      const server = await startRabbitmq()
      t.after(() => server.close())
      return Number(new URL(server.url).port)
    },
    spec: (host, port) => ({
      url: `amqps://guest:guest@${host}:${port}`,
      exchangeName: 'e',
      exchangeType: 'direct',
      routingKey: 'k',
      tls,
    }),
  },
  {
    type: 'emitter',
    skip: false,
    async start(t) {
      const server = await startFakeEmitter({ keys: { k: 'c' } })
      t.after(() => server.close())
      return Number(new URL(server.url.replace('tcp:', 'http:')).port)
    },
    spec: (host, port) => ({ broker: `ssl://${host}:${port}`, channelName: 'c', channelKey: 'k', tls }),
  },
]

for (const { type, skip, start, spec } of fronted) {
  test(`${type}: by IPv4 and IPv6, verified`, { skip, timeout: 120_000 }, async (t) => {
    const port = await start(t)
    const front = async (certificate: { cert: string; key: string }, host: string) => {
      const made = await startTlsFront(port, { ...certificate, host })
      t.after(() => made.close())
      return made
    }
    for (const host of loopback) {
      const right = await front(forAddresses, host)
      await works(await serve(t, type, spec(inUrl(host), right.port), secretsOf(forAddresses)))
      assert.ok(
        right.names.every((name) => name === null),
        right.names.join(),
      )
      const wrong = await front(forName, host)
      assert.match(await failure(await serve(t, type, spec(inUrl(host), wrong.port), secretsOf(forName))), MISMATCH)
    }
    const named = await front(forName, '127.0.0.1')
    await works(await serve(t, type, spec('localhost', named.port), secretsOf(forName)))
    assert.deepEqual([...new Set(named.names)], ['localhost'])
  })
}

test('mqtt by WebSocket: IPv6 in brackets', { skip: fronted[0]!.skip }, async (t) => {
  const [host] = ['::1']
  const front = await startTlsFront(1, { ...forAddresses, host })
  t.after(() => front.close())
  const spec = { url: `wss://[${host}]:${front.port}`, topic: 't', clientId: 'c', tls }
  // Nothing is behind it: the handshake is what is looked at.
  await failure(await serve(t, 'mqtt', spec, secretsOf(forAddresses)))
  assert.deepEqual(front.names, [null])
})

suite('Kafka', { skip: without('Kafka', kafkaJars()), timeout: 240_000 }, () => {
  const sasl = {
    mechanism: 'PLAIN',
    userSecret: { name: 's', key: 'user' },
    passwordSecret: { name: 's', key: 'password' },
  }
  const secrets = (certificate: { cert: string }) =>
    secretsOf(certificate, { 's/user': KAFKA_USER, 's/password': KAFKA_PASSWORD })

  for (const [secureHost, certificate] of [
    ['127.0.0.1', forAddresses],
    ['localhost', makeCertificate()],
  ] as const) {
    test(`by address, where brokers are called ${secureHost}`, async (t) => {
      const server = await startKafka({ secureHost, certificate })
      t.after(() => server.close())
      const plain = await connectKafka({ brokers: [server.broker], clientId: 'c' })
      t.after(() => plain.close())
      await plain.admin.createTopics({ topics: ['t'], partitions: 1, replicas: 1 })
      const url = `127.0.0.1:${server.secure.split(':').at(-1)}`
      const spec = { url, topic: 't', partition: '0', tls, sasl }
      await works(await serve(t, 'kafka', spec, secrets(certificate)))
      // What a bus has of it.
      const login = { mechanism: 'PLAIN' as const, username: KAFKA_USER, password: KAFKA_PASSWORD }
      const material = { rejectUnauthorized: true, ca: certificate.cert }
      const client = await connectKafka({ brokers: [url], clientId: 'c', tls: material, sasl: login })
      t.after(() => client.close())
      assert.deepEqual((await client.topic('t')).leaders, [1])
      assert.equal(await client.askNode(1, 'writing', async (connection) => connection.isConnected()), true)
    })
  }

  test('by an address that the certificate is not for: refused', async (t) => {
    const server = await startKafka({ secureHost: '127.0.0.1', certificate: forName })
    t.after(() => server.close())
    const spec = { url: server.secure, topic: 't', partition: '0', tls, sasl }
    assert.match(await failure(await serve(t, 'kafka', spec, secrets(forName))), MISMATCH)
  })
})

suite('NATS', { skip: without('nats-server', natsBinary('newest')), timeout: 60_000 }, () => {
  const config = 'tls { cert_file: "$DIR/cert.pem", key_file: "$DIR/key.pem" }'
  const startWith = async (t: TestContext, { cert, key }: { cert: string; key: string }) => {
    const server = await startNats({ config, files: { 'cert.pem': cert, 'key.pem': key } })
    t.after(() => server.close())
    return server.servers[0]!.port
  }

  test('as origin: a certificate for the address is taken, one for localhost is not', async (t) => {
    const spec = (host: string, port: number) => ({ url: `tls://${host}:${port}`, subject: 's', tls })
    const right = await startWith(t, forAddresses)
    await works(await serve(t, 'nats', spec('127.0.0.1', right), secretsOf(forAddresses)))
    const wrong = await startWith(t, forName)
    assert.match(await failure(await serve(t, 'nats', spec('127.0.0.1', wrong), secretsOf(forName))), MISMATCH)
    await works(await serve(t, 'nats', spec('localhost', wrong), secretsOf(forName)))
  })

  test('as bus: likewise', async (t) => {
    for (const [{ cert, key }, taken] of [
      [forAddresses, true],
      [forName, false],
    ] as const) {
      const port = await startWith(t, { cert, key })
      const fixture = await jetStreamFor(t)
      const files = async () => ({ ca: cert })
      const client = fixture.client({
        servers: [`tls://127.0.0.1:${port}`],
        tls: { files, insecureSkipVerify: false },
      })
      await until('it is taken or refused', () => {
        const status = client.status()
        return taken ? status.connected : !status.connected && MISMATCH.test(status.error)
      })
    }
  })
})

test('NSQ: a certificate for the address is taken, one for localhost is not', {
  skip: without('NSQ', nsqdBinary()),
}, async (t) => {
  for (const certificate of [forAddresses, forName]) {
    const { cert, key } = certificate
    const server = await startNsq({ files: { 'cert.pem': cert, 'key.pem': key }, tls: true })
    t.after(() => server.close())
    await fetch(`${server.http}/topic/create?topic=t`, { method: 'POST' })
    const spec = { hostAddress: server.lookupd, topic: 't', channel: 'c', tls }
    const served = await serve(t, 'nsq', spec, secretsOf(certificate))
    if (certificate === forAddresses) await works(served)
    else {
      await served.until(({ conditions }) => conditions.some((one) => one !== null && MISMATCH.test(one)), 20_000)
    }
  }
})

test('Pulsar: by address', { skip: without('Pulsar', pulsarJars()), timeout: 120_000 }, async (t) => {
  const server = await startPulsar({ secured: true })
  t.after(() => server.close())
  const spec = {
    url: server.secureUrl.replace('localhost', '127.0.0.1'),
    topics: ['t'],
    type: 'exclusive',
    tlsTrustCertsSecret: caCertSecret,
    tlsValidateHostname: true,
    authTokenSecret: { name: 's', key: 'token' },
  }
  await works(await serve(t, 'pulsar', spec, { 's/ca': server.ca, 's/token': server.token }))
})

test('MinIO: a certificate for the address is taken, one for localhost is not', {
  skip: without('MinIO', minioBinary()),
  timeout: 60_000,
}, async (t) => {
  for (const certificate of [forAddresses, forName]) {
    const server = await startMinio({ tls: certificate })
    t.after(() => server.close())
    const spec = {
      endpoint: server.endpoint.replace('localhost', '127.0.0.1'),
      bucket: { name: 'input' },
      events: ['s3:ObjectCreated:*'],
      accessKey: { name: 's', key: 'u' },
      secretKey: { name: 's', key: 'p' },
      caCertificate: caCertSecret,
    }
    const secrets = secretsOf(certificate, { 's/u': 'a', 's/p': 'b' })
    const said = await failure(await serve(t, 'minio', spec, secrets))
    assert.match(said, certificate === forAddresses ? /^(?!TLS).*403/ : MISMATCH)
  }
})

test('generic (gRPC): a certificate for the address is taken, one for localhost is not', async (t) => {
  for (const certificate of [forAddresses, forName]) {
    const server = await startGeneric({ tls: certificate })
    t.after(() => server.close())
    const spec = { url: server.target, insecure: false, config: '', tls }
    const served = await serve(t, 'generic', spec, secretsOf(certificate))
    if (certificate === forAddresses) await works(served)
    else assert.match(await failure(served), MISMATCH)
  }
})

suite('HTTP clients', () => {
  for (const host of loopback) {
    test(`REST API by ${host}`, async (t) => {
      const { createServer } = await import('node:https')
      for (const certificate of [forAddresses, forName]) {
        const server = createServer(certificate, (_, response) => response.end('{"a":1}'))
        await new Promise<void>((resolve) => server.listen(0, host, resolve))
        t.after(() => server.close())
        const base = `https://${inUrl(host)}:${(server.address() as { port: number }).port}`
        const rest = await createRest({ base, headers: {}, clock: systemClock, tls: { ca: certificate.cert } })
        const answer = rest.call('GET', '/', AbortSignal.timeout(10_000))
        if (certificate === forAddresses) assert.deepEqual((await answer).body, { a: 1 })
        else await assert.rejects(answer, MISMATCH)
        // A kubeconfig's tls-server-name may be an address too.
        const connect = { ca: certificate.cert, ...certifiedFor('::1') }
        const dispatcher = new Agent({ connect })
        t.after(() => dispatcher.close())
        const direct = request(base, { dispatcher }).then(({ statusCode }) => statusCode)
        if (certificate === forAddresses) assert.equal(await direct, 200)
        else await assert.rejects(direct, MISMATCH)
      }
    })
  }
})
