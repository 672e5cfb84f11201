import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import {
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  ListSubscriptionsByTopicCommand,
  PublishCommand,
  SetSubscriptionAttributesCommand,
  SNSClient,
  SubscribeCommand,
  UnsubscribeCommand,
} from '@aws-sdk/client-sns'
import { serveInHarness } from '../../test/harness.ts'
import { until } from '../../test/http-routes.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { without } from '../../test/servers/cache.ts'
import { localstackPython, startLocalstack } from '../../test/servers/localstack.ts'
import { confirmation, TOPIC, unsigned } from '../../test/sns-messages.ts'
import { memoryBusWorld } from '../bus/memory.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import { withoutCredentials } from '../core/url-credentials.ts'
import { runRegistrar } from '../runtime/registrar/registrar.ts'
import sns from './sns.ts'

const serve = async (t: TestContext, spec: Record<string, unknown> = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(
    sns,
    (port) => ({
      webhook: { endpoint: '/e', port: String(port), method: 'POST' },
      topicArn: TOPIC,
      region: 'us-east-1',
      accessKey: { name: 'aws', key: 'id' },
      secretKey: { name: 'aws', key: 'key' },
      ...spec,
    }),
    { secrets: { 'aws/id': 'test', 'aws/key': 'test' } },
  )
  t.after(() => served.close())
  return served
}
const TEXT = { 'Content-Type': 'text/plain; charset=UTF-8' }

suite('requests', () => {
  test('a notification: the envelope as sent, under an id that a redelivery repeats', async (t) => {
    const served = await serve(t, { metadata: { m: '1' } })
    const body = `{ "Type":"Notification", "More":[1.0,"<"], ${JSON.stringify(unsigned).slice(1)}`.replace(
      '"Type":"Notification",',
      '',
    )
    const post = () => served.send('POST /e', { ...TEXT, 'X-Amz-Sns-Message-Type': 'Notification' }, body)
    const [first, again] = [await post(), await post()]
    assert.deepEqual([first.status, first.body], [200, 'success'])
    assert.equal(first.headers['x-event-id'], again.headers['x-event-id'])
    assert.equal(
      served.events()[0],
      `{"header":{"Content-Length":["${Buffer.byteLength(body)}"],"Content-Type":["text/plain; charset=UTF-8"],"X-Amz-Sns-Message-Type":["Notification"]},` +
        `"body":{"More":[1.0,"\\u003c"],${JSON.stringify(unsigned).slice(1)},"metadata":{"m":"1"}}`,
    )
  })

  test('raw delivery: the same shape, from the headers', async (t) => {
    const headers = {
      ...TEXT,
      'x-amz-sns-rawdelivery': 'true',
      'x-amz-sns-message-id': 'm1',
      'x-amz-sns-topic-arn': TOPIC,
    }
    const served = await serve(t)
    assert.equal((await served.send('POST /e', headers, 'no "json"')).status, 200)
    assert.deepEqual(JSON.parse(served.events()[0]!).body, {
      Type: 'Notification',
      MessageId: 'm1',
      TopicArn: TOPIC,
      Message: 'no "json"',
    })
    const strict = await serve(t, { validateSignature: true })
    const reply = await strict.send('POST /e', headers, 'x')
    assert.equal(reply.status, 400)
    assert.match(reply.body, /raw delivery carry no signature/)
    assert.deepEqual(strict.events(), [])
  })

  test('what makes no event', async (t) => {
    const served = await serve(t)
    const post = async (body: string) => {
      const { status, body: text } = await served.send('POST /e', TEXT, body)
      return [status, text] as const
    }
    assert.deepEqual(await post(JSON.stringify({ ...unsigned, Type: 'UnsubscribeConfirmation' })), [200, ''])
    assert.deepEqual(await post(JSON.stringify({ ...unsigned, Type: 'Later' })), [200, ''])
    assert.equal((await post(JSON.stringify({ ...unsigned, TopicArn: `${TOPIC}x` })))[0], 403)
    assert.equal((await post(JSON.stringify({ ...confirmation, TopicArn: 'arn:aws:sns:us-east-1:1:evil' })))[0], 403)
    const notSns = 'bad request, not a valid SNS notification'
    assert.deepEqual(await post(''), [400, notSns])
    assert.deepEqual(await post('null'), [400, notSns])
    assert.match((await post('[]'))[1], /cannot unmarshal array into Go value of type awssns.httpNotification/)
    assert.match((await post('Type: Notification'))[1], /invalid character 'T'/)
    assert.match((await post('{"Message":1}'))[1], /httpNotification.Message of type string/)
    assert.match((await post('{"Timestamp":"x"}'))[1], /parsing time "x"/)
    assert.equal((await served.send('GET /e')).status, 405)
    assert.deepEqual(served.events(), [])
  })

  test('unsigned, forged and tampered requests are refused when signatures are wanted', async (t) => {
    const served = await serve(t, { validateSignature: true })
    for (const body of [
      JSON.stringify(unsigned),
      JSON.stringify({
        ...unsigned,
        SignatureVersion: '1',
        Signature: 'AAAA',
        SigningCertURL: 'https://evil.example/x.pem',
      }),
    ])
      assert.equal((await served.send('POST /e', TEXT, body)).status, 400)
    assert.deepEqual(served.events(), [])
  })
})

