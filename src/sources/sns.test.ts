import assert from 'node:assert/strict'
import { createSign } from 'node:crypto'
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
import { makeCertificate } from '../../test/certificate.ts'
import { fakeClock } from '../../test/fake-clock.ts'
import { serveInHarness } from '../../test/harness.ts'
import { until } from '../../test/http-routes.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { mutations } from '../../test/mutations.ts'
import { without } from '../../test/servers/cache.ts'
import { startFakeApi } from '../../test/servers/fakes/api.ts'
import { localstackPython, startLocalstack } from '../../test/servers/localstack.ts'
import { memoryBusWorld } from '../bus/memory.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import { runRegistrar } from '../runtime/registrar/registrar.ts'
import { createCertificates } from './sns/certificates.ts'
import { messageOf, signedText } from './sns/message.ts'
import { verifySignature } from './sns/signature.ts'
import sns from './sns.ts'

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:orders'
const CERTIFICATE_URL = 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem'
const { cert, key } = makeCertificate('sns.amazonaws.com', { rsa: true })

const unsigned = {
  Type: 'Notification',
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: TOPIC,
  Subject: 'ünï',
  Message: '{"a":1}',
  Timestamp: '2012-05-02T00:54:06.655Z',
}
const confirmation = {
  ...unsigned,
  Type: 'SubscriptionConfirmation',
  Subject: undefined,
  Token: '2336412f37',
  SubscribeURL: 'https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription',
}

/** Signs as SNS does: written out here once more, so that a mistake in the code is not repeated. */
function signed(message: Record<string, string | undefined>, version: '1' | '2' = '1', url = CERTIFICATE_URL): string {
  const order =
    message.Type === 'Notification'
      ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
      : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
  let text = ''
  for (const name of order) if (message[name] !== undefined) text += `${name}\n${message[name]}\n`
  const signature = createSign(version === '1' ? 'RSA-SHA1' : 'RSA-SHA256')
    .update(text)
    .sign(key, 'base64')
  return JSON.stringify({ ...message, SignatureVersion: version, Signature: signature, SigningCertURL: url })
}

const certificates = (pem = cert, clock = systemClock, endpoint = '') =>
  createCertificates({ clock, endpoint, fetchCertificate: async () => pem })
const parsed = (body: string | Buffer) => messageOf({ body: Buffer.from(body), header: () => undefined })
const check = async (body: string, from = certificates()) => verifySignature(parsed(body), from)

