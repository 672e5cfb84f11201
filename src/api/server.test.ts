import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import test from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type MemoryBus, memoryBusWorld } from '../bus/memory.ts'
import { systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { withoutCredentials } from '../core/url-credentials.ts'
import { busWith, put } from './events.fixture.ts'
import { createReaders } from './readers.ts'
import type { Run } from './run.ts'
import { createApi, hostAllowed } from './server.ts'

const TOKEN = 'the-token'

interface Reading {
  readTokens?: (() => readonly string[]) | null
  most?: number
}

async function serve(
  t: { after(fn: () => unknown): void },
  change: Partial<Run> = {},
  { readTokens = null, most = 8 }: Reading = {},
) {
  const bus = (change.bus as MemoryBus | undefined) ?? (await busWith(5))
  const done: string[] = []
  const run: Run = {
    bus,
    reading: bus,
    status: async () => ({ eventSources: [] }) as never,
    started: () => true,
    readiness: async () => ({ ready: true, reasons: [], notServed: [] }),
    delivery: () => null,
    metrics: async () => 'up 1\n',
    failOver: async (source) => ({ from: 's-0', to: `${source.name}-1`, term: 2 }),
    find(name) {
      if (name !== 's') throw fail('SOURCE_UNKNOWN', `there is no EventSource ${name}`)
      return { namespace: 'default', name }
    },
    eventType: () => 'webhook',
    stop: () => void done.push('stop'),
    ...change,
  }
  const readers = createReaders({ most }, { clock: systemClock, log: silentLogger })
  const options = { run, log: silentLogger, redact: withoutCredentials, trusted: false, token: TOKEN }
  const server = createApi({ ...options, host: 'vedette.example', readTokens, readers })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const post = (path: string, body: unknown, token: string | null = TOKEN) =>
    fetch(`${base}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    })
  return { base, bus, done, post }
}

test('reading is free, doing needs the token', async (t) => {
  const { base, post, done } = await serve(t)
  assert.equal((await fetch(`${base}/v1/status`)).status, 200)
  assert.equal((await post('/v1/stop', {}, null)).status, 401)
  assert.equal((await post('/v1/stop', {}, 'the-tokem')).status, 401)
  assert.deepEqual(done, [])
  assert.equal((await post('/v1/stop', {})).status, 202)
  assert.deepEqual(done, ['stop'])
})

test('a Host that is a foreign name is refused (DNS rebinding)', async (t) => {
  const { base } = await serve(t)
  const sent = request(`${base}/v1/status`, { headers: { host: 'evil.example' } }).end()
  const [response] = await once(sent, 'response')
  assert.equal(response.statusCode, 421)
  response.resume()
  for (const good of ['localhost', 'localhost:7780', '127.0.0.1:1', '[::1]:7780', '10.1.2.3', 'Vedette.Example:80']) {
    assert.equal(hostAllowed(good, 'vedette.example'), true, good)
  }
  for (const bad of [undefined, '', 'localhost.evil', 'a:b:c', '127.0.0.1.evil.example', 'x@localhost']) {
    assert.equal(hostAllowed(bad, 'vedette.example'), false, String(bad))
  }
})

/** @returns the status */
async function ask(url: string, method: string, headers: Record<string, string>): Promise<number> {
  const [response] = await once(request(url, { method, headers }).end(), 'response')
  response.resume()
  return response.statusCode
}

test('what a page of another site causes is refused, whatever it asks for', async (t) => {
  const { base, done } = await serve(t)
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
  ]
  const paths = ['/', '/healthz', '/readyz', '/metrics', '/v1/status', '/v1/events?from=start', '/v1/stop', '/nothing']
  for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE']) {
    for (const path of paths) {
      for (const headers of foreign) {
        const status = await ask(`${base}${path}`, method, { ...headers, authorization: `Bearer ${TOKEN}` })
        assert.equal(status, 403, `${method} ${path} ${JSON.stringify(headers)}`)
      }
    }
  }
  assert.deepEqual(done, [])
  for (const headers of [{}, { origin: base }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }])
    assert.equal(await ask(`${base}/v1/status`, 'GET', headers as Record<string, string>), 200, JSON.stringify(headers))
})

test('where reading needs a token, it is one of those or the one of the run; probes need none and tell no more than yes or no', async (t) => {
  const notServed = [
    { namespace: 'n', eventSource: 's', entry: 'orders', type: 'webhook', why: 'the password is wrong' },
  ]
  const readiness = async () => ({ ready: false, reasons: [], notServed })
  const delivery = () => ({ error: 'the receiver answered 401', errorSince: 'then' }) as never
  const tokens = ['old-reading-token', 'new-reading-token']
  const { base, post } = await serve(t, { readiness, delivery }, { readTokens: () => tokens })
  const paths = ['/v1/status', '/v1/events?from=start&follow=false', '/metrics']
  const wrong = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer old-reading-toke',
    `Basic ${tokens[0]}`,
    `Bearer ${tokens.join()}`,
    tokens[0]!,
  ]
  for (const path of paths) {
    for (const authorization of wrong)
      assert.equal(await ask(`${base}${path}`, 'GET', { authorization }), 401, authorization)
    assert.equal((await fetch(`${base}${path}`)).status, 401)
    for (const token of [...tokens, TOKEN])
      assert.equal(await ask(`${base}${path}`, 'GET', { authorization: `bearer ${token}` }), 200, path)
  }
  assert.equal((await post('/v1/stop', {}, tokens[0]!)).status, 401, 'who may read may not do')
  assert.equal((await fetch(`${base}/healthz`)).status, 200)
  for (const path of ['/readyz', '/readyz/delivery']) {
    const plain = await fetch(`${base}${path}`, { headers: { accept: 'application/json' } })
    assert.equal(plain.status, 503)
    assert.doesNotMatch(await plain.text(), /orders|password|401|then/)
    const told = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${tokens[1]}` } })
    assert.match(await told.text(), /password|401/)
  }
  tokens.shift()
  assert.equal(await ask(`${base}/v1/status`, 'GET', { authorization: 'Bearer old-reading-token' }), 401)
})

