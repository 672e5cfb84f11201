import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, test } from 'node:test'
import fc from 'fast-check'
import { parseAllDocuments } from 'yaml'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { fail } from '../core/errors.ts'
import type { Finding, HttpRequest } from '../source.ts'
import webhook from './webhook.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

/** The source behind a real listener. */
const serve = async (spec: Record<string, unknown> = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(
    webhook,
    (port) => ({ endpoint: '/e', port: String(port), method: 'POST', ...spec }),
    { secrets: { 's/token': 'secret' } },
  )
  cleanUps.push(() => served.close())
  return served
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const bodyOf = (event: string): string => /"body":(.*)}$/s.exec(event)![1]!

test('the payload is upstream’s, byte for byte', async () => {
  const { harness, send, events } = await serve({ metadata: { team: 'x', '10': 'b', '9': '<a>' } })
  const reply = await send(
    'POST /e',
    { ...JSON_TYPE, Accept: '*/*', 'x-foo-bar': '1', 'X-Foo-Bar': '2' },
    '{"a":"<1>"}',
  )
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  assert.deepEqual(events(), [
    '{"header":{"Accept":["*/*"],"Content-Length":["11"],"Content-Type":["application/json"],"X-Foo-Bar":["1","2"]},' +
      '"body":{"a":"\\u003c1\\u003e"},"metadata":{"10":"b","9":"\\u003ca\\u003e","team":"x"}}',
  ])
  assert.match(reply.headers['x-event-id']!, /^[0-9a-f]{32}$/)
  assert.equal(harness.emitted[0]!.id, undefined)
})

test('GET: the query becomes the body', async () => {
  const { send, events } = await serve({ method: 'GET' })
  const cases: [query: string, body: string][] = [
    ['', '{}'],
    ['?', '{}'],
    ['?a=1&a=2&b=x%20y', '{"a":["1","2"],"b":["x y"]}'],
    ['?b=+%2B&a', '{"a":[""],"b":[" +"]}'],
    ['?10=a&9=b&__proto__=c', '{"10":["a"],"9":["b"],"__proto__":["c"]}'],
    ['?a=%zz&b=1;c=2&d=%ff&=e&%3C=f', '{"":["e"],"\\u003c":["f"],"d":["\\ufffd"]}'],
    ['?q=\'"x#y=z', '{"q":["\'\\"x#y=z"]}'],
  ]
  for (const [query, body] of cases) {
    assert.equal((await send(`GET /e${query}`)).status, 200, query)
    assert.equal(bodyOf(events().at(-1)!), body, query)
  }
})

test('POST of a form: the form becomes the body, the query does not', async () => {
  const { send, events } = await serve()
  const cases: [form: string, body: string][] = [
    ['b=2&a=1&a=3', '{"a":["1","3"],"b":["2"]}'],
    ['{"a":1}', '{"{\\"a\\":1}":[""]}'],
    ['', '{}'],
    ['x=caf%C3%A9+%26', '{"x":["café \\u0026"]}'],
  ]
  for (const [form, body] of cases) {
    assert.equal((await send('POST /e?q=1', FORM, form)).status, 200, form)
    assert.equal(bodyOf(events().at(-1)!), body, form)
  }
  const refused: [start: string, form: string, message: string][] = [
    ['POST /e', 'a=%zz', 'invalid URL escape "%zz"'],
    ['POST /e', 'a=1;b=2', 'invalid semicolon separator in query'],
    ['POST /e?a=%z', 'a=1', 'invalid URL escape "%z"'],
    ['POST /e', 'a&'.repeat(10_001), 'number of URL query parameters exceeded limit'],
  ]
  for (const [start, form, message] of refused) {
    const { status, body } = await send(start, FORM, form)
    assert.deepEqual([status, body], [400, message])
  }
  assert.equal(events().length, cases.length)
})

test('POST of anything else: the JSON as sent, compact; also with a charset in the form type', async () => {
  const { send, events } = await serve()
  const cases: [sent: string, body: string][] = [
    [' { "b" : 1.0,\n"a":12345678901234567890,"b":[ ] } ', '{"b":1.0,"a":12345678901234567890,"b":[]}'],
    ['"text"', '"text"'],
    ['-1e5', '-1e5'],
    ['null', 'null'],
    ['{"é":"\u2028&"}', '{"é":"\\u2028\\u0026"}'],
  ]
  const types = [undefined, 'application/json', 'text/plain', 'application/x-www-form-urlencoded; charset=utf-8']
  for (const type of types) {
    for (const [sent, body] of cases) {
      assert.equal((await send('POST /e', type === undefined ? {} : { 'Content-Type': type }, sent)).status, 200)
      assert.equal(bodyOf(events().at(-1)!), body)
    }
  }
})

