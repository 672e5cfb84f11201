/** AMQP against RabbitMQ: payloads byte for byte, every field, every error, lost connections. */
import assert from 'node:assert/strict'
import { after, suite, type TestContext, test } from 'node:test'
import { type Channel, connect, type Options } from 'amqplib'
import { makeCertificate } from '../../test/certificate.ts'
import { endOf, type Harness, serveInHarness, serving } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { freePorts } from '../../test/servers/process.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import { type RabbitmqServer, rabbitmqBinary, startRabbitmq } from '../../test/servers/rabbitmq.ts'
import { fail } from '../core/errors.ts'
import { type AmqpSpec, queueArguments } from './amqp/spec.ts'
import amqp from './amqp.ts'

const parse = (spec: object): AmqpSpec => amqp.spec.parse(spec)
const skip = without('rabbitmq-server', rabbitmqBinary())
const valid = { url: 'amqp://h', exchangeName: 'e', exchangeType: 'direct', routingKey: 'k' }

test('what cannot work is found before anything connects, with a remedy', () => {
  for (const [more, path, words] of [
    [{ url: 'http://h' }, 'url', /none of AMQP/],
    [{ url: 'amqp://h:port' }, 'url', /cannot be read/],
    [{ exchangeName: '' }, 'exchangeName', /without a name/],
    [
      { queueDeclare: { name: 'q', arguments: '- 1' } },
      'queueDeclare.arguments',
      /failed to parse optional queue declare table arguments/,
    ],
    [{ queueDeclare: { name: 'q', arguments: '{' } }, 'queueDeclare.arguments', /Args: \{\. Err: /],
    [
      { connectionBackoff: { duration: '10' } },
      'connectionBackoff',
      /invalid backoff configuration, time: missing unit/,
    ],
    [{ connectionBackoff: { factor: '2' } }, 'connectionBackoff', /invalid factor/],
  ] as const) {
    const [finding, ...others] = amqp.validate!(parse({ ...valid, ...more }))
    assert.deepEqual(others, [])
    assert.equal(finding!.path.join('.'), path)
    assert.match(finding!.message, words)
    assert.equal(finding!.fatal, true)
    assert.ok(finding!.remedy)
  }
  assert.deepEqual(amqp.validate!(parse({ ...valid, queueDeclare: { name: 'q', durable: true } })), [])
})

test('a queue that goes with its consumer is warned of, but served', () => {
  for (const flag of ['exclusive', 'autoDelete']) {
    const spec = parse({ ...valid, queueDeclare: { name: 'q', [flag]: true } })
    assert.deepEqual(
      amqp.validate!(spec).map(({ fatal, path }) => [fatal, path]),
      [[undefined, ['queueDeclare', flag]]],
    )
    assert.equal(amqp.guaranteeOf!(spec), 'at-most-once')
  }
  assert.equal(amqp.guaranteeOf!(parse(valid)), 'hot-standby')
  const sharing = parse({ ...valid, exchangeType: 'x-random' })
  assert.equal(amqp.guaranteeOf!(sharing), 'at-most-once')
  assert.deepEqual(
    amqp.validate!(sharing).map(({ fatal, path }) => [fatal, path]),
    [[undefined, ['exchangeType']]],
  )
  assert.equal(amqp.guaranteeOf!(parse({ ...valid, queueDeclare: { name: 'q' } })), 'at-least-once')
})

test('arguments of the queue: YAML values as they are, whole numbers of any size', () => {
  assert.deepEqual(queueArguments('x-queue-type: quorum\nx-max-length-bytes: 5000000000\nx-a: [1, true, {b: 1.5}]'), {
    'x-queue-type': 'quorum',
    'x-max-length-bytes': 5_000_000_000,
    'x-a': [1, true, { b: 1.5 }],
  })
  assert.deepEqual(queueArguments(''), {})
})

test('rotated credentials are the same origin, another queue is another one', () => {
  const of = (more: object) => JSON.stringify(amqp.identity!(parse({ ...valid, ...more })))
  assert.equal(of({ url: 'amqp://a:b@h' }), of({ url: 'amqp://c:d@h' }))
  assert.notEqual(of({}), of({ queueDeclare: { name: 'q' } }))
})

suite('RabbitMQ', { skip }, () => {
  let starting: Promise<RabbitmqServer> | null = null
  const server = () => {
    starting ??= startRabbitmq()
    return starting
  }
  after(async () => (await starting)?.close())
  let names = 0

  async function channelFor(t: TestContext): Promise<Channel & { waitForConfirms(): Promise<void> }> {
    const model = await connect((await server()).url)
    t.after(() => model.close())
    return await model.createConfirmChannel()
  }

  async function serve(t: TestContext, more: object = {}, options: Parameters<typeof serveInHarness>[2] = {}) {
    const name = `t${names++}`
    const { url } = await server()
    const spec = {
      url,
      exchangeName: name,
      exchangeType: 'topic',
      routingKey: '#',
      queueDeclare: { name, durable: true },
      ...more,
    }
    const harness: Harness<unknown> = serveInHarness(amqp, spec, options)
    t.after(() => harness.stop())
    return { harness, name, spec }
  }
  const consuming = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.at(-1) === null, 20_000)
  const send = async (
    channel: Channel & { waitForConfirms(): Promise<void> },
    exchange: string,
    body: string | Buffer,
    options: Options.Publish = {},
  ) => {
    channel.publish(exchange, 'hello', Buffer.from(body), options)
    await channel.waitForConfirms()
  }

  test('payload: byte for byte as Argo Events, with all properties, and with none', async (t) => {
    const { harness, name } = await serve(t, { jsonBody: true })
    await consuming(harness)
    const channel = await channelFor(t)
    const timestamp = Date.UTC(2023, 10, 14, 22, 13, 20) / 1000
    await send(channel, name, '{ "a": 1, "b": "<\u2028>" }', {
      contentType: 'application/json',
      persistent: true,
      messageId: 'm-1',
      timestamp,
      priority: 3,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      type: 't',
      appId: 'app',
      contentEncoding: 'utf-8',
      headers: { secret: 'x' },
    })
    await send(channel, name, '[1.0, 1e400]')
    await harness.until(({ emitted }) => emitted.length === 2)
    assert.deepEqual(
      harness.emitted.map(({ text }) => text),
      [
        `{"contentType":"application/json","contentEncoding":"utf-8","deliveryMode":2,"priority":3,"correlationId":"c","replyTo":"r","expiration":"60000","messageId":"m-1","timestamp":"2023-11-14 22:13:20 +0000 UTC","type":"t","appId":"app","exchange":"${name}","routingKey":"hello","body":{"a":1,"b":"\\u003c\\u2028\\u003e"}}`,
        `{"contentType":"","contentEncoding":"","deliveryMode":0,"priority":0,"correlationId":"","replyTo":"","expiration":"","messageId":"","timestamp":"0001-01-01 00:00:00 +0000 UTC","type":"","appId":"","exchange":"${name}","routingKey":"hello","body":[1.0,1e400]}`,
      ],
    )
    assert.equal(harness.emitted[1]!.id, undefined, 'a message without an id has none')
  })

  test('payload: base64 for any bytes, and metadata', async (t) => {
    const { harness, name } = await serve(t, { metadata: { b: '2', a: '1' } })
    await consuming(harness)
    await send(await channelFor(t), name, Buffer.from([0xff, 0x00, 0xfe]))
    await harness.until(({ emitted }) => emitted.length === 1)
    assert.match(harness.emitted[0]!.text, /"body":"\/wD\+","metadata":\{"a":"1","b":"2"\}\}$/)
  })

  test('ids: a repeated message-id is the same event, with another body it is another', async (t) => {
    const { harness, name } = await serve(t)
    await consuming(harness)
    const channel = await channelFor(t)
    for (const body of ['a', 'a', 'b']) await send(channel, name, body, { messageId: 'same' })
    await harness.until(({ emitted }) => emitted.length === 3)
    const [first, second, third] = harness.emitted.map(({ id }) => id)
    assert.equal(first, second)
    assert.notEqual(first, third)
    assert.match(first!, /^same:[0-9a-f]{32}$/)
  })

  test('ids: two senders may call a message the same; attempts of one may differ in what is made anew', async (t) => {
    const { harness, name } = await serve(t)
    await consuming(harness)
    const channel = await channelFor(t)
    const login = new URL((await server()).url).username || 'guest'
    const ones: Options.Publish[] = [
      {},
      { appId: 'a' },
      { appId: 'b' },
      { userId: login },
      { type: 'made' },
      { type: 'paid' },
      { headers: { 'cloudEvents:source': '/orders' } },
      { headers: { 'cloudEvents:source': '/bills' } },
      { headers: { cloudEvents_type: 'made' } },
    ]
    const anew = { timestamp: 1_700_000_000, replyTo: 'r', expiration: '60000' }
    for (const one of ones) {
      await send(channel, name, 'x', { messageId: '1', ...one })
      const headers = { ...one.headers, traceparent: '00-1-1-01' }
      await send(channel, name, 'x', { messageId: '1', ...one, ...anew, headers })
    }
    await harness.until(({ emitted }) => emitted.length === 2 * ones.length)
    const ids = harness.emitted.map(({ id }) => id)
    for (let i = 0; i < ids.length; i += 2) assert.equal(ids[i], ids[i + 1], JSON.stringify(ones[i / 2]))
    assert.equal(new Set(ids).size, ones.length)
  })

  test('a message that is no JSON goes to the dead-letter exchange, is counted, and holds nothing up', async (t) => {
    const channel = await channelFor(t)
    await channel.assertExchange('dead', 'fanout')
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(queue, 'dead', '')
    const name = `t${names}`
    const { harness } = await serve(t, {
      jsonBody: true,
      queueDeclare: { name, durable: true, arguments: 'x-dead-letter-exchange: dead' },
    })
    await consuming(harness)
    for (const body of ['1', 'no json', '2']) await send(channel, name, body)
    await harness.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1)
    assert.match(
      harness.skipped[0]!,
      /message .*of queue .*invalid character.*; it is rejected: it goes to the dead-letter exchange/,
    )
    let dead: false | { content: Buffer } = false
    while (dead === false) dead = await channel.get(queue, { noAck: true })
    assert.equal(dead.content.toString(), 'no json')
    await harness.stop()
    assert.equal((await channel.checkQueue(name)).messageCount, 0, 'the others are acknowledged')
  })

  test('nothing is acknowledged that the bus does not have: refused, it is all there for the next one, in order', async (t) => {
    const { harness, name, spec } = await serve(t)
    await consuming(harness)
    harness.failWith = fail('FENCED', 'term 2 rules')
    const channel = await channelFor(t)
    for (const body of ['1', '2', '3']) await send(channel, name, body)
    assert.equal((await endOf(harness)).code, 'FENCED')
    const next: Harness<unknown> = serveInHarness(amqp, spec)
    t.after(() => next.stop())
    await next.until(({ emitted }) => emitted.length === 3, 20_000)
    assert.deepEqual(
      next.emitted.map(({ text }) => Buffer.from(JSON.parse(text).body, 'base64').toString()),
      ['1', '2', '3'],
    )
  })

  test('another routing key or exchange: the queue is bound to it alone, and what is in the queue is not lost', async (t) => {
    const channel = await channelFor(t)
    const publish = async (exchange: string, key: string, body: string) => {
      channel.publish(exchange, key, Buffer.from(body))
      await channel.waitForConfirms()
    }
    const first = await serve(t, { routingKey: 'old', exchangeType: 'direct', jsonBody: true })
    await consuming(first.harness)
    await first.harness.stop()
    const { name } = first
    await publish(name, 'old', '"waits"')
    const bodies = ({ emitted }: Harness<unknown>) => emitted.map(({ text }) => JSON.parse(text).body)
    let { snapshot } = first.harness
    for (const [exchangeName, routingKey] of [
      [name, 'new'],
      [`${name}-other`, 'new'],
    ] as const) {
      const changed = await serve(t, { ...first.spec, exchangeName, routingKey }, { snapshot })
      await consuming(changed.harness)
      await publish(name, 'old', '"old"')
      if (exchangeName !== name) await publish(name, 'new', '"old"')
      await publish(exchangeName, routingKey, '"new"')
      await changed.harness.until((harness) => bodies(harness).includes('new'))
      assert.deepEqual(bodies(changed.harness), exchangeName === name ? ['waits', 'new'] : ['new'])
      snapshot = changed.harness.snapshot
      await changed.harness.stop()
    }
  })

  test('the queue is deleted with the entry where that is asked for, and not from under others', async (t) => {
    const channel = await channelFor(t)
    for (const deleteQueueOnFinish of [true, false]) {
      const { harness, name } = await serve(t, { deleteQueueOnFinish })
      await consuming(harness)
      const remove = () => amqp.remove!({ ...harness.context, signal: AbortSignal.timeout(20_000) })
      if (deleteQueueOnFinish) await assert.rejects(remove, /in use/)
      await harness.stop()
      await remove()
      // Once more: what is gone is gone.
      await remove()
      const there = await channelFor(t).then((one) => {
        one.on('error', () => {})
        return one.checkQueue(name).then(
          () => true,
          () => false,
        )
      })
      assert.equal(there, !deleteQueueOnFinish)
    }
    await channel.close()
  })

  test('a warm connection is taken over', async (t) => {
    const name = `t${names++}`
    const { url } = await server()
    const proxy = await startProxy(Number(new URL(url).port))
    t.after(() => proxy.close())
    const spec = parse({
      url: `amqp://guest:guest@127.0.0.1:${proxy.port}`,
      exchangeName: name,
      exchangeType: 'direct',
      routingKey: 'k',
      queueDeclare: { name },
    })
    const warm = serveInHarness(amqp, spec, { prepareOnly: true })
    await consuming(warm)
    assert.equal(proxy.connections(), 1)
    await warm.stop()
    const taking = serving(amqp).serve({ ...warm.context, signal: new AbortController().signal } as never)
    taking.catch(() => {})
    await warm.until(({ conditions }) => conditions.filter((one) => one === null).length === 2)
    assert.equal(proxy.connections(), 1, 'no second connection')
    proxy.cut()
    await assert.rejects(taking, /TCP|closed/)
  })

  test('what is wrong is said: nobody there, no such host, wrong password, another exchange, a silent broker', async (t) => {
    const { url } = await server()
    const [free] = (await freePorts(1)) as [number]
    const silent = await startProxy(Number(new URL(url).port), { dropToClient: true })
    t.after(() => silent.close())
    const channel = await channelFor(t)
    await channel.assertExchange('other', 'fanout', { durable: true })
    for (const [more, words] of [
      [{ url: `amqp://127.0.0.1:${free}` }, /TCP: 127\.0\.0\.1:\d+: nothing listens there/],
      [{ url: 'amqp://no-such-host.invalid' }, /DNS: the host of no-such-host\.invalid:5672 is not known/],
      [
        { url: url.replace('guest:guest', 'guest:hidden') },
        /authentication: the broker refuses the user or the password/,
      ],
      [{ url: `${url}/nowhere` }, /the virtual host is not there/],
      [
        { exchangeName: 'other' },
        /failed to declare exchange with name other and type topic.*it is there with other properties/,
      ],
      [
        { queueDeclare: { name: 'expires', arguments: 'x-expires: -1' } },
        /failed to declare queue.*the broker cannot do it as things stand \(PRECONDITION_FAILED - invalid arg 'x-expires'/,
      ],
      [{ url: `amqp://127.0.0.1:${silent.port}?connection_timeout=500` }, /TCP: 127\.0\.0\.1:\d+: no answer/],
      [{ url: url.replace('amqp:', 'amqps:') }, /TLS: /],
    ] as const) {
      const { harness } = await serve(t, more)
      const error = await endOf(harness)
      assert.match(error.message, words)
      assert.equal(error.code, 'ORIGIN_UNAVAILABLE')
      assert.doesNotMatch(error.message, /hidden/, 'no password')
    }
  })

  test('auth from Secrets wins over the URL; a missing Secret is named', async (t) => {
    const { url } = await server()
    const auth = { username: { name: 's', key: 'user' }, password: { name: 's', key: 'pass' } }
    const wrong = url.replace('guest:guest', 'x:y')
    const { harness } = await serve(t, { url: wrong, auth }, { secrets: { 's/user': 'guest', 's/pass': 'guest' } })
    await consuming(harness)
    const { harness: without } = await serve(t, { url: wrong, auth }, { secrets: { 's/user': 'guest' } })
    const error = await endOf(without)
    assert.match(error.message, /password not found/)
    const urlSecret = { name: 's', key: 'url' }
    const { harness: byUrl } = await serve(t, { url: '', urlSecret }, { secrets: { 's/url': url } })
    await consuming(byUrl)
  })

  test('the queue is deleted: the source ends, to be started again', async (t) => {
    const { harness, name } = await serve(t)
    await consuming(harness)
    await (await channelFor(t)).deleteQueue(name)
    const error = await endOf(harness)
    assert.match(error.message, /the queue was deleted/)
  })
})

test('TLS: verified by a given authority, refused without it', { skip }, async (t) => {
  const { cert, key } = makeCertificate()
  const [port] = (await freePorts(1)) as [number]
  const rabbit = await startRabbitmq({
    config: [
      `listeners.ssl.1 = 127.0.0.1:${port}`,
      'ssl_options.certfile = $DIR/cert.pem',
      'ssl_options.keyfile = $DIR/key.pem',
    ].join('\n'),
    files: { 'cert.pem': cert, 'key.pem': key },
  })
  t.after(() => rabbit.close())
  const spec = { ...valid, url: `amqps://guest:guest@localhost:${port}`, queueDeclare: { name: 'q' } }
  const trusted: Harness<unknown> = serveInHarness(
    amqp,
    { ...spec, tls: { caCertSecret: { name: 's', key: 'ca' } } },
    { secrets: { 's/ca': cert } },
  )
  t.after(() => trusted.stop())
  await trusted.until(({ conditions }) => conditions.includes(null), 20_000)
  const untrusted: Harness<unknown> = serveInHarness(amqp, spec)
  const error = await endOf(untrusted)
  assert.match(error.message, /TLS: localhost/)
})
