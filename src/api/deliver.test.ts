import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import { fakeClock, passUntil } from '../../test/fake-clock.ts'
import { systemClock } from '../core/clock.ts'
import {
  type Answers,
  deliveryTo,
  ids,
  idsOf,
  receiver,
  recorder,
  takenIds,
  until,
} from './delivery/receiver.fixture.ts'
import { busWith, put } from './events.fixture.ts'

/** There was a limit of ten once, after which an event was skipped. Some minutes by the clock of the test. */
const MANY = 15

test('delivers in order what is stored after the URL was given, over one connection; goes on there after a restart', async (t) => {
  const bus = await busWith(3)
  const { got, url, sockets } = await receiver(t)
  const first = await deliveryTo(t, bus, url, { userAgent: 'vedette/1.2.3' })
  await put(bus, 4, 40)
  await until(() => first.status().delivered === 37)
  assert.ok(sockets() <= 3, `${sockets()} connections for 37 events`)
  await first.stop()
  await put(bus, 41, 42)
  const second = await deliveryTo(t, bus, url)
  await until(() => second.status().delivered === 2)
  await second.stop()
  assert.deepEqual(idsOf(got), ids(4, 42))
  assert.equal(got[0]!.headers['content-type'], 'application/cloudevents+json; charset=utf-8')
  assert.equal(got[0]!.headers['user-agent'], 'vedette/1.2.3')
})