test('a form in other words is a form: capitals, parameters; what is called neither is refused with its type', async () => {
  const { send, events } = await serve()
  for (const type of [
    'application/x-www-form-urlencoded; charset=UTF-8',
    'application/x-www-form-urlencoded;charset=utf-8',
    'Application/X-WWW-Form-URLEncoded',
  ]) {
    assert.equal((await send('POST /e', { 'Content-Type': type }, 'a=1&a=2&b=')).status, 200, type)
    assert.equal(bodyOf(events().at(-1)!), '{"a":["1","2"],"b":[""]}', type)
  }
  const { status, body } = await send('POST /e', { 'Content-Type': 'text/XML; charset=utf-8' }, '<a/>')
  assert.equal(status, 400)
  assert.match(
    body,
    /invalid character '<' .* \(Content-Type text\/xml: taken are JSON and application\/x-www-form-urlencoded\)$/,
  )
})

test('bytes that are not UTF-8 reach the bus as they came', async () => {
  const { harness, send } = await serve()
  assert.equal((await send('POST /e', JSON_TYPE, Buffer.from('{"a": "\xff"}', 'latin1'))).status, 200)
  const data = harness.emitted[0]!.data as Buffer
  assert.ok(data.includes(Buffer.from('"body":{"a":"\xff"}}', 'latin1')))
})

test('what is not JSON gets 400 in upstream’s words, once', async () => {
  const { send, events } = await serve()
  const prefix = 'json: error calling MarshalJSON for type *json.RawMessage: '
  const cases: [sent: string, why: string][] = [
    ['', 'unexpected end of JSON input'],
    ['hello', "invalid character 'h' looking for beginning of value"],
    ['{"a":1', 'unexpected end of JSON input'],
    ['{} {}', "invalid character '{' after top-level value"],
    ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
    ['['.repeat(10_001), "invalid character '[' exceeded max depth"],
  ]
  for (const [sent, why] of cases) {
    const { status, body } = await send('POST /e', JSON_TYPE, sent)
    assert.deepEqual([status, body], [400, prefix + why], sent.slice(0, 20))
  }
  const none = await send('POST /e')
  assert.deepEqual([none.status, none.body], [400, `${prefix}unexpected end of JSON input`])
  assert.deepEqual(events(), [])
})

test('another method is 405, too large is 413 (also for forms), compressed is 415, without token 401', async () => {
  const { send, events } = await serve({ maxPayloadSize: 10, authSecret: { name: 's', key: 'token' } })
  const bearer = { Authorization: 'Bearer secret' }
  assert.equal((await send('POST /e', {}, '{}')).status, 401)
  const put = await send('PUT /e', bearer, '{}')
  assert.deepEqual([put.status, put.body, put.headers.allow], [405, 'http method does not match', 'POST'])
  assert.equal((await send('POST /e', bearer, '"123456789"')).status, 413)
  assert.equal((await send('POST /e', { ...bearer, ...FORM }, 'a=123456789')).status, 413)
  assert.equal((await send('POST /e', { ...bearer, 'Content-Encoding': 'gzip' }, '{}')).status, 415)
  assert.deepEqual(events(), [])
  assert.equal((await send('POST /e', bearer, '"12345678"')).status, 200)
  assert.match(events()[0]!, /"Authorization":\["\*\*\* Masked Auth Secret \*\*\*"\]/)
  assert.ok(!events()[0]!.includes('secret"'))
})

test('any body of any type is an event that is JSON, or 400; never a 5xx', async () => {
  const { send, events } = await serve()
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc.webQueryParameters().map((text) => Buffer.from(text)),
    fc
      .array(fc.constantFrom('a', '=', '&', ';', '%', '%41', '%ff', '+', '{', '"'))
      .map((parts) => Buffer.from(parts.join(''))),
  )
  await fc.assert(
    fc.asyncProperty(body, fc.constantFrom({}, FORM, JSON_TYPE), async (sent, type) => {
      const before = events().length
      const { status } = await send('POST /e', type, sent)
      assert.ok(status === 200 || status === 400, `${status}`)
      assert.equal(events().length, before + (status === 200 ? 1 : 0))
      if (status === 200) webhook.event.parse(JSON.parse(events().at(-1)!))
    }),
    { seed: Number(process.env.VEDETTE_SEED ?? 20261122), numRuns: Number(process.env.VEDETTE_FUZZ ?? 300) },
  )
})

test('200 only when the bus has it: 503 with Retry-After while it cannot, and the next request works', async () => {
  const { harness, send, events } = await serve()
  for (const code of ['BUS_UNAVAILABLE', 'BUS_FULL', 'BUS_BUSY'] as const) {
    harness.failWith = fail(code, 'not now')
    const { status, body, headers } = await send('POST /e', JSON_TYPE, '{}')
    assert.deepEqual([status, body, headers['retry-after']], [503, 'failed to record event', '1'])
  }
  harness.failWith = fail('EVENT_TOO_LARGE', 'event has 9 bytes, the bus takes 8')
  assert.equal((await send('POST /e', JSON_TYPE, '{}')).status, 413)
  harness.failWith = null
  assert.equal((await send('POST /e', JSON_TYPE, '{}')).status, 200)
  assert.equal(events().length, 1)
})

