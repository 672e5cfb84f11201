import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { held, listen, serve, until } from '../../../test/http-routes.ts'
import { freePort, rawConnect, rawRequest } from '../../../test/raw-http.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import { silentLogger } from '../../core/log.ts'
import { withoutCredentials } from '../../core/url-credentials.ts'
import type { HttpRequest } from '../../source.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

test('a route answers with status, text, headers; /health and unknown paths as upstream', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps)
  await serve(listeners, {
    port,
    handle: async () => ({ status: 200, body: 'success', headers: { 'X-Event-Id': 'i' } }),
  })
  assert.ok(listeners.ready())
  const ok = await rawRequest(port, 'POST /x HTTP/1.1', '{}')
  assert.deepEqual([ok.status, ok.body, ok.headers['x-event-id']], [200, 'success', 'i'])
  assert.equal(ok.headers['content-type'], 'text/plain; charset=utf-8')
  assert.match(ok.headers['keep-alive'] ?? '', /timeout=6\d\d/)
  for (const method of ['GET', 'POST', 'DELETE']) {
    const health = await rawRequest(port, `${method} /health HTTP/1.1`)
    assert.deepEqual([health.status, health.body], [200, 'OK'])
  }
  for (const path of ['/', '/x/', '/X', '/xy', '/health/']) {
    const unknown = await rawRequest(port, `POST ${path} HTTP/1.1`, '{}')
    assert.deepEqual([unknown.status, unknown.body], [404, '404 page not found\n'])
    assert.equal(unknown.headers['x-content-type-options'], 'nosniff')
  }
})

test('an entry may use /health itself', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port, endpoint: '/health', handle: async () => ({ status: 200, body: 'mine' }) })
  assert.equal((await rawRequest(port, 'GET /health HTTP/1.1')).body, 'mine')
})

test('paths are cleaned by a redirect that keeps the query', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port })
  const cases: [target: string, location: string][] = [
    ['//x', '/x'],
    ['/a/../x?q=%20', '/x?q=%20'],
    ['/./x/.', '/x'],
    ['/a%2f%2fb%20%C3%A9!', '/a/b%20%C3%A9%21'],
    ['http://h//x?y', '/x?y'],
  ]
  for (const [target, location] of cases) {
    const moved = await rawRequest(port, `POST ${target} HTTP/1.1`, '{}')
    assert.deepEqual([moved.status, moved.headers.location], [301, location], target)
  }
  assert.equal((await rawRequest(port, 'GET http://other:1/x HTTP/1.1')).status, 200)
  for (const target of ['/%zz', '*', 'ftp://x/', 'x']) {
    assert.equal((await rawRequest(port, `OPTIONS ${target} HTTP/1.1`)).status, 400, target)
  }
})

test('templates match decoded paths, literals win, {name:regexp} is Go regexp', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps)
  const echo =
    (name: string) =>
    async ({ params }: HttpRequest) => ({ status: 200, body: `${name} ${JSON.stringify(params)}` })
  await serve(listeners, { port, endpoint: '/t/{id}', handle: echo('any') }, { owner: 'a' })
  await serve(listeners, { port, endpoint: '/t/fix', handle: echo('fix') }, { owner: 'b' })
  await serve(listeners, { port, endpoint: '/n/{n:[0-9]{2,3}}.{e:(?:x|y)}', handle: echo('n') }, { owner: 'c' })
  const get = async (path: string) => (await rawRequest(port, `GET ${path} HTTP/1.1`)).body
  assert.equal(await get('/t/fix'), 'fix {}')
  assert.equal(await get('/t/a%20%C3%A9'), 'any {"id":"a é"}')
  assert.equal(await get('/n/12.y?z'), 'n {"n":"12","e":"y"}')
  for (const path of ['/t/', '/t/a/b', '/n/1.x', '/n/12zx', '/n/1234.x']) {
    assert.equal(await get(path), '404 page not found\n', path)
  }
})

test('endpoints that can never match are refused', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps)
  for (const endpoint of ['x', '', '/a//b', '/{', '/{a:(b)}', '/{:x}', '/{a:[}', '/a/../b']) {
    await assert.rejects(serve(listeners, { port, endpoint }), { code: 'SPEC_INVALID' }, endpoint)
  }
})