test('a wrong value in a query is refused with its parameter, itself and what to write', async (t) => {
  const { base } = await serve(t)
  const wrong: [string, RegExp][] = [
    ['from=nowhere', /^from: "nowhere" .*start, now or a sequence number/],
    ['from=-1', /^from: "-1"/],
    ['limit=many', /^limit: "many" .*whole number/],
    ['limit=1e9', /^limit: "1e9"/],
    ['limit=', /^limit: ""/],
    ['follow=no', /^follow: "no" .*true nor false/],
    ['source=', /^source: "" .*leave it out/],
    [`entry=${'x'.repeat(2000)}`, /^entry: "x{40}" /],
    ['from=1&from=2', /^from is there 2 times/],
  ]
  for (const [query, text] of wrong) {
    const answer = await fetch(`${base}/v1/events?${query}`)
    assert.equal(answer.status, 400, query)
    const { error, code } = (await answer.json()) as { error: string; code: string }
    assert.match(error, text)
    assert.equal(code, 'USAGE')
  }
  for (const id of ['start', 'now', '-3', 'x']) {
    const answer = await fetch(`${base}/v1/events`, { headers: { 'last-event-id': id } })
    assert.equal(answer.status, 400, id)
    assert.match(await answer.text(), /Last-Event-ID: /)
  }
  assert.equal(await ask(`${base.replace('http:', 'http:')}//`, 'GET', {}), 400)
})

test('as many read as may; one more is told to come again, and may when one has left', async (t) => {
  const { base } = await serve(t, {}, { most: 2 })
  const open = async () => {
    const sent = request(`${base}/v1/events`).end()
    const [response] = await once(sent, 'response')
    return { sent, response }
  }
  const [first] = [await open(), await open()]
  const refused = await fetch(`${base}/v1/events?from=start`)
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
  assert.match(await refused.text(), /2 read events already/)
  assert.equal((await fetch(`${base}/v1/status`)).status, 200)
  first!.sent.on('error', () => {}).destroy()
  for (let status = 0; status !== 200; ) {
    const answer = await fetch(`${base}/v1/events?from=start&follow=false`)
    status = answer.status
    await answer.text()
  }
})

test('a HEAD reads nothing, and ends', async (t) => {
  const bus = await busWith(1)
  const { base } = await serve(t, { bus, reading: { state: bus.state, read: () => assert.fail('it was read') } })
  for (const query of ['', '?from=start', '?limit=5'])
    assert.equal(await ask(`${base}/v1/events${query}`, 'HEAD', {}), 200)
})

test('a large event comes through as it is on the bus', async (t) => {
  const { base, bus } = await serve(t)
  const event = Buffer.from(JSON.stringify({ a: 'ä€😀'.repeat(100_000) }))
  await bus.append({ namespace: 'default', name: 's' }, [{ entry: 'e', id: 'large', event }])
  const text = await (await fetch(`${base}/v1/events?limit=1&follow=false`)).text()
  const [data] = text.split('\n').filter((line) => line.startsWith('data: '))
  assert.ok(data!.endsWith(`"event":${event.toString()}}`))
})

