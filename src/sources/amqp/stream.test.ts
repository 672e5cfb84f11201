/** Streams of RabbitMQ: read on from the next offset, whatever happened meanwhile. */
import assert from 'node:assert/strict'
import { after, suite, type TestContext, test } from 'node:test'
import { type ConfirmChannel, connect } from 'amqplib'
import { endOf, type Harness, serveInHarness } from '../../../test/harness.ts'
import { without } from '../../../test/servers/cache.ts'
import { type RabbitmqServer, rabbitmqBinary, startRabbitmq } from '../../../test/servers/rabbitmq.ts'
import { fail } from '../../core/errors.ts'
import amqp from '../amqp.ts'
import type { StreamPosition } from './stream.ts'

const valid = { url: 'amqp://h', exchangeName: 'e', exchangeType: 'direct', routingKey: 'k' }
const parse = (more: object) => amqp.spec.parse({ ...valid, ...more })
const stream = (name: string, more = '') => ({ name, durable: true, arguments: `x-queue-type: stream\n${more}` })

test('a stream is exactly once; what the broker makes no stream of is refused, with a remedy', () => {
  const spec = parse({ queueDeclare: stream('q') })
  assert.equal(amqp.guaranteeOf!(spec), 'exactly-once')
  assert.deepEqual(amqp.validate!(spec), [])
  for (const [more, path] of [
    [{ name: '' }, 'queueDeclare.name'],
    [{ durable: false }, 'queueDeclare.durable'],
    [{ exclusive: true }, 'queueDeclare.exclusive'],
    [{ autoDelete: true }, 'queueDeclare.autoDelete'],
  ] as const) {
    const [finding, ...others] = amqp.validate!(parse({ queueDeclare: { ...stream('q'), ...more } }))
    assert.deepEqual(others, [], path)
    assert.deepEqual([finding!.path.join('.'), finding!.fatal], [path, true])
    assert.ok(finding!.remedy)
  }
})

test('where to begin: what a broker understands; of anything else old ones die', () => {
  const findings = (offset: string) =>
    amqp.validate!(parse({ queueDeclare: stream('q'), consume: { arguments: `x-stream-offset: ${offset}` } }))
  for (const good of ['first', 'last', 'next', '0', '12345', '7D', '12h', '2026-11-30', '2026-11-30T12:00:00Z'])
    assert.deepEqual(findings(good), [], good)
  for (const bad of ['newest', '-1', '1.5', '7d', '[1]', '2026-13-30T12:00:00Z', 'true']) {
    const [finding] = findings(bad)
    assert.match(finding!.message, /x-stream-offset .* is none/, bad)
    assert.deepEqual([finding!.path, finding!.fatal], [['consume', 'arguments'], true])
  }
  const [wrong] = amqp.validate!(parse({ consume: { arguments: '- 1' } }))
  assert.deepEqual([wrong!.path, wrong!.fatal], [['consume', 'arguments'], true])
})