test('the guard: words, rotation within a second, an unreadable secret', async () => {
  const port = await freePort()
  let token = 's3cret'
  const secret = async () => {
    if (token === '') throw fail('SECRET_MISSING', 'gone')
    return token
  }
  await serve(listen(cleanUps), { port, authSecret: { name: 's', key: 'k' } }, { secret })
  const post = async (authorization?: string) => {
    const { status, body } = await rawRequest(
      port,
      `POST /x HTTP/1.1${authorization === undefined ? '' : `\nAuthorization: ${authorization}`}`,
      '{}',
    )
    return [status, body]
  }
  const until = async (authorization: string, wanted: number) => {
    for (let i = 0; (await post(authorization))[0] !== wanted; i++) {
      assert.ok(i < 40, `not ${wanted} within two seconds`)
      await sleep(50)
    }
  }
  assert.deepEqual(await post('Bearer s3cret'), [200, 'ok'])
  for (const odd of [undefined, '', 'Basic s3cret', 'bearer s3cret', 'Bearer', 's3cret']) {
    assert.deepEqual(await post(odd), [401, 'Invalid Authorization Header'], String(odd))
  }
  for (const wrong of [
    'Bearer s3cre',
    'Bearer s3cret1',
    'Bearer  s3cret',
    `Bearer ${'x'.repeat(30_000)}`,
    'Bearer \xff',
  ]) {
    assert.deepEqual(await post(wrong), [401, 'Invalid Auth token'])
  }
  token = 'rotated'
  await until('Bearer rotated', 200)
  assert.deepEqual(await post('Bearer s3cret'), [401, 'Invalid Auth token'])
  token = ''
  await until('Bearer rotated', 503)
  assert.deepEqual(await post('Bearer rotated'), [503, 'the secret cannot be read'])
  token = 'back'
  await until('Bearer back', 200)
})

test('the secret is not read for each request of a flood', async () => {
  const port = await freePort()
  let reads = 0
  const secret = async () => {
    reads++
    return 'token'
  }
  await serve(listen(cleanUps), { port, authSecret: { name: 's', key: 'k' } }, { secret })
  const connection = await rawConnect(port)
  const started = performance.now()
  connection.send('GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer token\r\n\r\n'.repeat(100))
  for (let i = 0; i < 100; i++) assert.equal((await connection.reply()).status, 200)
  assert.ok(reads <= 1 + Math.ceil((performance.now() - started) / 1000), `${reads} reads`)
  connection.end()
})

test('another method gets 405 with Allow, a compressed body 415', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port, methods: ['POST'] })
  const get = await rawRequest(port, 'GET /x HTTP/1.1')
  assert.deepEqual([get.status, get.body, get.headers.allow], [405, 'http method does not match', 'POST'])
  for (const encoding of ['gzip', 'br', 'identity, gzip', 'GZIP']) {
    const refused = await rawRequest(port, `POST /x HTTP/1.1\nContent-Encoding: ${encoding}`, '\x1f\x8b')
    assert.equal(refused.status, 415, encoding)
  }
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1\nContent-Encoding: Identity', '{}')).status, 200)
})

test('what handlers throw becomes the right answer', async () => {
  const port = await freePort()
  const cases: [error: Error, status: number, body: string][] = [
    [fail('BUS_UNAVAILABLE', 'away'), 503, 'failed to record event'],
    [fail('BUS_FULL', 'full'), 503, 'failed to record event'],
    [fail('BUS_BUSY', 'busy'), 503, 'failed to record event'],
    [fail('OUTCOME_UNKNOWN', '?'), 503, 'failed to record event'],
    [fail('FENCED', 'old'), 503, 'failed to record event'],
    [new DOMException('stopping', 'AbortError'), 503, 'failed to record event'],
    [fail('EVENT_TOO_LARGE', 'event has 3 bytes, the bus takes 2'), 413, 'event has 3 bytes, the bus takes 2'],
    [fail('EVENT_INVALID', 'not JSON'), 400, 'not JSON'],
    [new TypeError('oops'), 500, 'internal error'],
    [fail('BUG', 'oops'), 500, 'internal error'],
  ]
  let error = new Error()
  await serve(listen(cleanUps), {
    port,
    handle: async () => {
      throw error
    },
  })
  let connection = await rawConnect(port)
  for (const [thrown, status, body] of cases) {
    error = thrown
    connection.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}')
    const reply = await connection.reply()
    assert.deepEqual([reply.status, reply.body], [status, body])
    assert.equal(reply.headers['retry-after'], status === 503 ? '1' : undefined)
    // A replica without a bus sends the sender away, perhaps to one that has it.
    const away = isVedetteError(thrown, 'BUS_UNAVAILABLE', 'OUTCOME_UNKNOWN')
    assert.equal(reply.headers.connection, away ? 'close' : 'keep-alive')
    if (!away) continue
    await connection.closed()
    connection = await rawConnect(port)
  }
  connection.end()
})

test('a handler that answers with a header node:http refuses does not hang the connection', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port, handle: async () => ({ status: 200, headers: { 'X-Bad': 'a\nb' } }) })
  await assert.rejects(rawRequest(port, 'POST /x HTTP/1.1', '{}'), /closed/)
})

test('one endpoint has one owner; the error names both and what to do', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps)
  const first = await serve(listeners, { port }, { owner: 'default/a/one' })
  await assert.rejects(serve(listeners, { port }, { owner: 'default/b/two' }), {
    code: 'PORT_IN_USE',
    message: new RegExp(`port ${port} endpoint /x is wanted by default/b/two but served for default/a/one: give one`),
  })
  await serve(listeners, { port, endpoint: '/y' }, { owner: 'default/b/two' })
  first.abort()
  await serve(listeners, { port, handle: async () => ({ status: 200, body: 'two' }) }, { owner: 'default/b/two' })
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1')).body, 'two')
})