test('the answer waits for the bus', async () => {
  const { harness, send } = await serve()
  const { emit } = harness.context
  const stored = Promise.withResolvers<void>()
  harness.context.emit = async (event) => {
    const emitted = await emit(event)
    await stored.promise
    return emitted
  }
  let answered = false
  const reply = send('POST /e', JSON_TYPE, '{}').then((reply) => {
    answered = true
    return reply
  })
  await harness.until(({ emitted }) => emitted.length === 1)
  assert.equal(answered, false)
  stored.resolve()
  assert.equal((await reply).status, 200)
})

test('a sender’s key makes the same id for the same body, path and query only', async () => {
  const { harness, send } = await serve({ endpoint: '/t/{tenant}' })
  const idOf = async (headers: Record<string, string>, body: string, path = '/t/a') => {
    const reply = await send(`POST ${path}`, { ...JSON_TYPE, ...headers }, body)
    assert.equal(reply.status, 200)
    const { id } = harness.emitted.at(-1)!
    if (id !== undefined) assert.match(id, /^[\x21-\x7e]{1,200}$/)
    return id === undefined ? undefined : reply.headers['x-event-id']
  }
  const key = { 'Idempotency-Key': 'k1' }
  const first = await idOf(key, '{}')
  assert.ok(first)
  assert.equal(await idOf(key, '{}'), first)
  assert.equal(await idOf({ ...key, 'X-Attempt': '2', 'Webhook-Id': 'w', 'Ce-Id': 'c' }, '{}'), first)
  const others = [
    await idOf(key, '{ }'),
    await idOf(key, '{}', '/t/b'),
    await idOf(key, '{}', '/t/a?tenant=b'),
    await idOf({ 'Idempotency-Key': 'k2' }, '{}'),
    await idOf({ 'webhook-id': 'w1' }, '{}'),
    await idOf({ 'ce-id': 'c1' }, '{}'),
    await idOf({ 'Idempotency-Key': '', 'webhook-id': 'w1', 'ce-id': 'x' }, '{} '),
    await idOf({ 'Idempotency-Key': 'k'.repeat(5000) }, '{}'),
    await idOf({ 'Idempotency-Key': 'k é 🦊' }, '{}'),
  ]
  assert.equal(new Set([first, ...others]).size, 1 + others.length)
  assert.ok(others.every((id) => id !== undefined))
  assert.equal(await idOf({}, '{}'), undefined)
  assert.equal(await idOf({ 'Idempotency-Key': '' }, '{}'), undefined)
})

test('a key alone makes the id that it made before there was more to tell senders apart: replicas of two builds agree', async () => {
  const { harness, send } = await serve()
  const digest = hash('sha256', 'POST /e\n{"n":1}').slice(0, 32)
  for (const name of ['Idempotency-Key', 'webhook-id', 'ce-id']) {
    await send('POST /e', { ...JSON_TYPE, [name]: 'k1' }, '{"n":1}')
    assert.equal(harness.emitted.at(-1)!.id, `k1:${digest}`, name)
  }
})

test('GET with a key: the query is what is the same', async () => {
  const { harness, send } = await serve({ method: 'GET' })
  for (const query of ['?a=1', '?a=1', '?a=2']) await send(`GET /e${query}`, { 'Idempotency-Key': 'k' })
  const ids = harness.emitted.map(({ id }) => id)
  assert.equal(ids[0], ids[1])
  assert.notEqual(ids[0], ids[2])
})

test('serve ends by the signal and throws what the listener throws', async () => {
  const { harness } = await serve()
  assert.equal(await harness.stop(), undefined)
  const refused = serveInHarness(
    webhook,
    { endpoint: '/e', port: '1', method: 'POST' },
    {
      http: async () => {
        throw fail('PORT_IN_USE', 'taken')
      },
    },
  )
  await refused.until(({ routes }) => routes.length === 1)
  const thrown = await refused.stop()
  assert.equal((thrown as Error).message, 'taken')
})

const findings = (spec: unknown): Finding[] => webhook.validate!(webhook.spec.parse(spec))
const good = { endpoint: '/e', port: '12000', method: 'POST', authSecret: { name: 's', key: 'token' } }

