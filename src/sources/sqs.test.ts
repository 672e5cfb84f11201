import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { systemClock } from '../../src/core/clock.ts'
import { mutations } from '../../test/fuzz.ts'
import { type Harness, serveInHarness } from '../../test/harness.ts'
import { until } from '../../test/http-routes.ts'
import { without } from '../../test/servers/cache.ts'
import { elasticmqJars, startElasticmq } from '../../test/servers/elasticmq.ts'
import { type AwsServer, localstackPython, startLocalstack } from '../../test/servers/localstack.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import { fail } from '../core/errors.ts'
import { awsErrorText } from './aws/aws.ts'
import { payloadOf } from './sqs/payload.ts'
import sqs from './sqs.ts'

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const secrets = { 'aws/id': 'test', 'aws/key': 'test', 'aws/token': 'session' }
const keys = { accessKey: { name: 'aws', key: 'id' }, secretKey: { name: 'aws', key: 'key' } }
const servers = [
  { name: 'ElasticMQ', start: startElasticmq, skip: without('ElasticMQ', elasticmqJars()) },
  { name: 'LocalStack', start: startLocalstack, skip: without('LocalStack', localstackPython()) },
]

suite('the payload', () => {
  const message = { MessageId: '059f36b4-87a3-44ab-83d2-661975830a7d', Body: '{ "a": 1 }' }
  const text = (...args: Parameters<typeof payloadOf>) => Buffer.from(payloadOf(...args)).toString()

  test('is that of Argo Events, byte for byte', () => {
    const MessageAttributes = { k: { DataType: 'String', StringValue: 'v' } }
    assert.equal(
      text({ ...message, MessageAttributes }, { jsonBody: true }),
      '{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","messageAttributes":{"k":{"BinaryListValues":null,"BinaryValue":null,"DataType":"String","StringListValues":null,"StringValue":"v"}},"body":{"a":1}}',
    )
    assert.equal(
      text({ ...message, Body: '{"a":1}' }, { jsonBody: false, metadata: { z: '1', a: '<' } }),
      '{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","messageAttributes":null,"body":"eyJhIjoxfQ==","metadata":{"a":"\\u003c","z":"1"}}',
    )
  })

  test('keeps numbers, duplicate keys and every character of a JSON body', () => {
    const Body = '{"n":12345678901234567890.10,"a":1,"a":2,"s":"é\\u0000<"}'
    assert.ok(
      text({ ...message, Body }, { jsonBody: true }).endsWith(
        '"body":{"n":12345678901234567890.10,"a":1,"a":2,"s":"é\\u0000\\u003c"}}',
      ),
    )
  })

  test('has binary attributes in base64 and sorted names; an empty map is null', () => {
    const MessageAttributes: Record<string, MessageAttributeValue> = {
      b: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
      a: { DataType: 'Number.int', StringValue: '7' },
    }
    const { messageAttributes } = JSON.parse(text({ ...message, MessageAttributes }, { jsonBody: false }))
    assert.deepEqual(Object.keys(messageAttributes), ['a', 'b'])
    assert.equal(messageAttributes.b.BinaryValue, 'AP8=')
    assert.match(text({ ...message, MessageAttributes: {} }, { jsonBody: false }), /"messageAttributes":null/)
  })

  test("an empty or broken JSON body is refused in upstream's words", () => {
    const refused = (body: { Body?: string }, words: RegExp) =>
      assert.throws(() => payloadOf({ MessageId: '1', ...body }, { jsonBody: true }), words)
    refused({ Body: '' }, /unexpected end of JSON input/)
    refused({}, /unexpected end of JSON input/)
    refused({ Body: 'hello' }, /invalid character 'h' looking for beginning of value/)
  })

  test('whatever comes, it is JSON or refused', () => {
    for (const input of mutations(['{"a":[1.0,"é",null]}', 'plain text'], { seed: 1 })) {
      const Body = input.toString()
      const MessageAttributes = { [Body.slice(0, 9)]: { DataType: 'String', StringValue: Body } }
      for (const jsonBody of [true, false]) {
        try {
          sqs.event.parse(JSON.parse(text({ ...message, Body, MessageAttributes }, { jsonBody })))
        } catch (error) {
          assert.deepEqual([(error as { code?: string }).code, jsonBody], ['EVENT_INVALID', true], Body)
        }
      }
    }
  })
})