suite('signatures', () => {
  test('those of SNS, version 1 and 2, with and without a subject', async () => {
    for (const version of ['1', '2'] as const) {
      await check(signed(unsigned, version))
      await check(signed({ ...unsigned, Subject: undefined }, version))
      await check(signed(confirmation, version))
      await check(signed({ ...confirmation, Type: 'UnsubscribeConfirmation' }, version))
    }
  })

  test('nothing else', async () => {
    const good = JSON.parse(signed(unsigned)) as Record<string, string>
    const refused = async (change: Record<string, string>, words: RegExp) =>
      assert.rejects(check(JSON.stringify({ ...good, ...change })), { code: 'EVENT_INVALID', message: words })
    for (const name of ['Message', 'MessageId', 'Subject', 'TopicArn', 'Timestamp'])
      await refused(
        { [name]: name === 'Timestamp' ? '2012-05-02T00:54:06.656Z' : `${good[name]} ` },
        /verification error/,
      )
    await refused({ Type: 'SubscriptionConfirmation' }, /verification error/)
    await refused({ SignatureVersion: '2' }, /verification error/)
    await refused({ SignatureVersion: '3' }, /unknown SignatureVersion/)
    await refused({ SignatureVersion: 'constructor' }, /unknown SignatureVersion/)
    await refused({ Signature: '' }, /illegal base64/)
    await refused({ Signature: `${good.Signature!.slice(0, -4)}!` }, /illegal base64/)
    await refused({ Signature: good.Signature!.slice(0, -4) }, /verification error/)
    await refused({ Signature: good.Signature!.toUpperCase() }, /verification error|illegal base64/)
    await assert.rejects(check(JSON.stringify(unsigned)), /unknown SignatureVersion/)
    const other = makeCertificate('sns.amazonaws.com', { rsa: true })
    await assert.rejects(check(signed(unsigned), certificates(other.cert)), /verification error/)
    await assert.rejects(check(signed(unsigned), certificates(makeCertificate().cert)), /no RSA key/)
  })

  test('a member twice, or in another spelling, is refused: readers might take the other one', async () => {
    const good = signed(unsigned)
    for (const forged of ['"Message":"evil"', '"message":"evil"', '"Mess\\u0061ge":"evil"', '"TopicArn":"x"']) {
      await assert.rejects(check(`{${forged},${good.slice(1)}`), /more than once/)
      await assert.rejects(check(`${good.slice(0, -1)},${forged}}`), /more than once|verification error/)
    }
    await check(`${good.slice(0, -1)},"MessageAttributes":{"Message":{"Type":"String","Value":"{\\"Type\\":1}"}}}`)
  })

  test('certificates come from SNS alone, or from the endpoint that the entry names', async () => {
    for (const [url, words] of [
      ['http://sns.us-east-1.amazonaws.com/x.pem', /not using https/],
      ['https://sns.us-east-1.amazonaws.com.evil.example/x.pem', /does not match/],
      ['https://evil.example/sns.us-east-1.amazonaws.com/x.pem', /does not match/],
      ['https://sns.us-east-1.amazonaws.com@evil.example/x.pem', /does not match/],
      ['https://user@sns.us-east-1.amazonaws.com/x.pem', /has a port or a user/],
      ['https://sns.us-east-1.amazonaws.com:8443/x.pem', /has a port or a user/],
      ['https://xsns.us-east-1.amazonaws.com/x.pem', /does not match/],
      ['https://127.0.0.1/x.pem', /does not match/],
      ['file:///etc/passwd', /does not match/],
      ['', /not a valid URL/],
    ] as const)
      await assert.rejects(check(signed(unsigned, '1', url)), { code: 'EVENT_INVALID', message: words }, url)
    await check(signed(unsigned, '1', 'https://sns.cn-north-1.amazonaws.com.cn/x.pem'))
    await check(
      signed(unsigned, '1', 'http://localhost:4566/x.pem'),
      certificates(cert, systemClock, 'http://localhost:4566/'),
    )
    await assert.rejects(
      check(
        signed(unsigned, '1', 'http://localhost:4567/x.pem'),
        certificates(cert, systemClock, 'http://localhost:4566'),
      ),
      /does not match/,
    )
  })

  test('a certificate is fetched once a day; a failure is tried again soon, and is not the sender’s fault', async () => {
    const clock = fakeClock(Date.now())
    let fetched = 0
    let fails = true
    const kept = createCertificates({
      clock,
      endpoint: '',
      async fetchCertificate() {
        fetched++
        if (fails) throw Object.assign(new Error('no answer'), { code: 'ORIGIN_UNAVAILABLE' })
        return cert
      },
    })
    await assert.rejects(check(signed(unsigned), kept), { code: 'ORIGIN_UNAVAILABLE' })
    await assert.rejects(check(signed(unsigned), kept), { code: 'ORIGIN_UNAVAILABLE' })
    assert.equal(fetched, 1)
    fails = false
    await clock.advance(6_000)
    await Promise.all([check(signed(unsigned), kept), check(signed(unsigned), kept)])
    assert.equal(fetched, 2)
    for (let i = 0; i < 40; i++) await kept.get(`https://sns.us-east-1.amazonaws.com/${i}.pem`)
    await check(signed(unsigned), kept)
    assert.equal(fetched, 43, 'the number of certificates kept is bounded')
  })

  test('a certificate out of its time, none at all, one that is none', async () => {
    const old = makeCertificate('sns.amazonaws.com', { rsa: true, nowMs: Date.now() - 3 * 86_400_000 })
    await assert.rejects(check(signed(unsigned), certificates(old.cert)), /not valid now/)
    await assert.rejects(check(signed(unsigned), certificates('<html>')), /nothing found in pem/)
    const none = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    await assert.rejects(check(signed(unsigned), certificates(none)), /failed to parse signing cert/)
  })

  test('a redirect, a large answer and an error of the host are no certificate', async (t) => {
    const answers = [
      { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
      { status: 200, body: 'x'.repeat(70_000) },
      { status: 500, body: {} },
    ]
    const api = await startFakeApi({ 'GET /:n': (_, { n }) => answers[Number(n)]! })
    t.after(() => api.close())
    const kept = createCertificates({ clock: systemClock, endpoint: api.url })
    for (const [n, words] of [/answered 302/, /larger than 65536 bytes/, /answered 500/].entries())
      await assert.rejects(kept.get(`${api.url}/${n}`), { code: 'ORIGIN_UNAVAILABLE', message: words })
  })

  test('whatever is changed in a signed message, it is refused, and nothing unexpected is thrown', async () => {
    const from = certificates()
    const samples = [signed(unsigned), signed(unsigned, '2'), signed(confirmation), JSON.stringify([unsigned])]
    const originals = samples.map((sample) => JSON.parse(sample))
    for (const input of mutations(samples, { seed: 7 })) {
      try {
        await check(input.toString(), from)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'EVENT_INVALID', `${input}\n${(error as Error).stack}`)
        continue
      }
      // Accepted: then what is signed has not changed.
      const now = JSON.parse(input.toString())
      const same = (original: Record<string, string>) =>
        ['Type', 'MessageId', 'TopicArn', 'Subject', 'Message', 'Timestamp', 'Token', 'SubscribeURL'].every(
          (name) => (now[name] ?? '') === (original[name] ?? '') || !signedText(parsed(input)).includes(`${name}\n`),
        )
      assert.ok(originals.some(same), input.toString())
    }
  })
})

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