suite('RabbitMQ', { skip: without('rabbitmq-server', rabbitmqBinary()) }, () => {
  let starting: Promise<RabbitmqServer> | null = null
  const server = () => {
    starting ??= startRabbitmq()
    return starting
  }
  after(async () => (await starting)?.close())
  let names = 0

  /** A stream of this test's own, on an exchange of the same name. */
  async function origin(t: TestContext) {
    const name = `s${names++}`
    const { url } = await server()
    const model = await connect(url)
    t.after(() => model.close())
    const channel: ConfirmChannel = await model.createConfirmChannel()
    await channel.assertExchange(name, 'fanout')
    const make = async (args: object = {}) => {
      await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'stream', ...args } })
      await channel.bindQueue(name, name, '')
    }
    return {
      name,
      channel,
      make,
      async send(...bodies: (string | number)[]) {
        for (const body of bodies) channel.publish(name, '', Buffer.from(String(body)))
        await channel.waitForConfirms()
      },
      serve(more: object = {}, options: Parameters<typeof serveInHarness<any, any>>[2] = {}) {
        const spec = {
          ...valid,
          url,
          exchangeName: name,
          exchangeType: 'fanout',
          queueDeclare: stream(name),
          jsonBody: true,
          ...more,
        }
        const harness: Harness<StreamPosition | null> = serveInHarness(amqp, spec, options)
        t.after(() => harness.stop())
        return harness
      },
    }
  }
  const reading = (harness: Harness<any>) => harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)
  const bodies = (harness: Harness<any>) => harness.emitted.map(({ text }) => JSON.parse(text).body)
  const came = (harness: Harness<any>, count: number) => harness.until(({ emitted }) => emitted.length >= count, 30_000)
  /** Where the bus would say that the entry stands. */
  const standing = (harness: Harness<StreamPosition | null>): StreamPosition | null => {
    const all = [...harness.advanced, ...harness.emitted.map(({ position }) => position!)]
    return all.toSorted((a, b) => (a?.next ?? 0) - (b?.next ?? 0)).at(-1) ?? null
  }

  test('what comes while nobody serves is read by the next one: nothing lost, nothing twice', async (t) => {
    const { send, serve } = await origin(t)
    const first = serve()
    await reading(first)
    await send(0, 1, 2)
    await came(first, 3)
    await first.stop()
    await send(3, 4, 5, 6, 7)
    const next = serve({}, { resume: standing(first) })
    await came(next, 5)
    await send(8)
    await came(next, 6)
    assert.deepEqual(bodies(first), [0, 1, 2])
    assert.deepEqual(bodies(next), [3, 4, 5, 6, 7, 8])
    const ids = [...first.emitted, ...next.emitted].map(({ id }) => id)
    assert.deepEqual(
      ids,
      Array.from({ length: 9 }, (_, n) => `${first.context.spec.queueDeclare.name}/${n}`),
    )
  })

  test('a new entry begins with what comes; where that is, is known before anything came', async (t) => {
    const { make, send, serve } = await origin(t)
    await make()
    await send('"old"', '"older"')
    const first = serve()
    await reading(first)
    assert.deepEqual([first.emitted.length, first.advanced.at(-1)!.next], [0, 2])
    await first.stop()
    await send(1, 2)
    const next = serve({}, { resume: first.advanced.at(-1)! })
    await came(next, 2)
    assert.deepEqual(bodies(next), [1, 2])
  })

  test('begun in a stream that is empty, and stopped at once: the first message is not missed', async (t) => {
    const { send, serve } = await origin(t)
    const first = serve()
    await reading(first)
    await first.stop()
    await send(0)
    const next = serve({}, { resume: first.advanced.at(-1)! })
    await came(next, 1)
    assert.deepEqual(bodies(next), [0])
  })

  test('x-stream-offset says where a new entry begins, and nothing once there is a position', async (t) => {
    const { make, send, serve } = await origin(t)
    await make()
    await send(0, 1, 2, 3)
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString()
    for (const [offset, expected] of [
      ['first', [0, 1, 2, 3]],
      ['2', [2, 3]],
      [hourAgo, [0, 1, 2, 3]],
      ['1h', [0, 1, 2, 3]],
    ] as const) {
      const harness = serve({ consume: { arguments: `x-stream-offset: ${offset}` } })
      await came(harness, expected.length)
      assert.deepEqual(bodies(harness), expected, offset)
      await harness.stop()
    }
    const on = serve({ consume: { arguments: 'x-stream-offset: first' } }, { resume: { next: 3 } })
    await came(on, 1)
    assert.deepEqual(bodies(on), [3])
  })

  test('a queue that is a stream already is read as one, though the entry does not say so', async (t) => {
    const { name, make, send, serve } = await origin(t)
    await make()
    const first = serve({ queueDeclare: { name, durable: true } })
    await reading(first)
    await send(0)
    await came(first, 1)
    await first.stop()
    await send(1)
    const next = serve({ queueDeclare: { name, durable: true } }, { resume: standing(first) })
    await came(next, 1)
    assert.deepEqual([bodies(next), next.emitted[0]!.id], [[1], `${name}/1`])
  })

  test('made anew: read from its start, and its offsets are other events; also when it is shorter, and silent', async (t) => {
    const { name, channel, make, send, serve } = await origin(t)
    const first = serve()
    await reading(first)
    await send(0, 1, 2, 3)
    await came(first, 4)
    await first.stop()
    for (const [resume, again] of [
      [standing(first), [10, 11]],
      [standing(first), [20, 21, 22, 23, 24]],
    ] as const) {
      await channel.deleteQueue(name)
      await make()
      await send(...again)
      const harness = serve({}, { resume })
      assert.match((await endOf(harness)).message, /was made anew: it is read from its start/)
      assert.deepEqual([harness.emitted.length, harness.advanced.at(-1)], [0, { next: 0, resets: 1 }])
      const next = serve({}, { resume: harness.advanced.at(-1)! })
      await came(next, again.length)
      assert.deepEqual(bodies(next), again)
      assert.equal(next.emitted[0]!.id, `${name}/0/1`)
      await next.stop()
    }
  })

  test('made anew as a queue: read as one', async (t) => {
    const { name, channel, make, send, serve } = await origin(t)
    await make()
    await channel.deleteQueue(name)
    const more = { queueDeclare: { name, durable: true } }
    const before = serve(more, { resume: { next: 3 } })
    await endOf(before)
    assert.deepEqual(before.advanced, [null])
    const next = serve(more)
    await reading(next)
    await send(1)
    await came(next, 1)
    assert.deepEqual([bodies(next), next.emitted[0]!.position], [[1], undefined])
  })

  test('what retention took is told, with how many, before the position is beyond it', async (t) => {
    const { name, make, channel, send, serve } = await origin(t)
    const args = { 'x-max-length-bytes': 2_000, 'x-stream-max-segment-size-bytes': 1_000 }
    await make(args)
    const queueDeclare = stream(name, 'x-max-length-bytes: 2000\nx-stream-max-segment-size-bytes: 1000')
    const first = serve({ queueDeclare })
    await reading(first)
    await send(0)
    await came(first, 1)
    await first.stop()
    for (let n = 1; n <= 60; n++) await send(JSON.stringify(`${n} ${'x'.repeat(400)}`))
    // Retention is looked at when a segment is full.
    let oldest = 0
    while (oldest < 2) {
      await send(JSON.stringify('more'.repeat(100)))
      const probe = serve({ queueDeclare, consume: { arguments: 'x-stream-offset: first' } })
      await came(probe, 1)
      oldest = probe.emitted[0]!.position!.next - 1
      await probe.stop()
    }
    const next = serve({ queueDeclare }, { resume: standing(first) })
    await came(next, 1)
    const from = next.emitted[0]!.position!.next - 1
    assert.ok(from >= oldest)
    assert.equal(
      next.skipped[0],
      `offsets 1 to ${from - 1} of stream ${name} (up to ${from - 1} messages): the stream's retention removed them before they were read; they are nowhere any more`,
    )
    await channel.deleteQueue(name)
  })

  test('what can never become an event is told with its offset, and holds nothing up', async (t) => {
    const { name, send, serve } = await origin(t)
    const harness = serve()
    await reading(harness)
    await send(0, 'no json', 2)
    await came(harness, 2)
    assert.deepEqual(bodies(harness), [0, 2])
    assert.match(
      harness.skipped[0]!,
      new RegExp(`^offset 1 of stream ${name}: .*invalid character.*; it stays in the stream`),
    )
    assert.equal(harness.advanced.at(-1)!.next, 2)
  })

  test('refused by the bus: all is there for the next one; two entries read one stream, each for itself', async (t) => {
    const { send, serve, make } = await origin(t)
    // Declared by two at once it is there for a moment before the node has a copy of it to read from.
    await make()
    const [one, other] = [serve(), serve()]
    await Promise.all([one, other].map(reading))
    one.failWith = fail('FENCED', 'term 2 rules')
    await send(0, 1, 2)
    assert.equal((await endOf(one)).code, 'FENCED')
    await came(other, 3)
    const next = serve({}, { resume: one.advanced.at(-1)! })
    await came(next, 3)
    assert.deepEqual(
      [bodies(other), bodies(next)],
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    )
  })
})