test('a port that another process has: PORT_IN_USE naming port, entry, remedy; later it works', async () => {
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  const listeners = listen(cleanUps)
  await assert.rejects(serve(listeners, { port }), {
    code: 'PORT_IN_USE',
    message: `default/es/e cannot listen on port ${port} of 127.0.0.1 (EADDRINUSE): another process uses it; stop that process or change the port`,
  })
  other.close()
  await once(other, 'close')
  await serve(listeners, { port })
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1')).status, 200)
})

test('a removed route: 503 with Retry-After for the grace, then 404, then the port closes', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps, { graceMs: 300, handOverMs: 50 })
  const gone = await serve(listeners, { port }, { owner: 'a' })
  const stays = await serve(listeners, { port, endpoint: '/stays' }, { owner: 'b' })
  gone.abort()
  const inactive = await rawRequest(port, 'GET /x HTTP/1.1')
  assert.deepEqual(
    [inactive.status, inactive.body, inactive.headers['retry-after']],
    [503, 'endpoint is inactive', '1'],
  )
  for (let i = 0; (await rawRequest(port, 'GET /x HTTP/1.1')).status !== 404; i++) assert.ok(i < 100)
  assert.equal((await rawRequest(port, 'GET /stays HTTP/1.1')).status, 200)
  stays.abort()
  for (let i = 0; ; i++) {
    const refused = await rawRequest(port, 'GET /stays HTTP/1.1').then(
      () => false,
      () => true,
    )
    if (refused) break
    assert.ok(i < 100, 'the port never closed')
  }
  await serve(listeners, { port })
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1')).status, 200)
})

test('too many requests at once: 503 beyond the limit, /health is still answered', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  const listeners = listen(cleanUps, { maxRequests: 3 })
  await serve(listeners, { port, handle })
  const connections = await Promise.all([1, 2, 3].map(() => rawConnect(port)))
  for (const connection of connections) connection.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  await arrived(3)
  assert.equal(listeners.inFlight(), 3)
  const refused = await rawRequest(port, 'GET /x HTTP/1.1')
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1'])
  assert.equal((await rawRequest(port, 'GET /health HTTP/1.1')).status, 200)
  for (const { answer } of waiting) answer({ status: 200 })
  for (const connection of connections) {
    assert.equal((await connection.reply()).status, 200)
    connection.end()
  }
  assert.equal((await rawRequest(port, 'GET /health HTTP/1.1')).status, 200)
  assert.equal(listeners.inFlight(), 0)
})

test('an endpoint that an entry will serve is 503, never 404, until it does; and 404 once nobody expects it', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps, { handOverMs: 50, graceMs: 50 })
  const expecting = new AbortController()
  listeners.expect([{ port, endpoint: '/late/{x}' }], expecting.signal)
  await serve(listeners, { port })
  const get = async (path: string) => (await rawRequest(port, `GET ${path} HTTP/1.1`)).status
  assert.deepEqual([await get('/late/1'), await get('/late/1/2'), await get('/x')], [503, 404, 200])
  const waiting = get('/late/1')
  await serve(listeners, { port, endpoint: '/late/{x}' }, { owner: 'default/es/late' })
  assert.equal(await waiting, 200, 'who came early was served late')
  const fails = new AbortController()
  await listeners.route(
    'default/es/late',
    { port, endpoint: '/late/{x}', handle: async () => ({ status: 200 }) },
    { signal: fails.signal, secret: async () => '', log: silentLogger, redact: withoutCredentials },
  )
  fails.abort()
  await until(async () => (await get('/late/1')) === 503, 'its entry has failed')
  await sleep(100)
  assert.equal(await get('/late/1'), 503, 'the entry is still there')
  expecting.abort()
  await until(async () => (await get('/late/1')) === 404, 'nobody expects it')
})

test('a rate limit: the burst at once, then 429 with Retry-After, then again as time passes', async () => {
  const port = await freePort()
  let handled = 0
  await serve(listen(cleanUps), {
    port,
    rateLimit: { requestsPerSecond: 2, burst: 3 },
    async handle() {
      handled++
      return { status: 200 }
    },
  })
  const post = () => rawRequest(port, 'POST /x HTTP/1.1', '{}')
  const replies = await Promise.all(Array.from({ length: 10 }, post))
  assert.deepEqual([replies.filter(({ status }) => status === 200).length, handled], [3, 3])
  const refused = replies.find(({ status }) => status === 429)!
  assert.deepEqual([refused.body, refused.headers['retry-after']], ['too many requests', '1'])
  await until(async () => (await post()).status === 200, 'a token has come')
})
