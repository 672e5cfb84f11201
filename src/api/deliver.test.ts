import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import test from 'node:test'
import { type CloudEvent, HTTP } from 'cloudevents'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import { judge, message, parseTarget, startDelivery } from './deliver.ts'
import { busWith, put } from './events.fixture.ts'

interface Received {
  headers: IncomingMessage['headers']
  body: string
}

/** A receiver; `answer` gives the status of the n-th request, from 0. */
async function receiver(t: { after(fn: () => unknown): void }, answer: (n: number, received: Received) => number) {
  const got: Received[] = []
  let sockets = 0
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const received = { headers: request.headers, body: Buffer.concat(chunks).toString() }
    response.statusCode = answer(got.length, received)
    got.push(received)
    response.end('thanks')
  })
  server.on('connection', () => sockets++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { got, sockets: () => sockets, url: `http://127.0.0.1:${(server.address() as { port: number }).port}/in` }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return
    await systemClock.sleep(10)
  }
  throw new Error('not within 10 s')
}

const idsOf = (got: Received[]) => got.map(({ body }) => JSON.parse(body).id as string)
const start = async (t: { after(fn: () => unknown): void }, bus: Awaited<ReturnType<typeof busWith>>, url: string) => {
  const delivery = await startDelivery({ bus, url, mode: 'structured', clock: systemClock, log: silentLogger })
  t.after(() => delivery.stop())
  return delivery
}

test('delivers in order what is stored after the URL was given, over one connection; goes on there after a restart', async (t) => {
  const bus = await busWith(3)
  const { got, url, sockets } = await receiver(t, () => 204)
  const first = await start(t, bus, url)
  await put(bus, 4, 40)
  await until(() => first.status().delivered === 37)
  assert.ok(sockets() <= 3, `${sockets()} connections for 37 events`)
  await first.stop()
  await put(bus, 41, 42)
  const second = await start(t, bus, url)
  await until(() => second.status().delivered === 2)
  await second.stop()
  assert.deepEqual(
    idsOf(got),
    Array.from({ length: 39 }, (_, i) => `s-e-${i + 4}`),
  )
  assert.equal(got[0]!.headers['content-type'], 'application/cloudevents+json; charset=utf-8')
})

test('what fails is retried until it works, and nothing overtakes it', async (t) => {
  const bus = await busWith(0)
  const answers = [503, 429, 500, 408]
  const { got, url } = await receiver(t, (n) => answers[n] ?? 200)
  const delivery = await start(t, bus, url)
  await put(bus, 1, 2)
  await until(() => delivery.status().error !== null)
  await until(() => delivery.status().delivered === 2)
  assert.equal(delivery.status().error, null)
  await delivery.stop()
  assert.deepEqual(idsOf(got), ['s-e-1', 's-e-1', 's-e-1', 's-e-1', 's-e-1', 's-e-2'])
})

test('a receiver that is away is waited for', async (t) => {
  const bus = await busWith(0)
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  gone.close()
  const delivery = await start(t, bus, `http://127.0.0.1:${port}/in`)
  await put(bus, 1, 1)
  await until(() => delivery.status().error !== null)
  assert.equal(delivery.status().error, 'ECONNREFUSED')
  const back = createServer((_, response) => response.end()).listen(port, '127.0.0.1')
  t.after(() => {
    back.close()
    back.closeAllConnections()
  })
  await until(() => delivery.status().delivered === 1)
  await delivery.stop()
})

test('stopping while the receiver fails does not move the cursor', async (t) => {
  const bus = await busWith(0)
  let well = false
  const { got, url } = await receiver(t, () => (well ? 200 : 500))
  const first = await start(t, bus, url)
  await put(bus, 1, 1)
  await until(() => got.length > 0)
  await first.stop()
  well = true
  const second = await start(t, bus, url)
  await until(() => second.status().delivered === 1)
  await second.stop()
})

test('binary mode is what the CloudEvents SDK reads', async () => {
  const event = Buffer.from(
    '{"specversion":"1.0","id":"a b\\"%é","source":"s","type":"webhook","subject":"e","datacontenttype":"application/json","time":"2026-01-02T03:04:05.678Z","data_base64":"eyJuIjoxfQ=="}',
  )
  const binary = message({ event }, 'binary')
  assert.equal(binary.headers['ce-id'], 'a%20b%22%25%C3%A9')
  assert.equal(Buffer.from(binary.body).toString(), '{"n":1}')
  const read = HTTP.toEvent({
    headers: Object.fromEntries(Object.entries(binary.headers).map(([key, value]) => [key, value])),
    body: Buffer.from(binary.body).toString(),
  }) as CloudEvent<unknown>
  assert.deepEqual([read.source, read.type, read.subject, read.data], ['s', 'webhook', 'e', { n: 1 }])
  const structured = message({ event }, 'structured')
  const same = HTTP.toEvent({
    headers: structured.headers,
    body: Buffer.from(structured.body).toString(),
  }) as CloudEvent
  assert.equal(same.id, 'a b"%é')
})

test('what an answer means', () => {
  assert.deepEqual(judge(202, null, 0), { verdict: 'delivered' })
  assert.deepEqual(judge(503, '2', 0), { verdict: 'again', why: 'the receiver answered 503', waitMs: 2000 })
  assert.equal((judge(429, new Date(5000).toUTCString(), 1000) as { waitMs: number }).waitMs, 4000)
  assert.equal((judge(503, '1e99', 0) as { waitMs: number }).waitMs, 300_000)
  assert.equal((judge(503, 'soon', 0) as { waitMs: number }).waitMs, 0)
  for (const status of [301, 400, 401, 404, 410, 415]) assert.equal(judge(status, null, 0).verdict, 'refused')
})

test('credentials in the URL become a header and are never shown', () => {
  const target = parseTarget('https://me:p%40ss@example.com/in?token=x')
  assert.equal(target.url, 'https://example.com/in?token=x')
  assert.equal(target.shown, 'https://example.com/in')
  assert.equal(target.headers.authorization, `Basic ${Buffer.from('me:p@ss').toString('base64')}`)
  for (const wrong of ['', 'example.com', 'ftp://example.com'])
    assert.throws(() => parseTarget(wrong), { code: 'USAGE' })
})

test('an event that the receiver refuses ten times is skipped and counted, the next one comes', async (t) => {
  const bus = await busWith(0)
  const { got, url } = await receiver(t, (_, { body }) => (JSON.parse(body).id === 's-e-1' ? 400 : 200))
  // pauses would add up to a minute and more
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 1), signal),
  }
  const delivery = await startDelivery({ bus, url, mode: 'structured', clock, log: silentLogger })
  await put(bus, 1, 2)
  await until(() => delivery.status().delivered === 1)
  assert.equal(delivery.status().skipped, 1)
  await delivery.stop()
  assert.equal(got.length, 11)
})