test('ready is 503 until everything serves, with what is not served and why, as text and as JSON', async (t) => {
  const orders = {
    namespace: 'default',
    eventSource: 's',
    entry: 'orders',
    type: 'webhook',
    why: 'port 80:\nnot permitted',
  }
  const readiness = { ready: false, reasons: ['the bus does not answer: gone'], notServed: [orders] }
  const { base } = await serve(t, { started: () => false, readiness: async () => readiness })
  const plain = await fetch(`${base}/readyz`)
  assert.equal(plain.status, 503)
  assert.equal(
    await plain.text(),
    'not ready\nthe bus does not answer: gone\nnot served: default/s/orders (webhook): port 80:; not permitted\n',
  )
  const json = await fetch(`${base}/readyz`, { headers: { accept: 'application/json' } })
  assert.equal(json.status, 503)
  assert.deepEqual(await json.json(), readiness)
  assert.equal((await fetch(`${base}/startupz`)).status, 503)
  assert.equal((await fetch(`${base}/healthz`)).status, 200)
})

test('what holds up a delivery is told at a place of its own: the run is ready all the same', async (t) => {
  const fine = { url: 'http://r/in', delivered: 1, attempts: 1, refused: {}, lost: 0, cursor: 1, head: 1, error: null }
  const held = { ...fine, error: 'the receiver answered 401 Unauthorized', errorSince: '2026-01-02T03:04:05Z' }
  const at = async (delivery: Run['delivery']) => {
    const { base } = await serve(t, { delivery })
    const answer = await fetch(`${base}/readyz/delivery`)
    assert.equal((await fetch(`${base}/readyz`)).status, 200)
    return [answer.status, await answer.text()]
  }
  assert.deepEqual(await at(() => fine), [200, 'ready\n'])
  assert.deepEqual(await at(() => held), [
    503,
    'held up since 2026-01-02T03:04:05Z: the receiver answered 401 Unauthorized\n',
  ])
  assert.equal((await at(() => null))[0], 404)
})

test('ready is 200 when everything serves', async (t) => {
  const { base } = await serve(t)
  for (const [path, text] of [
    ['/readyz', 'ready\n'],
    ['/startupz', 'started\n'],
  ] as const) {
    const answer = await fetch(`${base}${path}`)
    assert.deepEqual([answer.status, await answer.text()], [200, text])
  }
})

test('events stream, end when asked to, and resume behind Last-Event-ID', async (t) => {
  const { base, bus } = await serve(t)
  const read = async (path: string, headers: Record<string, string> = {}) => {
    const text = await (await fetch(`${base}${path}`, { headers })).text()
    const data = text.split('\n').filter((line) => line.startsWith('data: '))
    return data.map((line) => JSON.parse(line.slice(6)).event.id as string)
  }
  assert.deepEqual(await read('/v1/events?from=start&limit=2'), ['s-e-1', 's-e-2'])
  assert.deepEqual(await read('/v1/events?limit=2&follow=false'), ['s-e-4', 's-e-5'])
  const [third] = await bus.tail({ namespace: 'default', name: 's' }, 'e', 3)
  const resumed = await read('/v1/events?from=start&follow=false', { 'last-event-id': String(third!.seq) })
  assert.deepEqual(resumed, ['s-e-4', 's-e-5'])
  assert.equal((await fetch(`${base}/v1/events?from=nowhere`)).status, 400)
})

test('what is no longer on the log is told to who resumes before it, or behind its end', async (t) => {
  const world = memoryBusWorld()
  const bus = world.connect('only')
  const { base } = await serve(t, { bus })
  const read = async (lastEventId: number) =>
    (await fetch(`${base}/v1/events?follow=false`, { headers: { 'last-event-id': String(lastEventId) } })).text()
  await put(bus, 1, 5)
  assert.doesNotMatch(await read(2), /^: (gone|ends)/m)
  assert.doesNotMatch(await read(5), /^: (gone|ends)/m)
  world.retain({ maxAgeMs: -1, maxBytes: 0 })
  await put(bus, 6, 7)
  assert.match(await read(2), /^: gone 3 5$[\s\S]*s-e-6/m)
  assert.match(await read(100), /^: ends 7$/m)
})

test('a stream whose reading is aborted under it is broken off, so that the consumer comes back', async (t) => {
  const bus = await busWith(1)
  const { base } = await serve(t, { bus })
  Object.assign(bus, {
    read: () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new DOMException('aborted', 'AbortError')) }),
    }),
  })
  const answer = await fetch(`${base}/v1/events?from=start`)
  await assert.rejects(answer.text())
})

test('nothing is read for a consumer that left before the bus had answered', async (t) => {
  const bus = await busWith(1)
  const asked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const { base } = await serve(t, { bus })
  const { state, read } = bus
  let reads = 0
  Object.assign(bus, {
    async state() {
      asked.resolve()
      await answered.promise
      return await state()
    },
    read: (...of: Parameters<typeof read>) => {
      reads++
      return read(...of)
    },
  })
  const sent = request(`${base}/v1/events?from=now`).end()
  sent.on('error', () => {})
  await asked.promise
  sent.destroy()
  await setTimeout(100)
  answered.resolve()
  await setTimeout(100)
  assert.equal(reads, 0)
})