const refusals: [string, Answers, { reason: string; why: RegExp }][] = [
  ...[300, 304, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 451, 500, 501, 503].map(
    (status): (typeof refusals)[number] => [
      `${status}`,
      () => status,
      { reason: `${status}`, why: new RegExp(`^the receiver answered ${status} `) },
    ],
  ),
  ...[301, 302, 303, 307, 308].map((status): (typeof refusals)[number] => [
    `${status} to another host`,
    (_, response) => {
      response.setHeader('location', 'http://elsewhere.invalid/login?token=x')
      return status
    },
    { reason: `${status}`, why: /to http:\/\/elsewhere\.invalid\/login \(redirects are not followed/ },
  ]),
  [
    '429 with Retry-After',
    (_, response) => {
      response.setHeader('retry-after', '60')
      return 429
    },
    { reason: '429', why: /429 Too Many Requests/ },
  ],
  ['a reset', (_, __, request) => void request.socket.resetAndDestroy(), { reason: 'ECONNRESET', why: /^no answer: / }],
  ['silence', () => undefined, { reason: 'timeout', why: /^no answer within 30 s$/ }],
  [
    'what is no HTTP',
    (_, __, request) => void request.socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
    { reason: 'HPE_INVALID_CONSTANT', why: /^no answer: / },
  ],
]

for (const [name, answers, { reason, why }] of refusals) {
  test(`${name} for minutes: held, shown, nothing skipped; then all is delivered in order`, async (t) => {
    const clock = fakeClock()
    const { log, has } = recorder()
    const bus = await busWith(0)
    const to = await receiver(t)
    const delivery = await deliveryTo(t, bus, to.url, { clock, log })
    await put(bus, 1, 2)
    await passUntil(clock, () => delivery.status().delivered === 2, 'the first two')
    to.answers = answers
    await put(bus, 3, 6)
    await passUntil(clock, () => (delivery.status().refused[reason] ?? 0) >= MANY, 'many refusals', 2_000)
    const { cursor, error, held, refused, delivered, attempts, head } = delivery.status()
    assert.deepEqual([delivered, cursor], [2, 2])
    assert.match(error ?? '', why)
    assert.deepEqual([held?.id, held?.seq, held?.subject], ['s-e-3', 3, 'default.s.e'])
    assert.equal(attempts, 2 + Object.values(refused).reduce((sum, one) => sum + one, 0))
    assert.ok(head >= 3)
    assert.equal(has('warn delivery fails'), 1, 'one line, not one per attempt')
    to.answers = () => 200
    await passUntil(clock, () => delivery.status().delivered === 6, 'the rest')
    assert.deepEqual(takenIds(to.got), ids(1, 6))
    assert.equal(delivery.status().error, null)
    assert.equal(delivery.status().held, undefined)
    assert.equal(has('info delivery goes on'), 1)
  })
}

test('Retry-After is waited for, and what is longer than five minutes is not', async (t) => {
  const clock = fakeClock()
  const bus = await busWith(0)
  const at: number[] = []
  const to = await receiver(t, (_, response) => {
    at.push(clock.monotonic())
    response.setHeader('retry-after', at.length === 1 ? '100' : '86400')
    return 503
  })
  const delivery = await deliveryTo(t, bus, to.url, { clock })
  await put(bus, 1, 1)
  await passUntil(clock, () => at.length === 3, 'three tries')
  assert.ok(at[1]! - at[0]! >= 100_000 && at[1]! - at[0]! < 130_000, `${at[1]! - at[0]!}`)
  assert.ok(at[2]! - at[1]! >= 300_000 && at[2]! - at[1]! < 330_000, `${at[2]! - at[1]!}`)
  assert.ok(Date.parse(delivery.status().held?.nextAttemptAt ?? '') > clock.now() + 200_000)
})

test('a redirect is not followed: nobody else gets the event', async (t) => {
  const bus = await busWith(0)
  const other = await receiver(t)
  const to = await receiver(t, (_, response) => {
    response.setHeader('location', other.url)
    return 307
  })
  const delivery = await deliveryTo(t, bus, to.url)
  await put(bus, 1, 1)
  await until(() => (delivery.status().refused['307'] ?? 0) >= 3)
  assert.equal(other.got.length, 0)
})

test('what fails is retried until it works, and nothing overtakes it', async (t) => {
  const bus = await busWith(0)
  const answers = [503, 429, 404, 408]
  const { got, url } = await receiver(t, () => answers.shift() ?? 200)
  const delivery = await deliveryTo(t, bus, url)
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
  const delivery = await deliveryTo(t, bus, `http://127.0.0.1:${port}/in`)
  await put(bus, 1, 1)
  await until(() => delivery.status().error !== null)
  assert.match(delivery.status().error!, /^no answer: connect ECONNREFUSED 127\.0\.0\.1/)
  const back = createServer((_, response) => response.end()).listen(port, '127.0.0.1')
  t.after(() => {
    back.close()
    back.closeAllConnections()
  })
  await until(() => delivery.status().delivered === 1)
  await delivery.stop()
})

test('stopping while the receiver fails, or is silent, does not move the cursor and does not last', async (t) => {
  const bus = await busWith(0)
  const to = await receiver(t, () => 401)
  await put(bus, 1, 1)
  const start = () => deliveryTo(t, bus, to.url)
  const first = await start()
  await put(bus, 2, 2)
  await until(() => to.got.length > 0)
  await first.stop()
  const before = to.got.length
  to.answers = () => undefined
  const second = await start()
  await until(() => to.got.length > before)
  const begun = performance.now()
  await second.stop()
  assert.ok(performance.now() - begun < 20_000, 'it waited for the silent receiver')
  to.answers = () => 200
  const third = await start()
  await until(() => third.status().delivered === 1)
  await third.stop()
  assert.deepEqual(takenIds(to.got), ids(2, 2))
})

test('who is killed goes on at the cursor that was written: at least once, in order, nothing stepped over', async (t) => {
  const bus = await busWith(0)
  const to = await receiver(t)
  // never stopped: as killed ones, but that they would go on to write
  const first = await deliveryTo(t, bus, to.url)
  await put(bus, 1, 20)
  await until(() => first.status().delivered === 20)
  await systemClock.sleep(1200)
  to.answers = () => 404
  await put(bus, 21, 25)
  await until(() => (first.status().refused['404'] ?? 0) >= 2)
  const second = await deliveryTo(t, bus, to.url)
  assert.equal(second.status().cursor, 20)
  to.answers = () => 200
  await until(() => second.status().delivered === 5)
  assert.deepEqual(takenIds(to.got), ids(1, 25))
})

test('a body without an end costs neither memory nor the event', async (t) => {
  const bus = await busWith(0)
  let [requests, written] = [0, 0]
  const endless: Answers = (_, response) => {
    response.writeHead(requests++ === 0 ? 401 : 200)
    const chunk = Buffer.alloc(65_536, 'x')
    const more = () => {
      if (response.destroyed) return
      written += chunk.length
      if (response.write(chunk)) setImmediate(more)
      else response.once('drain', more)
    }
    more()
    return undefined
  }
  const to = await receiver(t, endless)
  const delivery = await deliveryTo(t, bus, to.url)
  await put(bus, 1, 3)
  await until(() => delivery.status().delivered === 3)
  assert.equal(delivery.status().refused['401'], 1)
  assert.ok(written < 200 << 20, `${written} bytes were read`)
})

test('a connection that was closed while it was idle is no failure', async (t) => {
  const bus = await busWith(0)
  const { log, has } = recorder()
  const seen = new WeakSet<object>()
  const to = await receiver(t, (_, __, request) => {
    if (seen.has(request.socket)) return void request.socket.destroy()
    seen.add(request.socket)
    return 200
  })
  const delivery = await deliveryTo(t, bus, to.url, { log })
  await put(bus, 1, 5)
  await until(() => delivery.status().delivered === 5)
  assert.deepEqual([delivery.status().attempts, has('delivery fails')], [5, 0])
})

test('binary mode delivers also what others put on the bus and has no such form', async (t) => {
  const bus = await busWith(0)
  const to = await receiver(t)
  const delivery = await deliveryTo(t, bus, to.url, { mode: 'binary' })
  const foreign = ['not json', '{"id":"x","a b":"c"}', '[1]', 'null']
  for (const [i, text] of foreign.entries())
    await bus.append({ namespace: 'default', name: 's' }, [{ entry: 'e', id: `f${i}`, event: Buffer.from(text) }])
  await put(bus, 1, 1)
  await until(() => delivery.status().delivered === 5)
  assert.equal(to.got.at(-1)!.headers['ce-id'], 's-e-1')
})