test('validation: advice and what cannot work', () => {
  const webhook = { endpoint: '/e', port: '12000', url: 'https://x' }
  const found = (spec: object) =>
    sns.validate!(sns.spec.parse({ topicArn: TOPIC, region: 'r', webhook, validateSignature: true, ...spec })).map(
      ({ path, fatal, severity }) =>
        `${path.join('.')}${fatal ? ' fatal' : ''}${severity === 'advice' ? ' advice' : ''}`,
    )
  assert.deepEqual(found({}), [])
  assert.deepEqual(found({ validateSignature: false }), [' advice'])
  assert.deepEqual(found({ webhook: { ...webhook, url: 'example.com' } }), ['webhook.url'])
  assert.deepEqual(found({ webhook: { ...webhook, authSecret: { name: 'a', key: 'b' } } }), ['webhook.authSecret'])
})

/** A LocalStack with a topic. */
async function topicOn(t: TestContext) {
  const server = await startLocalstack()
  t.after(() => server.close())
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SNSClient({ region: 'us-east-1', endpoint: server.url, credentials })
  t.after(() => client.destroy())
  const { TopicArn } = await client.send(new CreateTopicCommand({ Name: 'orders' }))
  return { server, client, TopicArn }
}

/** ARNs of subscriptions that are confirmed: LocalStack lists others with an ARN too. */
async function confirmed(client: SNSClient, TopicArn: string | undefined): Promise<string[]> {
  const { Subscriptions = [] } = await client.send(new ListSubscriptionsByTopicCommand({ TopicArn }))
  const found: string[] = []
  for (const { SubscriptionArn = '' } of Subscriptions) {
    if (!SubscriptionArn.startsWith('arn:')) continue
    const { Attributes } = await client.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }))
    if (Attributes?.PendingConfirmation === 'false') found.push(SubscriptionArn)
  }
  return found
}

/** LocalStack is slow on a busy machine. */
const PATIENCE_MS = 60_000

