import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import fc from 'fast-check'
import { held, listen, serve, until } from '../../../test/http-routes.ts'
import { freePort, type RawConnection, rawConnect, rawRequest } from '../../../test/raw-http.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

const HEAD = 'POST /x HTTP/1.1\r\nHost: h\r\n'

test('a body announced too long gets 413 without being read, however much follows', async () => {
  const port = await freePort()
  let handled = 0
  await serve(listen(cleanUps), {
    port,
    maxPayloadSize: 1000,
    handle: async () => {
      handled++
      return { status: 200 }
    },
  })
  const connection = await rawConnect(port)
  connection.send(`${HEAD}Content-Length: 50000000\r\n\r\n`)
  // The sender does not look at the answer before it has sent everything: the answer must survive the close.
  connection.socket.pause()
  for (let i = 0; i < 50; i++) {
    await new Promise<void>((resolve, reject) =>
      connection.socket.write(Buffer.alloc(100_000), (error) => (error ? reject(error) : resolve())),
    )
  }
  connection.socket.resume()
  const reply = await connection.reply()
  assert.deepEqual([reply.status, reply.body, reply.headers.connection], [413, 'http: request body too large', 'close'])
  await connection.closed()
  assert.equal(handled, 0)
})

test('the limit is exact, for announced and chunked bodies', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), {
    port,
    maxPayloadSize: 1000,
    handle: async ({ body }) => ({ status: 200, body: String(body.length) }),
  })
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1', 'x'.repeat(1000))).body, '1000')
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1', 'x'.repeat(1001))).status, 413)
  const chunked = async (sizes: number[]) => {
    const connection = await rawConnect(port)
    connection.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`)
    for (const size of sizes) connection.send(`${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`)
    connection.send('0\r\n\r\n')
    const reply = await connection.reply()
    if (reply.status === 413) await connection.closed()
    connection.end()
    return [reply.status, reply.body, reply.headers.connection]
  }
  assert.deepEqual(await chunked([400, 600]), [200, '1000', 'keep-alive'])
  assert.deepEqual(await chunked([400, 600, 1]), [413, 'http: request body too large', 'close'])
  assert.deepEqual(await chunked([5000, 5000]), [413, 'http: request body too large', 'close'])
})

test('a small body that nobody wants is dropped and the connection kept', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port })
  const connection = await rawConnect(port)
  connection.send(`POST /nope HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)
  assert.equal((await connection.reply()).status, 404)
  connection.send(`${HEAD}Content-Length: 2\r\n\r\n{}`)
  assert.equal((await connection.reply()).status, 200)
  connection.end()
})

test('Expect: 100-continue is answered after the checks, before the body', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port, maxPayloadSize: 10 })
  const connection = await rawConnect(port)
  connection.send(`${HEAD}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`)
  assert.equal((await connection.reply()).status, 100)
  connection.send('{}')
  assert.equal((await connection.reply()).status, 200)
  connection.send(`${HEAD}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n`)
  assert.equal((await connection.reply()).status, 413)
  await connection.closed()
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1\nExpect: tea', '{}')).status, 417)
})

test('pipelined requests are answered in order; behind a last answer none is taken', async () => {
  const port = await freePort()
  let handled = 0
  await serve(listen(cleanUps), {
    port,
    handle: async ({ body }) => {
      handled++
      return { status: 200, body: body.toString() }
    },
  })
  const connection = await rawConnect(port)
  for (let i = 0; i < 20; i++) connection.send(`${HEAD}Content-Length: 2\r\n\r\n${i + 10}`)
  for (let i = 0; i < 20; i++) assert.equal((await connection.reply()).body, String(i + 10))
  connection.send(`${HEAD}Connection: close\r\nContent-Length: 2\r\n\r\n77${HEAD}Content-Length: 2\r\n\r\n88`)
  assert.equal((await connection.reply()).body, '77')
  assert.equal(await connection.closed(), '')
  assert.equal(handled, 21)
})

test('garbage behind a good request does not take that request its answer', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  await serve(listen(cleanUps), { port, handle })
  const connection = await rawConnect(port)
  connection.send(`${HEAD}Content-Length: 2\r\n\r\n{}\x00\x01garbage\r\n\r\n`)
  await arrived(1)
  connection.send('more')
  waiting[0]!.answer({ status: 200, body: 'mine' })
  const reply = await connection.reply()
  assert.deepEqual([reply.status, reply.body, reply.headers.connection], [200, 'mine', 'close'])
  assert.equal(await connection.closed(), '')
})

