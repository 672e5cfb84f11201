/** The connection to Event Hubs: what breaks it, what is wrong in words, tokens and their renewal, TLS, servers that are none. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import rhea from 'rhea'
import { makeCertificate } from '../../../test/certificate.ts'
import { endOf } from '../../../test/harness.ts'
import { until } from '../../../test/http-routes.ts'
import { bodies, keys, openHub, PATIENCE_MS, receiving, serveEntry } from '../../../test/servers/event-hubs-entry.ts'
import { freePorts } from '../../../test/servers/process.ts'
import { startProxy } from '../../../test/servers/proxy.ts'
import { type Clock, systemClock } from '../../core/clock.ts'

test('a link or a connection that breaks ends the attempt, and says why; the bus that refuses does too', async (t) => {
  const hub = await openHub(t)
  const detached = serveEntry(t, hub)
  await receiving(detached)
  hub.detach('amqp:link:detach-forced', 'The link is force detached. Reference:1, TrackingId:2, Timestamp:3')
  assert.equal((await endOf(detached)).message, `${hub.spec.fqdn}: The link is force detached.`)
  const refusedLink = serveEntry(t, hub)
  await receiving(refusedLink)
  hub.detach(
    'amqp:unauthorized-access',
    "Unauthorized access. 'Listen' claim(s) are required to perform this operation.",
  )
  assert.match((await endOf(refusedLink)).message, /^authentication: .* 'Listen' claim\(s\) are required/)
  const proxy = await startProxy(hub.port)
  t.after(() => proxy.close())
  const cut = serveEntry(t, { ...hub, spec: { ...hub.spec, fqdn: `127.0.0.1:${proxy.port}` } })
  await receiving(cut)
  proxy.cut()
  assert.match((await endOf(cut)).message, /the connection was (closed|reset)/)
  const refused = serveEntry(t, hub)
  await receiving(refused)
  refused.failWith = new Error('the bus is gone')
  await hub.send(0, 'x')
  assert.equal((await endOf(refused)).message, 'the bus is gone')
})

test('what is wrong is said: key, hub, Secret, host, port, six readers; never the key', async (t) => {
  const hub = await openHub(t)
  const [closed] = (await freePorts(1)) as [number]
  const wrong = randomBytes(32).toString('base64')
  for (const [more, secrets, words] of [
    [
      {},
      { 's/key': wrong },
      /^authentication: .* refuses the credentials: InvalidSignature: The token has an invalid signature\.$/,
    ],
    [{ hubName: 'other' }, {}, /: the event hub other does not exist; make it/],
    [
      { sharedAccessKey: { name: 'gone', key: 'k' } },
      {},
      /^failed to retrieve the shared access key from secret gone, /,
    ],
    [{ fqdn: 'no-such-host.invalid' }, {}, /^DNS: the host of no-such-host\.invalid is not known/],
    [{ fqdn: `127.0.0.1:${closed}` }, {}, /^TCP: .*: nothing listens there \(ECONNREFUSED\)/],
    [{ useDevelopmentEmulator: false }, {}, /^TLS: /],
  ] as const) {
    const harness = serveEntry(t, { spec: { ...hub.spec, ...more }, secrets: { ...hub.secrets, ...secrets } })
    const { message } = await endOf(harness)
    assert.match(message, words)
    assert.ok(!message.includes(wrong) && !message.includes(hub.policy.key))
    assert.deepEqual(
      harness.conditions.filter((one) => one === null),
      [],
    )
  }
  const five = Array.from({ length: 5 }, () => serveEntry(t, hub))
  for (const one of five) await receiving(one)
  assert.match(
    (await endOf(serveEntry(t, hub))).message,
    /maximum number of allowed receivers .*\(five readers may share/,
  )
})

test('tokens are put anew before they end; a key that is no longer good ends the attempt', async (t) => {
  const hub = await openHub(t)
  let wake = () => {}
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) =>
      ms < 60_000 ? systemClock.sleep(ms, signal) : new Promise((resolve) => (wake = () => resolve())),
  }
  const harness = serveEntry(t, hub, { clock })
  await receiving(harness)
  const before = hub.authorized.length
  wake()
  await until(() => hub.authorized.length === before + 2, 'the double has seen it', PATIENCE_MS)
  await hub.send(0, 'still')
  await harness.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  hub.policy.key = randomBytes(32).toString('base64')
  wake()
  assert.match((await endOf(harness)).message, /^authentication: /)
})

test('without keys Entra ID gives the token (here to a managed identity), and the connection is TLS', async (t) => {
  const certificate = makeCertificate()
  const trusted = getCACertificates('default')
  let permitted = false
  const identity = createHttpServer((request, response) => {
    const asked = new URL(request.url!, 'http://h').searchParams.get('resource')
    const right = request.headers['x-identity-header'] === 'h' && asked === 'https://eventhubs.azure.net/'
    const good = {
      access_token: 'good',
      expires_on: Math.floor(Date.now() / 1000) + 3_600,
      resource: asked,
      token_type: 'Bearer',
    }
    const bad = {
      error: 'unauthorized_client',
      error_description: 'AADSTS700016: no such application',
      correlation_id: 'c',
    }
    response.writeHead(right && permitted ? 200 : 400, { 'content-type': 'application/json' })
    response.end(JSON.stringify(right && permitted ? good : bad))
  })
  await new Promise<void>((resolve) => identity.listen(0, '127.0.0.1', resolve))
  process.env.IDENTITY_ENDPOINT = `http://127.0.0.1:${(identity.address() as AddressInfo).port}/token`
  process.env.IDENTITY_HEADER = 'h'
  t.after(() => {
    identity.close()
    delete process.env.IDENTITY_ENDPOINT
    delete process.env.IDENTITY_HEADER
    setDefaultCACertificates(trusted)
  })
  const hub = await openHub(t, 1, { tls: certificate, tokens: ['good'] })
  const spec = { fqdn: `localhost:${hub.port}`, hubName: 'orders' }
  assert.match(
    (await endOf(serveEntry(t, { spec, secrets: {} }))).message,
    /^authentication: no token for localhost:\d+: .*unauthorized_client/,
  )
  permitted = true
  assert.match((await endOf(serveEntry(t, { spec, secrets: {} }))).message, /^TLS: .*certificate/)
  setDefaultCACertificates([...trusted, certificate.cert])
  const harness = serveEntry(t, { spec, secrets: {} })
  await receiving(harness)
  hub.hubs.append('orders', 0, rhea.message.encode({ body: 'x' } as never) as unknown as Buffer)
  hub.pump()
  await harness.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  assert.deepEqual(bodies(harness), ['x'])
})

test('whoever answers something else, or nothing, is told apart; stopping needs no answer', async (t) => {
  const listen = async (server: Server): Promise<string> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const serveAt = (fqdn: string, clock = systemClock) =>
    serveEntry(
      t,
      {
        spec: { fqdn, hubName: 'orders', useDevelopmentEmulator: true, ...keys },
        secrets: { 's/name': 'n', 's/key': 'a2V5' },
      },
      { clock },
    )
  for (const garbage of [
    Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    Buffer.from('AMQP\x03\x01\x00\x00'),
    randomBytes(4_096),
  ]) {
    const fqdn = await listen(createServer((socket) => void socket.on('error', () => {}).end(garbage)))
    assert.equal((await endOf(serveAt(fqdn))).code, 'ORIGIN_UNAVAILABLE')
  }
  const sockets = new Set<Socket>()
  const silent = await listen(
    createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      socket.resume()
    }),
  )
  const harness = serveAt(silent)
  await until(() => sockets.size === 1, 'the silent server has been asked', PATIENCE_MS)
  assert.equal(await harness.stop(), undefined)
  const clock: Clock = { ...systemClock, after: (ms, fn) => systemClock.after(ms / 20, fn) }
  assert.match((await endOf(serveAt(silent, clock))).message, /^TCP: .*: no answer$/)
  await until(() => sockets.size === 0, 'no connection is left behind', PATIENCE_MS)
})