test('a replay stops at what is no event, and says so', async (t) => {
  const { post, bus } = await serve(t)
  await bus.append({ namespace: 'default', name: 's' }, [{ entry: 'e', id: 'x', event: Buffer.from('not json') }])
  const refused = await post('/v1/replay', { from: 'start', to: 'now', execute: true })
  assert.equal(refused.status, 400)
  assert.match(((await refused.json()) as { error: string }).error, /^number 6 on the log is no CloudEvent/)
})

test('a consumer that does not read costs no memory here', async (t) => {
  const { base, bus } = await serve(t)
  let pages = 0
  const read = bus.read.bind(bus)
  const filler = Buffer.alloc(256 * 1024, 'x')
  const counting = async function* (options: Parameters<typeof read>[0]) {
    for await (const stored of read(options)) {
      for (let i = 0; i < 1000; i++) {
        pages++
        yield { ...stored, event: Buffer.concat([Buffer.from('{"a":"'), filler, Buffer.from('"}')]) }
      }
    }
  }
  Object.assign(bus, { read: counting })
  const sent = request(`${base}/v1/events?from=start`).end()
  const [response] = await once(sent, 'response')
  response.pause()
  const before = await settled(() => pages)
  assert.ok(before < 200, `${before} events were read for a consumer that took none`)
  sent.destroy()
})

/** The value once it has stopped changing. */
async function settled(value: () => number): Promise<number> {
  for (let last = -1, same = 0; ; ) {
    await setTimeout(20)
    same = value() === last ? same + 1 : 0
    last = value()
    if (same > 10 && last > 0) return last
  }
}

test('follow delivers what is stored later', async (t) => {
  const { base, bus } = await serve(t)
  const answer = await fetch(`${base}/v1/events?from=now&limit=2`)
  const text = answer.text()
  await put(bus, 6, 7)
  assert.match(await text, /s-e-6[\s\S]*s-e-7/)
})

test('send stores an event with the data given; a wrong body says what is wrong', async (t) => {
  const { post, bus } = await serve(t)
  const answer = await post('/v1/send', { source: 's', entry: 'e', data: { body: { n: 1 } } })
  assert.equal(answer.status, 200)
  const sent = (await answer.json()) as { id: string; seq: number }
  const [stored] = await bus.tail({ namespace: 'default', name: 's' }, 'e', 1)
  assert.deepEqual([stored!.id, stored!.seq], [sent.id, sent.seq])
  assert.match(stored!.sourceId ?? '', /^send:/)
  const event = JSON.parse(Buffer.from(stored!.event).toString())
  assert.deepEqual(JSON.parse(Buffer.from(event.data_base64, 'base64').toString()), { body: { n: 1 } })
  for (const [body, status] of [
    ['{', 400],
    ['[]', 400],
    [{}, 400],
    [{ source: 'other', entry: 'e' }, 404],
    ['x'.repeat(9 << 20), 413],
  ] as const) {
    const refused = await post('/v1/send', body)
    assert.equal(refused.status, status)
    assert.ok(((await refused.json()) as { error: string }).error.length > 10)
  }
})

test('replay counts first, then stores copies under new ids, and not its own copies again', async (t) => {
  const { post, bus } = await serve(t)
  const plan = (await (await post('/v1/replay', { from: 2, to: 4 })).json()) as Record<string, unknown>
  assert.deepEqual([plan.count, plan.published, plan.entries], [3, 0, { 's/e': 3 }])
  const done = (await (await post('/v1/replay', { from: 'start', to: 'now', execute: true })).json()) as {
    published: number
  }
  assert.equal(done.published, 5)
  const all = await bus.tail({ namespace: 'default', name: 's' }, 'e', 100)
  assert.equal(all.length, 10)
  assert.equal(new Set(all.map(({ id }) => id)).size, 10)
  const data = (index: number) => JSON.parse(Buffer.from(all[index]!.event).toString()).data_base64
  for (let i = 0; i < 5; i++) assert.equal(data(i), data(i + 5))
  assert.equal((await post('/v1/replay', { from: 4, to: 2 })).status, 400)
})

test('unknown paths and methods', async (t) => {
  const { base } = await serve(t)
  assert.equal((await fetch(`${base}/nothing`)).status, 404)
  assert.equal((await fetch(`${base}/v1/stop`)).status, 405)
  assert.equal((await fetch(`${base}/__proto__`)).status, 404)
  assert.equal((await fetch(`${base}/constructor`)).status, 404)
})