test('slow headers, silence and slow bodies are cut off with 408', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps, { headersTimeoutMs: 200, requestTimeoutMs: 400, checkTimeoutsMs: 50 })
  await serve(listeners, { port })
  const slowHead = await rawConnect(port)
  slowHead.send('POST /x HTTP/1.1\r\nHos')
  const silent = await rawConnect(port)
  const slowBody = await rawConnect(port)
  slowBody.send(`${HEAD}Content-Length: 100\r\n\r\n{`)
  for (const connection of [slowHead, silent, slowBody]) {
    assert.equal((await connection.reply()).status, 408)
    await connection.closed()
  }
  await until(() => listeners.inFlight() === 0, 'nothing in flight')
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1', '{}')).status, 200)
})

test('a slow handler is not a slow request', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  await serve(listen(cleanUps, { headersTimeoutMs: 100, requestTimeoutMs: 100, checkTimeoutsMs: 20 }), { port, handle })
  const connection = await rawConnect(port)
  connection.send(`${HEAD}Content-Length: 2\r\n\r\n{}`)
  await arrived(1)
  await assert.rejects(connection.reply(400), /no answer/)
  waiting[0]!.answer({ status: 200 })
  assert.equal((await connection.reply()).status, 200)
  connection.end()
})

test('a sender that goes away in the middle of its body leaves nothing behind', async () => {
  const port = await freePort()
  let handled = 0
  const listeners = listen(cleanUps, { maxBufferedBytes: 1000 })
  await serve(listeners, {
    port,
    handle: async () => {
      handled++
      return { status: 200 }
    },
  })
  for (let i = 0; i < 5; i++) {
    const connection = await rawConnect(port)
    connection.send(`${HEAD}Content-Length: 2000\r\n\r\n${'x'.repeat(900)}`)
    await until(() => listeners.inFlight() === 1, 'one in flight')
    connection.end()
    await until(() => listeners.inFlight() === 0, 'nothing in flight')
  }
  assert.equal(handled, 0)
  // All five together would have been over the memory limit: it was given back.
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1', 'x'.repeat(900))).status, 200)
})

test('bodies share a memory limit: 503 beyond it, one large body alone is fine', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  await serve(listen(cleanUps, { maxBufferedBytes: 1000 }), { port, handle })
  const first = await rawConnect(port)
  first.send(`${HEAD}Content-Length: 5000\r\n\r\n${'x'.repeat(5000)}`)
  await arrived(1)
  const second = await rawRequest(port, 'POST /x HTTP/1.1', '{}')
  assert.deepEqual([second.status, second.headers['retry-after'], second.headers.connection], [503, '1', 'close'])
  waiting[0]!.answer({ status: 200 })
  assert.equal((await first.reply()).status, 200)
  first.end()
  const third = rawRequest(port, 'POST /x HTTP/1.1', '{}')
  await arrived(2)
  waiting[1]!.answer({ status: 200 })
  assert.equal((await third).status, 200)
})

test('headers: too large 431, too many 431, malformed 400, smuggling refused', async () => {
  const port = await freePort()
  await serve(listen(cleanUps), { port })
  const cases: [head: string, status: number][] = [
    [`X-A: ${'a'.repeat(70_000)}`, 431],
    [Array.from({ length: 257 }, (_, i) => `X-${i}: a`).join('\r\n'), 431],
    [Array.from({ length: 5000 }, (_, i) => `X-${i}: a`).join('\r\n'), 431],
    ['Bad Name: x', 400],
    ['X-A: a\x00b', 400],
    ['Content-Length: 2\r\nTransfer-Encoding: chunked', 400],
    ['Content-Length: 2\r\nContent-Length: 3', 400],
    ['Content-Length: -1', 400],
    ['Content-Length: 99999999999999999999999', 400],
    ['Transfer-Encoding: gzip', 400],
  ]
  for (const [head, status] of cases) {
    const connection = await rawConnect(port)
    connection.send(`${HEAD}${head}\r\n\r\n{}`)
    assert.equal((await connection.reply()).status, status, head.slice(0, 60))
    await connection.closed()
  }
  for (const start of [
    'GET /x HTTP/1.1\r\n\r\n',
    'GET /x HTTP/9.9\r\nHost: h\r\n\r\n',
    'FOO /x HTTP/1.1\r\nHost: h\r\n\r\n',
  ]) {
    const connection = await rawConnect(port)
    connection.send(start)
    assert.equal((await connection.reply()).status, 400, start)
    await connection.closed()
  }
})