suite('against LocalStack', { skip: without('LocalStack', localstackPython()) }, () => {
  test('subscribed once by three replicas, confirmed, signed; kept when they stop, made again when removed', async (t) => {
    const { server, client, TopicArn } = await topicOn(t)
    const list = async () => (await client.send(new ListSubscriptionsByTopicCommand({ TopicArn }))).Subscriptions ?? []
    const publish = (Message: string) => client.send(new PublishCommand({ TopicArn, Message, Subject: 's' }))

    let url = ''
    const served = await serve(t, { topicArn: TopicArn, endpoint: server.url, validateSignature: true })
    url = `http://127.0.0.1:${served.port}`
    const spec = { ...(served.harness.context.spec as object), webhook: { endpoint: '/e', port: '1', url } }

    const { kv } = memoryBusWorld().connect('host')
    const conditions: (string | null)[] = []
    const startReplica = (index: number) => {
      const stop = new AbortController()
      const ctx = { ...served.harness.context, spec, signal: stop.signal } as never
      const done = runRegistrar(
        {
          source: { namespace: 'default', name: 'es' },
          entry: 'e',
          holder: `es-${index}`,
          registration: () => sns.hooks!(ctx),
          kv,
          clock: systemClock,
          log: silentLogger,
          redact: withoutCredentials,
          condition: (text) => conditions.push(text),
        },
        stop.signal,
      )
      const end = async () => {
        stop.abort()
        await done
      }
      t.after(end)
      return end
    }
    const ends = [0, 1, 2].map(startReplica)
    await until(async () => (await confirmed(client, TopicArn)).length === 1, 'a confirmed subscription', PATIENCE_MS)
    assert.equal((await list()).length, 1)
    const { MessageId } = await publish('{"a":1}')
    await until(() => served.events().length === 1, 'the notification', PATIENCE_MS)
    const { body } = JSON.parse(served.events()[0]!)
    assert.deepEqual(
      [body.Type, body.MessageId, body.Message, body.Subject],
      ['Notification', MessageId, '{"a":1}', 's'],
    )

    await Promise.all(ends.map((end) => end()))
    assert.equal((await confirmed(client, TopicArn)).length, 1, 'a stop is no deletion')
    const [{ SubscriptionArn }] = (await list()) as [{ SubscriptionArn?: string }]
    await client.send(new UnsubscribeCommand({ SubscriptionArn }))
    startReplica(3)
    await until(
      async () => (await confirmed(client, TopicArn)).length === 1,
      'the subscription made again',
      PATIENCE_MS,
    )

    const registration = await sns.hooks!({ ...served.harness.context, spec } as never)
    const [target] = await registration!.targets(AbortSignal.timeout(10_000))
    const hooks = await target!.list(AbortSignal.timeout(10_000))
    for (const hook of hooks.filter((one) => target!.isOurs(one)))
      await target!.delete(hook, AbortSignal.timeout(10_000))
    assert.deepEqual(await list(), [])
    assert.equal(served.harness.emitted.length, 1)
  })

  test('a wrong token is refused, and raw messages get through', async (t) => {
    const { server, client, TopicArn } = await topicOn(t)
    const served = await serve(t, { topicArn: TopicArn, endpoint: server.url })
    const forged = { ...confirmation, TopicArn, Token: 'nonsense' }
    assert.equal((await served.send('POST /e', TEXT, JSON.stringify(forged))).status, 400)
    const Endpoint = `http://127.0.0.1:${served.port}/e`
    await client.send(new SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint }))
    await until(async () => (await confirmed(client, TopicArn)).length === 1, 'the confirmation', PATIENCE_MS)
    const [SubscriptionArn] = await confirmed(client, TopicArn)
    const raw = { SubscriptionArn, AttributeName: 'RawMessageDelivery', AttributeValue: 'true' }
    await client.send(new SetSubscriptionAttributesCommand(raw))
    await client.send(new PublishCommand({ TopicArn, Message: 'plain text' }))
    await until(() => served.events().length === 1, 'the raw message', PATIENCE_MS)
    const { body } = JSON.parse(served.events()[0]!)
    assert.deepEqual([body.Type, body.TopicArn, body.Message], ['Notification', TopicArn, 'plain text'])
  })
})

test('without a URL nothing is subscribed', async () => {
  const { context } = serveInHarness(
    sns,
    { topicArn: TOPIC, region: 'r', webhook: { endpoint: '/e', port: '1' } },
    {
      http: async () => {},
    },
  )
  assert.equal(await sns.hooks!(context), null)
})
