import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { Agent, request as httpRequest } from 'node:http'
import { afterEach, test } from 'node:test'
import { held, listen, serve, until } from '../../../test/http-routes.ts'
import { freePort, rawConnect, rawRequest } from '../../../test/raw-http.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

/** One POST through `agent`; resolves with status and body, rejects when the connection fails. */
const post = (port: number, agent?: Agent): Promise<[status: number, body: string]> =>
  new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path: '/x', method: 'POST', agent }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve([response.statusCode!, body]))
    })
    request.on('error', reject)
    request.end('{}')
  })

for (const order of ['new route first, then the old one ends', 'the old route ends first'] as const) {
  test(`a route is replaced under load without a refused connection or an answer but 200 (${order})`, async () => {
    const port = await freePort()
    const listeners = listen(cleanUps)
    const version = (name: number) => ({ port, handle: async () => ({ status: 200, body: String(name) }) })
    let current = await serve(listeners, version(0))
    const seen = new Map<string, number>()
    let running = true
    const sender = async (agent?: Agent) => {
      while (running) {
        const [status, body] = await post(port, agent)
        const key = `${status} ${status === 200 ? '' : body}`
        seen.set(key, (seen.get(key) ?? 0) + 1)
      }
    }
    const agent = new Agent({ keepAlive: true })
    // Half of the senders keep their connections, half open a new one for each request.
    const senders = [sender(agent), sender(agent), sender(new Agent({ keepAlive: false })), sender(new Agent())]
    for (let i = 1; i <= 20; i++) {
      const before = seen.get('200 ') ?? 0
      if (order === 'the old route ends first') {
        current.abort()
        await until(() => listeners.inFlight() > 0, 'requests that wait for the new route')
        current = await serve(listeners, version(i))
      } else {
        const replaced = current
        current = await serve(listeners, version(i))
        replaced.abort()
      }
      await until(() => (seen.get('200 ') ?? 0) > before + 10, 'requests served by the new route')
      assert.equal((await post(port))[1], String(i))
    }
    running = false
    await Promise.all(senders)
    agent.destroy()
    assert.deepEqual([...seen.keys()], ['200 '])
  })
}

test('a request that began at the former route is answered by it', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  const listeners = listen(cleanUps)
  const former = await serve(listeners, { port, handle })
  const first = post(port)
  await arrived(1)
  await serve(listeners, { port, handle: async () => ({ status: 200, body: 'new' }) })
  former.abort()
  assert.deepEqual(await post(port), [200, 'new'])
  waiting[0]!.answer({ status: 200, body: 'former' })
  assert.deepEqual(await first, [200, 'former'])
})

test('drain: nothing new is accepted, idle connections close, what is in flight is answered', async () => {
  const port = await freePort()
  const { waiting, handle, arrived } = held()
  const listeners = listen(cleanUps)
  await serve(listeners, { port, handle })
  const idle = await rawConnect(port)
  idle.send('GET /health HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await idle.reply()).headers.connection, 'keep-alive')
  const kept = await rawConnect(port)
  kept.send('GET /health HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await kept.reply()).headers.connection, 'keep-alive')
  const busy = await rawConnect(port)
  busy.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}')
  await arrived(1)
  const opened = await rawConnect(port)
  const silent = await rawConnect(port)
  // Connections are accepted in order: once this one is answered, those before it are the server's.
  await rawRequest(port, 'GET /health HTTP/1.1')
  let drained = false
  const draining = listeners.drain(10_000).then(() => {
    drained = true
  })
  // What was open already may still bring a request: it may have been on its way.
  opened.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}')
  kept.send('GET /health HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await kept.reply()).headers.connection, 'close')
  await kept.closed()
  await arrived(2)
  await idle.closed()
  await assert.rejects(rawConnect(port), { code: 'ECONNREFUSED' })
  await assert.rejects(serve(listeners, { port, endpoint: '/y' }), { code: 'SHUTTING_DOWN' })
  await silent.closed()
  assert.equal(drained, false)
  for (const { answer } of waiting) answer({ status: 200, body: 'last' })
  for (const connection of [busy, opened]) {
    const reply = await connection.reply()
    assert.deepEqual([reply.status, reply.body, reply.headers.connection], [200, 'last', 'close'])
    await connection.closed()
  }
  await draining
  assert.equal(listeners.inFlight(), 0)
})

test('drain gives up after its time-out; close cuts the rest', async () => {
  const port = await freePort()
  const { handle, arrived } = held()
  const listeners = listen(cleanUps)
  await serve(listeners, { port, handle })
  const stuck = await rawConnect(port)
  stuck.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}')
  await arrived(1)
  const started = performance.now()
  await listeners.drain(100)
  assert.ok(performance.now() - started >= 95)
  assert.equal(listeners.inFlight(), 1)
  await listeners.close()
  await stuck.closed()
})

test('drain with requests that wait for a route answers them 503 at once', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps, { handOverMs: 60_000 })
  const route = await serve(listeners, { port })
  route.abort()
  const waiting = post(port)
  await until(() => listeners.inFlight() === 1, 'one in flight')
  await listeners.drain(5000)
  assert.deepEqual(await waiting, [503, 'endpoint is inactive'])
})

test('windDown: all is served, answers say Connection: close', async () => {
  const port = await freePort()
  const listeners = listen(cleanUps)
  await serve(listeners, { port })
  listeners.windDown()
  const reply = await rawRequest(port, 'POST /x HTTP/1.1', '{}')
  assert.deepEqual([reply.status, reply.headers.connection], [200, 'close'])
})

test('windDown: what is pipelined behind the last answer is not taken, as nobody would learn of it', async () => {
  const port = await freePort()
  let handled = 0
  const listeners = listen(cleanUps)
  const handle = async () => ({ status: 200, body: String(++handled) })
  await serve(listeners, { port, handle })
  const connection = await rawConnect(port)
  listeners.windDown()
  connection.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}'.repeat(3))
  assert.equal((await connection.reply()).body, '1')
  assert.equal(await connection.closed(), '')
  assert.equal(handled, 1)
})

test('closed listeners leave no timer behind', async () => {
  const port = await freePort()
  const script = `
    import { createListeners } from ${JSON.stringify(new URL('./listeners.ts', import.meta.url).href)}
    import { systemClock } from ${JSON.stringify(new URL('../../core/clock.ts', import.meta.url).href)}
    import { silentLogger as log } from ${JSON.stringify(new URL('../../core/log.ts', import.meta.url).href)}
    const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log })
    const ends = new AbortController()
    const route = { port: ${port}, endpoint: '/x', handle: async () => ({ status: 200 }) }
    await listeners.route('o', route, { signal: ends.signal, secret: async () => '', log, redact: (text) => text })
    await fetch('http://127.0.0.1:${port}/x')
    await listeners.drain(5000)
    await listeners.close()
    ends.abort()
    process.on('exit', () => console.log('ended', Math.round(performance.now())))
    setTimeout(() => process.exit(9), 20_000).unref()
  `
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})