test('the header map of payloads is upstream’s', async () => {
  const port = await freePort()
  let seen: Record<string, string[]> = {}
  const first: (string | undefined)[] = []
  await serve(listen(cleanUps), {
    port,
    async handle(request) {
      seen = request.headers
      first.push(request.header('authorization'), request.header('X-FOO'), request.header('none'))
      return { status: 200 }
    },
  })
  const head = [
    'POST /x HTTP/1.1',
    'X-GitHub-Event: push',
    'x-UPPER-lower_x: 1',
    'X-Foo: b',
    'x-foo: a',
    'AUTHORIZATION: Bearer secret',
    'Authorization: Basic other',
    'pragma: no-cache',
    'Latin: caf\xe9 \u00e2\u0082',
    'Empty:',
    '__proto__: p',
    '9: nine',
    '10: ten',
    'Trailer: T',
    'Cookie: a=b',
  ]
  const connection = await rawConnect(port)
  connection.send(Buffer.from(`${head.join('\r\n')}\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}`, 'latin1'))
  assert.equal((await connection.reply()).status, 200)
  connection.end()
  assert.deepEqual(
    Object.entries(seen).sort(([a], [b]) => (a < b ? -1 : 1)),
    [
      ['10', ['ten']],
      ['9', ['nine']],
      ['Authorization', ['*** Masked Auth Secret ***']],
      ['Cache-Control', ['no-cache']],
      ['Content-Length', ['2']],
      ['Cookie', ['a=b']],
      ['Empty', ['']],
      ['Latin', ['caf\ufffd \ufffd\ufffd']],
      ['Pragma', ['no-cache']],
      ['X-Foo', ['b', 'a']],
      ['X-Github-Event', ['push']],
      ['X-Upper-Lower_x', ['1']],
      ['__proto__', ['p']],
    ],
  )
  assert.deepEqual(first, ['Bearer secret', 'b', undefined])
})

test('idle connections make room for new ones, the one that did nothing for longest first', async () => {
  const port = await freePort()
  await serve(listen(cleanUps, { maxConnections: 10 }), { port })
  const idle: RawConnection[] = []
  for (let i = 0; i < 10; i++) {
    const connection = await rawConnect(port)
    connection.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
    assert.equal((await connection.reply()).status, 200)
    idle.push(connection)
  }
  const fresh = await rawConnect(port)
  fresh.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await fresh.reply()).status, 200)
  await idle[0]!.closed()
  idle[9]!.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await idle[9]!.reply()).status, 200)
  for (const connection of [...idle, fresh]) connection.end()
})

test('whatever bytes come, each connection is answered or closed, and never with a 5xx', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps, { headersTimeoutMs: 300, requestTimeoutMs: 300, checkTimeoutsMs: 50 })
  await serve(listeners, { port, methods: ['POST'], maxPayloadSize: 64 })
  await serve(listeners, { port, endpoint: '/t/{a:[a-z]+}/{b}' }, { owner: 'b' })
  const piece = fc.oneof(
    fc.constantFrom(
      'POST ',
      'GET ',
      '/x ',
      '/t/a/b ',
      '/%',
      '//',
      'HTTP/1.1',
      'HTTP/1.0',
      '\r\n',
      '\r\n\r\n',
      '\n',
      'Host: h\r\n',
      'Content-Length: 5\r\n',
      'Content-Length: 99999\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Expect: 100-continue\r\n',
      'Connection: close\r\n',
      'Connection: keep-alive\r\n',
      'Connection: Upgrade\r\nUpgrade: h2c\r\n',
      'Content-Encoding: gzip\r\n',
      'Authorization: Bearer x\r\n',
      '5\r\nhello\r\n',
      '0\r\n\r\n',
      'ffffffff\r\n',
      '{}',
      'hello',
      'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'CONNECT h:1 HTTP/1.1\r\n\r\n',
    ),
    fc.string({ maxLength: 20 }),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  const seed = Number(process.env.VEDETTE_SEED ?? 20261122)
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 14 }), fc.boolean(), async (pieces, half) => {
      const connection = await rawConnect(port)
      if (half) for (const part of pieces) connection.send(Buffer.from(part, 'latin1'))
      else connection.send(Buffer.from(pieces.join(''), 'latin1'))
      connection.socket.end()
      const rest = await connection.closed(5000)
      for (const [, status] of rest.matchAll(/HTTP\/1\.1 (\d+)/g))
        assert.ok(Number(status) < 500, `${status} for ${pieces}`)
    }),
    { seed, numRuns: Number(process.env.VEDETTE_FUZZ ?? 300) },
  )
  await until(() => listeners.inFlight() === 0, 'nothing in flight')
  assert.equal((await rawRequest(port, 'POST /x HTTP/1.1', '{}')).status, 200)
})