test('validate: what upstream refuses, first, in its words', () => {
  const cases: [spec: object, message: string][] = [
    [{}, "endpoint can't be empty"],
    [{ port: '1' }, "endpoint can't be empty"],
    [{ endpoint: '/e' }, "port can't be empty"],
    [{ ...good, port: 'abc' }, 'failed to parse server port abc. err: strconv.Atoi: parsing "abc": invalid syntax'],
    [{ ...good, port: ' 1' }, 'failed to parse server port  1. err: strconv.Atoi: parsing " 1": invalid syntax'],
    [
      { ...good, port: '9'.repeat(20) },
      `failed to parse server port ${'9'.repeat(20)}. err: strconv.Atoi: parsing "${'9'.repeat(20)}": value out of range`,
    ],
  ]
  for (const [spec, message] of cases) {
    assert.deepEqual(
      findings(spec).map((finding) => [finding.severity, finding.message]),
      [['error', message]],
    )
  }
})

test('validate: what cannot work is fatal, what is odd is a warning', () => {
  const fatal = (spec: object) =>
    findings({ ...good, ...spec }).map(({ path, fatal }) => [path.join('.'), fatal ?? false])
  assert.deepEqual(findings(good), [])
  for (const port of ['0', '-1', '65536', '99999']) assert.deepEqual(fatal({ port }), [['port', true]], port)
  for (const port of ['1', '65535', '+80', '0080']) assert.deepEqual(fatal({ port }), [], port)
  for (const endpoint of ['e', '/a//b', '/{', '/{x:(}'])
    assert.deepEqual(fatal({ endpoint }), [['endpoint', true]], endpoint)
  for (const method of ['', 'PUT', 'post', ' GET']) assert.deepEqual(fatal({ method }), [['method', true]], method)
  assert.match(findings({ ...good, method: 'post' })[0]!.remedy!, /method: POST/)
  assert.deepEqual(fatal({ serverCertSecret: { name: 'a', key: 'b' } }), [['serverCertSecret', false]])
  assert.deepEqual(fatal({ serverKeySecret: { name: 'a', key: 'b' } }), [['serverKeySecret', false]])
  assert.deepEqual(fatal({ maxPayloadSize: 0 }), [['maxPayloadSize', true]])
  assert.deepEqual(fatal({ maxPayloadSize: 0, method: 'GET' }), [])
})

test('validate agrees with upstream’s recorded vectors', (t) => {
  const file = new URL('../../test/golden/validation-vectors.jsonl', import.meta.url)
  if (!existsSync(file)) return t.skip('test/golden/validation-vectors.jsonl is not there')
  let seen = 0
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { kind, spec, error } = JSON.parse(line) as { kind: string; error: string | null; spec: Record<string, any> }
    const entries = kind === 'EventSource' && Object.keys(spec).join() === 'webhook' ? Object.values(spec.webhook) : []
    for (const entry of entries) {
      seen++
      const first = findings(entry).find(({ severity }) => severity === 'error')?.message ?? null
      assert.equal(first, error, line)
    }
  }
  assert.ok(seen >= 6, `${seen} vectors`)
})

test('listens, unsigned', () => {
  const spec = webhook.spec.parse(good)
  assert.deepEqual(webhook.listens!(spec), [{ port: 12000, endpoint: '/e' }])
  const unsigned = (more: object) => webhook.unsigned!(webhook.spec.parse({ ...good, ...more }))
  const secret = { name: 's', key: 'k' }
  assert.deepEqual(
    [unsigned({}), unsigned({ authSecret: undefined }), unsigned({ authSecret: undefined, signature: { secret } })],
    [false, true, false],
  )
})

for (const { name, yaml } of webhook.examples) {
  test(`example ${name} is valid and its endpoint serves`, async () => {
    const documents = parseAllDocuments(yaml).map((document) => (document as { toJS(): any }).toJS())
    const { spec } = documents.find(({ kind }) => kind === 'EventSource')
    for (const entry of Object.values(spec.webhook as Record<string, Record<string, unknown>>)) {
      assert.deepEqual(
        findings(entry).filter(({ severity }) => severity !== 'advice'),
        [],
      )
      const { port: _, ...rest } = entry
      const { send, events } = await serve({ ...rest, authSecret: undefined, signature: undefined })
      const path = String(entry.endpoint).replace('{tenant}', 'acme')
      assert.equal((await send(`POST ${path}`, JSON_TYPE, '{"total":101}')).status, 200)
      webhook.event.parse(JSON.parse(events()[0]!))
    }
  })
}

test('a method that the type does not serve is refused even when it is let in', async () => {
  const { harness } = await serve({ method: 'PUT' })
  const request = {
    method: 'PUT',
    headers: {},
    header: () => undefined,
    body: Buffer.alloc(0),
  } as unknown as HttpRequest
  await assert.rejects(harness.routes[0]!.handle(request), {
    code: 'EVENT_INVALID',
    message: 'unsupported method: PUT',
  })
})