suite('validation', () => {
  const findings = (spec: object) => sqs.validate!(sqs.spec.parse({ region: 'r', queue: 'q', ...spec }))
  const fatal = (spec: object) =>
    findings(spec)
      .filter((finding) => finding.fatal)
      .map(({ path }) => path.join('.'))

  test('says what no request can succeed with', () => {
    assert.deepEqual(findings({}), [])
    assert.deepEqual(fatal({ waitTimeSeconds: 21 }), ['waitTimeSeconds'])
    assert.deepEqual(fatal({ waitTimeSeconds: -1 }), ['waitTimeSeconds'])
    assert.deepEqual(fatal({ endpoint: 'localhost:4566' }), ['endpoint'])
    assert.deepEqual(fatal({ accessKey: keys.accessKey }), ['secretKey'])
    assert.deepEqual(fatal({ secretKey: keys.secretKey }), ['accessKey'])
    const [url] = findings({ queue: 'https://sqs.us-east-1.amazonaws.com/123456789012/orders.fifo' })
    assert.deepEqual([url?.fatal, url?.remedy], [true, 'write queue: orders.fifo'])
    assert.equal(findings({ queue: 'arn:aws:sqs:us-east-1:1:orders' })[0]?.remedy, 'write queue: orders')
  })

  test('warns of what is not used', () => {
    const paths = (spec: object) => findings(spec).map(({ path, fatal }) => `${path.join('.')} ${fatal ?? false}`)
    assert.deepEqual(paths({ ...keys, roleARN: 'arn:aws:iam::1:role/r' }), ['accessKey false', 'secretKey false'])
    assert.deepEqual(paths({ sessionToken: keys.accessKey }), ['sessionToken false'])
  })
})

test('only the first line of an SDK error is shown: the rest holds the request, session token and all', () => {
  const error = new Error('The request signature does not match.\n\nx-amz-security-token:SECRET')
  error.name = 'SignatureDoesNotMatch'
  assert.equal(awsErrorText(error), 'SignatureDoesNotMatch: The request signature does not match.')
})

/** A busy machine is slow, and what a cut-off request had taken comes back after half a minute. */
const PATIENCE_MS = 60_000

