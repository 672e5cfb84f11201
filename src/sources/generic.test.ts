/** Generic against a gRPC server of its contract: payloads, resuming, every error, lost connections. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { makeCertificate } from '../../test/certificate.ts'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { type GenericServerOptions, startGeneric } from '../../test/servers/generic.ts'
import { freePorts } from '../../test/servers/process.ts'
import type { GenericPosition } from './generic/serve.ts'
import generic from './generic.ts'
import { senderKey } from './payload/sender-id.ts'

const valid = { url: 'h:1', config: 'c', uniqueNames: true }

test('what Argo Events refuses, what cannot work, and what is seldom meant', () => {
  for (const [more, path, severity, fatal] of [
    [{ url: '' }, 'url', 'error', undefined],
    [{ config: '' }, 'config', 'error', undefined],
    [{ url: 'https://h:1' }, 'url', 'warning', true],
    [{ tls: {} }, 'tls', 'error', undefined],
    [{ insecure: true, tls: { enabled: true } }, 'tls', 'warning', undefined],
    [{ uniqueNames: false }, 'uniqueNames', 'advice', undefined],
  ] as const) {
    const findings = generic.validate!(generic.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.severity, one.fatal, one.remedy !== undefined]),
      [[path, severity, fatal, true]],
    )
  }
  assert.deepEqual(generic.validate!(generic.spec.parse(valid)), [])
  assert.equal(generic.guaranteeOf!(generic.spec.parse(valid)), 'exactly-once')
  assert.equal(generic.guaranteeOf!(generic.spec.parse({ ...valid, uniqueNames: false })), 'at-most-once')
})

async function started(t: TestContext, options?: GenericServerOptions) {
  const server = await startGeneric(options)
  t.after(() => server.close())
  return server
}
function serve(
  t: TestContext,
  spec: object,
  options: Parameters<typeof serveInHarness<any, GenericPosition>>[2] = {},
): Harness<GenericPosition> {
  const harness = serveInHarness(generic, { ...valid, insecure: true, ...spec }, options)
  t.after(() => harness.stop())
  return harness
}
const fine = (harness: Harness<GenericPosition>) => harness.until(({ conditions }) => conditions.includes(null), 15_000)

test('request and payload as Argo Events: base64 or JSON; no JSON is skipped; names do not count', async (t) => {
  const server = await started(t)
  const url = server.target
  server.send(['{ "a": 1 }', 'no json', ''], 'same')
  const plain = serve(t, { url, config: 'käse', uniqueNames: false, metadata: { k: 'v' } })
  await plain.until(({ emitted }) => emitted.length === 3)
  assert.deepEqual(
    plain.emitted.map(({ text }) => text),
    [
      '{"body":"eyAiYSI6IDEgfQ==","metadata":{"k":"v"}}',
      '{"body":"bm8ganNvbg==","metadata":{"k":"v"}}',
      '{"body":null,"metadata":{"k":"v"}}',
    ],
  )
  assert.deepEqual(
    plain.emitted.map(({ id, position }) => [id, position]),
    Array(3).fill([undefined, undefined]),
  )
  const json = serve(t, { url, uniqueNames: false, jsonBody: true })
  await json.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1)
  assert.deepEqual(
    json.emitted.map(({ text }) => text),
    ['{"body":{"a":1}}', '{"body":null}'],
  )
  assert.deepEqual(server.requests[0], { name: 'e', config: 'käse', lastName: null, authorization: null })
})

test('unique names: one that is used again for another payload, as by a server that counts anew, is another event', async (t) => {
  const server = await started(t)
  for (const payload of ['1', '1', '2']) server.send([payload], 'same')
  const harness = serve(t, { url: server.target })
  await harness.until(({ emitted }) => emitted.length === 3)
  const [first, again, other] = harness.emitted.map(({ id }) => id)
  assert.equal(again, first)
  assert.notEqual(other, first)
})

test('unique names: identify, and the next stream goes on after the last one; what is skipped counts too', async (t) => {
  const server = await started(t)
  server.send(['1'], 'ä/1')
  server.send(['x', '2'])
  const first = serve(t, { url: server.target, jsonBody: true })
  await first.until(({ emitted, advanced }) => emitted.length === 2 && advanced.length === 1)
  assert.deepEqual(
    first.emitted.map(({ id, position }) => [id, position]),
    [
      [senderKey('ä/1', '1'), { name: 'ä/1' }],
      [senderKey('n2', '2'), { name: 'n2' }],
    ],
  )
  assert.deepEqual(first.advanced, [{ name: 'n1' }])
  await first.stop()
  const second = serve(t, { url: server.target, jsonBody: true }, { resume: { name: 'ä/1' } })
  await second.until(({ emitted }) => emitted.length === 1)
  assert.equal(second.emitted[0]!.id, first.emitted[1]!.id)
  assert.equal(server.requests[1]!.lastName, '%C3%A4%2F1')
})

test('5,000 events in their order; a bus that takes nothing holds the stream back, not the memory', async (t) => {
  const server = await started(t)
  const release = Promise.withResolvers<void>()
  const harness = serve(t, { url: server.target, jsonBody: true })
  const { emit } = harness.context
  let asked = 0
  harness.context.emit = async (event) => {
    asked++
    await release.promise
    return await emit(event)
  }
  server.send(Array.from({ length: 5_000 }, (_, n) => `{"n":${n}}`))
  await harness.until(() => asked > 0 || harness.conditions.includes(null))
  while (asked < 128) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(asked, 128)
  release.resolve()
  await harness.until(({ emitted }) => emitted.length === 5_000, 20_000)
  assert.deepEqual(
    harness.emitted.map(({ text }) => JSON.parse(text).body.n),
    Array.from({ length: 5_000 }, (_, n) => n),
  )
})

test('the stream ends, the server goes away: said, and what had come is stored', async (t) => {
  for (const [how, words] of [
    ['endStreams', /^127\.0\.0\.1:\d+: the server has ended the stream$/],
    ['close', /127\.0\.0\.1:\d+: /],
  ] as const) {
    const server = await started(t)
    server.send(['1'])
    const harness = serve(t, { url: server.target })
    await harness.until(({ emitted }) => emitted.length === 1)
    await server[how]()
    const error = await endOf(harness)
    assert.equal(error.code, 'ORIGIN_UNAVAILABLE')
    assert.match(error.message, words)
  }
})

test('what is wrong is said: nobody there, DNS, token, TLS, a missing secret', async (t) => {
  const { cert, key } = makeCertificate()
  const [free] = (await freePorts(1)) as [number]
  const guarded = await started(t, { token: 'right' })
  const secure = await started(t, { tls: { cert, key } })
  const authSecret = { name: 's', key: 'token' }
  for (const [spec, secrets, words] of [
    [{ url: `127.0.0.1:${free}` }, {}, /^TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    [{ url: 'no-such-host.invalid:1' }, {}, /^DNS: the host of no-such-host\.invalid:1 is not known/],
    [{ url: guarded.target }, {}, /^authentication: .*the server refuses the request/],
    [{ url: guarded.target, authSecret }, { 's/token': 'wrong' }, /^authentication: .*the server refuses the request/],
    [{ url: guarded.target, authSecret }, {}, /failed to retrieve the auth token/],
    [{ url: secure.target, insecure: false }, {}, /^TLS: 127\.0\.0\.1:\d+: .*self.signed/i],
  ] as [object, Record<string, string>, RegExp][]) {
    const error = await endOf(serve(t, spec, { secrets }))
    assert.match(error.message, words)
    assert.doesNotMatch(error.message, /wrong$/)
  }
  const right = serve(t, { url: guarded.target, authSecret }, { secrets: { 's/token': 'right' } })
  await fine(right)
  assert.equal(guarded.requests.at(-1)!.authorization, 'Bearer right')
  const trusted = { url: secure.target, insecure: false, tls: { caCertSecret: { name: 's', key: 'ca' } } }
  await fine(serve(t, trusted, { secrets: { 's/ca': cert } }))
})

test('an event that is larger than gRPC takes: said', async (t) => {
  const server = await started(t)
  server.send([Buffer.alloc(5 * 1024 * 1024)])
  const error = await endOf(serve(t, { url: server.target }))
  assert.match(error.message, /an event is larger than the 4194304 bytes that gRPC takes/)
})

test('a standby connects, asks for nothing, and says when nobody is there', async (t) => {
  const server = await started(t)
  const standby = serve(t, { url: server.target }, { prepareOnly: true })
  await fine(standby)
  assert.equal(server.requests.length, 0)
  await server.close()
  assert.match((await endOf(standby)).message, /TCP: .*the connection is lost/)
})

test('told to stop it ends at once, though the server goes on', async (t) => {
  const server = await started(t)
  const harness = serve(t, { url: server.target })
  await fine(harness)
  assert.equal(server.streams(), 1)
  assert.equal(await harness.stop(), undefined)
  server.send(['late'])
  assert.equal(harness.emitted.length, 0)
})
