/** Core NATS against nats-server: payloads, logins, every error, lost connections. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connect, headers, nkeys } from '@nats-io/transport-node'
import { makeCertificate } from '../../test/certificate.ts'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { natsBinary, startNats } from '../../test/servers/nats.ts'
import { freePorts } from '../../test/servers/process.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import nats from './nats.ts'

const skip = without('nats-server', natsBinary('newest'))

test('what cannot work is found before anything connects, with a remedy', () => {
  const valid = { url: 'nats://h', subject: 's' }
  for (const [more, path] of [
    [{ subject: 'a b' }, 'subject'],
    [{ subject: 'a..b' }, 'subject'],
    [{ url: ' , ' }, 'url'],
    [{ auth: { basic: { username: { name: 's', key: 'k' } } } }, 'auth.basic.password'],
  ] as const) {
    const findings = nats.validate!(nats.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path.join('.'), one.fatal, one.remedy !== undefined]),
      [[path, true, true]],
    )
  }
  const grouped = nats.spec.parse({ ...valid, queue: 'g' })
  assert.equal(nats.guaranteeOf!(grouped), 'at-most-once')
  assert.deepEqual(
    nats.validate!(grouped).map(({ fatal }) => fatal),
    [undefined],
  )
})

async function started(t: TestContext, config = '') {
  const server = await startNats({ config })
  t.after(() => server.close())
  return { url: server.urls[0]!, port: server.servers[0]!.port }
}
function listen(t: TestContext, spec: object, secrets: Record<string, string> = {}): Harness<unknown> {
  const harness: Harness<unknown> = serveInHarness(nats, { subject: 's.>', ...spec }, { secrets })
  t.after(() => harness.stop())
  return harness
}
const subscribed = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.includes(null), 15_000)

test('payload as Argo Events: base64 or JSON, headers as sent; no JSON is skipped; Nats-Msg-Id identifies', {
  skip,
}, async (t) => {
  const { url } = await started(t)
  const plain = listen(t, { url, metadata: { k: 'v' } })
  const json = listen(t, { url, jsonBody: true })
  await Promise.all([subscribed(plain), subscribed(json)])
  const nc = await connect({ servers: url })
  t.after(() => nc.close())
  nc.publish('s.a', Buffer.from([0xff, 0]))
  const given = headers()
  given.append('trace', '1')
  given.append('Nats-Msg-Id', 'm1')
  given.append('trace', '2')
  for (let i = 0; i < 2; i++) nc.publish('s.b', '{ "a": 1 }', { headers: given })
  await plain.until(({ emitted }) => emitted.length === 3)
  await json.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1)
  assert.equal(plain.emitted[0]!.text, '{"subject":"s.a","body":"/wA=","metadata":{"k":"v"}}')
  assert.equal(
    json.emitted[0]!.text,
    '{"subject":"s.b","body":{"a":1},"header":{"Nats-Msg-Id":["m1"],"trace":["1","2"]}}',
  )
  assert.match(json.emitted[0]!.id!, /^m1:[0-9a-f]{32}$/)
  assert.equal(json.emitted[1]!.id, json.emitted[0]!.id)
  assert.equal(plain.emitted[0]!.id, undefined)
})

test('ids: of two CloudEvents of one Nats-Msg-Id, those of two sources or types are two events', {
  skip,
}, async (t) => {
  const { url } = await started(t)
  const harness = listen(t, { url })
  await subscribed(harness)
  const nc = await connect({ servers: url })
  t.after(() => nc.close())
  for (const [source, type] of [
    ['/orders', 'made'],
    ['/orders', 'made'],
    ['/bills', 'made'],
    ['/orders', 'paid'],
  ] as const) {
    const given = headers()
    for (const [name, value] of Object.entries({
      'Nats-Msg-Id': '1',
      'ce-id': '1',
      'ce-source': source,
      'ce-type': type,
    }))
      given.set(name, value)
    nc.publish('s.a', '{}', { headers: given })
  }
  await harness.until(({ emitted }) => emitted.length === 4)
  const ids = harness.emitted.map(({ id }) => id)
  assert.equal(ids[0], ids[1])
  assert.equal(new Set(ids).size, 3)
})

test('logins: user and password from Secrets or the URL, a token, an NKey', { skip }, async (t) => {
  const user = { username: { name: 's', key: 'u' }, password: { name: 's', key: 'p' } }
  const basic = await started(t, 'authorization { user: "a", password: "b%c" }')
  await subscribed(listen(t, { url: basic.url, auth: { basic: user } }, { 's/u': 'a', 's/p': 'b%c' }))
  await subscribed(listen(t, { url: basic.url.replace('//', '//a:b%25c@') }))
  const token = await started(t, 'authorization { token: "t" }')
  await subscribed(listen(t, { url: token.url, auth: { token: { name: 's', key: 't' } } }, { 's/t': 't' }))
  const owner = nkeys.createUser()
  const nkey = await started(t, `authorization { users: [ { nkey: "${owner.getPublicKey()}" } ] }`)
  const seed = Buffer.from(owner.getSeed()).toString()
  await subscribed(listen(t, { url: nkey.url, auth: { nkey: { name: 's', key: 'n' } } }, { 's/n': `${seed}\n` }))
})

test('TLS: verified by a given authority, refused without it', { skip }, async (t) => {
  const { cert, key } = makeCertificate()
  const server = await startNats({
    config: 'tls { cert_file: "$DIR/cert.pem", key_file: "$DIR/key.pem" }',
    files: { 'cert.pem': cert, 'key.pem': key },
  })
  t.after(() => server.close())
  const url = `tls://localhost:${server.servers[0]!.port}`
  await subscribed(listen(t, { url, tls: { caCertSecret: { name: 's', key: 'ca' } } }, { 's/ca': cert }))
  await subscribed(listen(t, { url, tls: { insecureSkipVerify: true } }))
  assert.match((await endOf(listen(t, { url }))).message, /TLS: localhost|certificate/)
})

test('what is wrong is said: nobody there, no such host, wrong password, not permitted, a silent server', {
  skip,
}, async (t) => {
  const config =
    'authorization { users: [ { user: a, password: b, permissions: { subscribe: "other" } }, { user: c, password: d } ] }'
  const { url, port } = await started(t, config)
  const [free] = (await freePorts(1)) as [number]
  for (const [spec, words] of [
    [{ url: `nats://127.0.0.1:${free}` }, /TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    [{ url: 'nats://no-such-host.invalid' }, /DNS: the host of no-such-host\.invalid/],
    [{ url: url.replace('//', '//a:false@') }, /authentication: .*refuses the credentials/],
    [{ url: url.replace('//', '//a:b@') }, /authentication: .*s\.>/],
  ] as const) {
    const error = await endOf(listen(t, spec))
    assert.match(error.message, words)
    assert.doesNotMatch(error.message, /false/)
  }
  const proxy = await startProxy(port)
  t.after(() => proxy.close())
  const silenced = listen(t, { url: `nats://c:d@127.0.0.1:${proxy.port}` })
  await subscribed(silenced)
  proxy.faults.dropToClient = true
  assert.match((await endOf(silenced)).message, /silent|closed/)
})