for (const { name, start, skip } of servers) {
  suite(`against ${name}`, { skip, concurrency: true }, () => {
    let server: AwsServer
    let client: SQSClient
    let queues = 0
    before(async () => {
      server = await start()
      client = new SQSClient({ region: 'us-east-1', endpoint: server.url, credentials })
    })
    after(async () => {
      client?.destroy()
      await server?.close()
    })

    const makeQueue = async (Attributes: Record<string, string> = {}) => {
      const QueueName = `q${queues++}${Attributes.FifoQueue === 'true' ? '.fifo' : ''}`
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName, Attributes }))
      return {
        name: QueueName,
        url: QueueUrl!,
        send: (MessageBody: string, more: object = {}) =>
          client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more })),
        async sendMany(count: number) {
          for (let sent = 0; sent < count; sent += 10) {
            const Entries = Array.from({ length: Math.min(10, count - sent) }, (_, i) => ({
              Id: String(i),
              MessageBody: `{"n":${sent + i}}`,
            }))
            await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
          }
        },
        /** Messages that can be received, and those that somebody holds. */
        async sizes() {
          const { Attributes: sizes } = await client.send(
            new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
          )
          return [sizes?.ApproximateNumberOfMessages, sizes?.ApproximateNumberOfMessagesNotVisible].map(Number)
        },
        async empty() {
          await until(async () => (await this.sizes()).every((size) => size === 0), 'an empty queue', PATIENCE_MS)
        },
      }
    }
    const serve = (t: { after: (fn: () => unknown) => void }, spec: object): Harness<unknown> => {
      const harness = serveInHarness(
        sqs,
        { region: 'us-east-1', endpoint: server.url, waitTimeSeconds: 1, ...keys, ...spec },
        { secrets },
      )
      t.after(() => harness.stop())
      return harness
    }
    const bodies = (harness: Harness<unknown>) => harness.emitted.map(({ text }) => JSON.parse(text).body)

    test('messages become events under their own ids, and are deleted', async (t) => {
      const queue = await makeQueue()
      const { MessageId } = await queue.send('{"a":1}', {
        MessageAttributes: { k: { DataType: 'String', StringValue: 'v' } },
      })
      const harness = serve(t, { queue: queue.name, jsonBody: true, metadata: { m: '1' } })
      await harness.until(() => harness.emitted.length === 1, PATIENCE_MS)
      assert.equal(harness.emitted[0]!.id, MessageId)
      assert.equal(
        harness.emitted[0]!.text,
        `{"messageId":"${MessageId}","messageAttributes":{"k":{"BinaryListValues":null,"BinaryValue":null,"DataType":"String","StringListValues":null,"StringValue":"v"}},"body":{"a":1},"metadata":{"m":"1"}}`,
      )
      await queue.empty()
      assert.equal(await harness.stop(), undefined)
    })

    test('what is not JSON is deleted, or left for the dead-letter queue, as dlq says', async (t) => {
      const [dead, kept, dropped] = [await makeQueue(), await makeQueue(), await makeQueue()]
      await kept.send('no json')
      await dropped.send('no json')
      await dropped.send('{}')
      const keeping = serve(t, { queue: kept.name, jsonBody: true, dlq: true })
      const dropping = serve(t, { queue: dropped.name, jsonBody: true })
      await dropping.until(() => dropping.emitted.length === 1, PATIENCE_MS)
      await dropped.empty()
      await keeping.until(({ skipped }) => skipped.length === 1, PATIENCE_MS)
      assert.match(
        keeping.skipped[0]!,
        /^message \S+ of queue q\d+: json: error.*'o'.*; it is left in the queue, which has no redrive policy/,
      )
      assert.match(dropping.skipped[0]!, /; it is deleted, since the queue has no redrive policy/)
      assert.deepEqual(await kept.sizes(), [0, 1])
      assert.deepEqual(keeping.emitted, [])
      assert.deepEqual(await dead.sizes(), [0, 0])
    })

    test('while the bus takes nothing messages are held, nothing more is received, and all goes on by itself', async (t) => {
      const queue = await makeQueue()
      await queue.sendMany(300)
      const harness = serve(t, { queue: queue.name, jsonBody: true })
      harness.failWith = fail('BUS_UNAVAILABLE', 'away')
      await until(async () => (await queue.sizes())[1]! >= 10, 'messages that are held', PATIENCE_MS)
      await systemClock.sleep(700)
      const [, holding] = await queue.sizes()
      assert.ok(holding! <= 80, `${holding} messages received although the bus takes none`)
      assert.equal(harness.emitted.length, 0)
      harness.failWith = null
      await harness.until(() => harness.emitted.length === 300, PATIENCE_MS)
      await queue.empty()
      assert.equal(new Set(harness.emitted.map(({ id }) => id)).size, 300)
    })

    test('a stop while the bus takes nothing gives the messages back at once, without a loss', async (t) => {
      const queue = await makeQueue()
      await queue.sendMany(5)
      const first = serve(t, { queue: queue.name, jsonBody: true })
      first.failWith = fail('BUS_BUSY', 'too much')
      await until(async () => (await queue.sizes())[1] === 5, 'messages that are held', PATIENCE_MS)
      await first.stop()
      const next = serve(t, { queue: queue.name, jsonBody: true })
      // A request of the first one, cut off by its stop, may have taken one with it: that one comes back after 30 s.
      await next.until(() => next.emitted.length === 5, PATIENCE_MS)
      await queue.empty()
    })

    test('a group of a FIFO queue keeps its order, also through an outage of the bus', async (t) => {
      const queue = await makeQueue({ FifoQueue: 'true' })
      for (let n = 0; n < 12; n++) {
        await queue.send(`{"n":${n}}`, {
          MessageGroupId: n % 2 === 0 ? 'even' : 'odd',
          MessageDeduplicationId: String(n),
        })
      }
      const harness = serve(t, { queue: queue.name, jsonBody: true })
      harness.failWith = fail('BUS_UNAVAILABLE', 'away')
      await systemClock.sleep(300)
      harness.failWith = null
      await harness.until(() => harness.emitted.length === 12, PATIENCE_MS)
      const seen = bodies(harness).map(({ n }) => n as number)
      assert.deepEqual(
        seen.filter((n) => n % 2 === 0),
        [0, 2, 4, 6, 8, 10],
      )
      assert.deepEqual(
        seen.filter((n) => n % 2 === 1),
        [1, 3, 5, 7, 9, 11],
      )
      await queue.empty()
    })

    test('an event that the bus can never take is left, and shown', async (t) => {
      const queue = await makeQueue()
      await queue.send('{}')
      const harness = serve(t, { queue: queue.name, jsonBody: true })
      harness.failWith = fail('EVENT_TOO_LARGE', 'event has 2000000 bytes')
      await harness.until(({ skipped }) => skipped.length === 1, PATIENCE_MS)
      assert.match(harness.skipped[0]!, /: event has 2000000 bytes; it is left in the queue/)
      assert.deepEqual(await queue.sizes(), [0, 1])
    })

    test('what can never become an event gets to the dead-letter queue, whatever dlq says; it counts once, and holds nothing up', async (t) => {
      for (const why of ['no json', 'too large']) {
        const dead = await makeQueue()
        const { Attributes } = await client.send(
          new GetQueueAttributesCommand({ QueueUrl: dead.url, AttributeNames: ['QueueArn'] }),
        )
        const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes!.QueueArn, maxReceiveCount: 3 })
        const queue = await makeQueue({ RedrivePolicy })
        const harness = serve(t, { queue: queue.name, jsonBody: true })
        if (why === 'too large') harness.failWith = fail('EVENT_TOO_LARGE', 'event has 2000000 bytes')
        await queue.send(why === 'no json' ? why : '{"n":"x"}')
        await until(async () => (await dead.sizes())[0] === 1, 'the message in the dead-letter queue', PATIENCE_MS)
        harness.failWith = null
        await queue.send('{"n":1}')
        await harness.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
        await queue.empty()
        assert.deepEqual(harness.skipped.length, 1)
        assert.match(harness.skipped[0]!, /it is left to the queue's redrive policy, which moves it to the dead-letter/)
        await harness.stop()
      }
    })

    test('a queue that is not there is said, and does not end the process', async (t) => {
      const harness = serve(t, { queue: 'nowhere' })
      const error = await new Promise<unknown>((resolve) => harness.onEnd(resolve))
      assert.match(
        (error as Error).message,
        /^failed to get the queue url for e, \S*(QueueDoesNotExist|NonExistentQueue)/,
      )
    })

    test('the connection lost and back: nothing lost, nothing doubled', async (t) => {
      const queue = await makeQueue()
      const proxy = await startProxy(server.port)
      t.after(() => proxy.close())
      const harness = serve(t, { queue: queue.name, jsonBody: true, endpoint: `http://127.0.0.1:${proxy.port}` })
      await queue.sendMany(200)
      await harness.until(() => harness.emitted.length >= 10, PATIENCE_MS)
      proxy.faults.refuse = true
      proxy.cut()
      await harness.until(
        () => harness.conditions.some((text) => text?.startsWith('messages cannot be received')),
        PATIENCE_MS,
      )
      proxy.faults.refuse = false
      await harness.until(() => harness.emitted.length === 200, PATIENCE_MS)
      await until(() => harness.conditions.at(-1) === null, 'the condition gone', PATIENCE_MS)
      assert.equal(new Set(harness.emitted.map(({ id }) => id)).size, 200)
    })

    test('two replicas share a queue', async (t) => {
      const queue = await makeQueue()
      const [a, b] = [serve(t, { queue: queue.name, jsonBody: true }), serve(t, { queue: queue.name, jsonBody: true })]
      for (let round = 0; round < 20; round++) await queue.sendMany(20)
      await until(() => a.emitted.length + b.emitted.length === 400, '400 events', PATIENCE_MS)
      assert.equal(new Set([...bodies(a), ...bodies(b)].map(({ n }) => n as number)).size, 20)
      assert.ok(a.emitted.length > 0 && b.emitted.length > 0)
      await queue.empty()
    })
  })
}
