/** Nothing is fetched for who has not been recognised; what cannot be helped is bounded, and strangers do not fill the log. */
import assert from 'node:assert/strict'
import { createSign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { fail } from '../../src/core/errors.ts'
import { createLogger } from '../../src/core/log.ts'
import { ratedLogger } from '../../src/core/rated-log.ts'
import { createListeners } from '../../src/runtime/http/listeners.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import { createCertificates } from '../../src/sources/sns/certificates.ts'
import { createConfirmations } from '../../src/sources/sns/confirmations.ts'
import { messageOf } from '../../src/sources/sns/message.ts'
import { verifySignature } from '../../src/sources/sns/signature.ts'
import sns from '../../src/sources/sns.ts'
import { makeCertificate } from '../certificate.ts'
import { fakeClock } from '../fake-clock.ts'
import { serveHttpSource } from '../http-source.ts'
import { freePort, rawRequest } from '../raw-http.ts'
import { startFakeApi } from '../servers/fakes/api.ts'
import { confirmation, TOPIC, unsigned } from '../sns-messages.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const URL_OF_SNS = 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-'
const { cert, key } = makeCertificate('sns.amazonaws.com', { rsa: true })

/** A signed notification. */
function signed(message: Record<string, string | undefined>, url: string): string {
  const names = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
  const text = names.map((name) => `${name}\n${message[name]}\n`).join('')
  const Signature = createSign('RSA-SHA256').update(text).sign(key, 'base64')
  return JSON.stringify({ ...message, SignatureVersion: '2', Signature, SigningCertURL: url })
}
const parsed = (body: string) => messageOf({ body: Buffer.from(body), header: () => undefined })

/** An SNS that answers with its certificate, and refuses what the entry asks with its credentials. */
async function fakeSns(t: TestContext) {
  const calls: string[] = []
  const fetched: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    if (request.method === 'GET') {
      fetched.push(request.url ?? '')
      return response.writeHead(request.url === '/good.pem' ? 200 : 404).end(cert)
    }
    calls.push(new URLSearchParams(body).get('Token') ?? '')
    response.writeHead(400, { 'content-type': 'text/xml' }).end(INVALID_TOKEN)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, fetched }
}
const INVALID_TOKEN =
  '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid token</Message></Error></ErrorResponse>'

const serveSns = async (t: TestContext, spec: object) => {
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

test('sns: for a message of another topic no certificate is fetched; honest messages beside them come in', async (t) => {
  const { url, fetched } = await fakeSns(t)
  const served = await serveSns(t, { validateSignature: true, endpoint: url })
  const post = async (body: string) => (await served.send('POST /e', JSON_TYPE, body)).status
  const foreign = { ...unsigned, TopicArn: 'arn:aws:sns:us-east-1:1:evil' }
  const forged = Array.from({ length: 50 }, (_, n) => post(signed(foreign, `${url}/x${n}.pem`)))
  const honest = post(signed(unsigned, `${url}/good.pem`))
  assert.deepEqual(new Set(await Promise.all(forged)), new Set([403]))
  assert.equal(await honest, 200)
  assert.deepEqual(fetched, ['/good.pem'])
})

test('sns: certificates come from the host of the topic’s region and the path that they have', async () => {
  const from = async (topicArn: string, url: string) => {
    const fetched: string[] = []
    const certificates = createCertificates({
      clock: systemClock,
      topicArn,
      endpoint: '',
      async fetchCertificate({ href }) {
        fetched.push(href)
        return cert
      },
    })
    await certificates.get(url).catch((error: { code?: string }) => assert.equal(error.code, 'EVENT_INVALID'))
    return fetched.length
  }
  const arn = (partition: string, region: string) => `arn:${partition}:sns:${region}:123456789012:orders`
  const path = 'SimpleNotificationService-0123456789abcdef0123456789abcdef.pem'
  const at = (host: string, more = path) => `https://${host}/${more}`
  const good = [
    ['aws', 'us-east-1', at('sns.us-east-1.amazonaws.com')],
    ['aws', 'ap-southeast-7', at('sns.ap-southeast-7.amazonaws.com')],
    ['aws-us-gov', 'us-gov-west-1', at('sns.us-gov-west-1.amazonaws.com')],
    ['aws-cn', 'cn-north-1', at('sns.cn-north-1.amazonaws.com.cn')],
  ] as const
  for (const [partition, region, url] of good) assert.equal(await from(arn(partition, region), url), 1, url)
  const bad = [
    at('sns.s3-us-west-2.amazonaws.com'),
    at('sns.us-east-2.amazonaws.com'),
    at('sns.us-east-1.amazonaws.com.cn'),
    at('sns.us-east-1.amazonaws.com.evil.example'),
    at('sns.us-east-1.amazonaws.com', 'bucket/x.pem'),
    at('sns.us-east-1.amazonaws.com', `x/${path}`),
    at('sns.us-east-1.amazonaws.com', `${path}?x=1`),
    at('sns.us-east-1.amazonaws.com', 'SimpleNotificationService-..%2fx.pem'),
    at('sns.us-east-1.amazonaws.com:444'),
    at('sns.us-east-1.amazonaws.com').replace('https', 'http'),
  ]
  for (const url of bad) assert.equal(await from(arn('aws', 'us-east-1'), url), 0, url)
  for (const topic of ['', 'arn:aws:sns::1:x', 'arn:aws:s3:us-east-1:1:x', 'arn:aws:sns:s3-us-west-2.x:1:x'])
    assert.equal(await from(topic, at('sns.us-east-1.amazonaws.com')), 0, topic)
})

test('sns: forged names of certificates: few at a time, each once; what is known stays, and serves meanwhile', async () => {
  const clock = fakeClock(Date.now())
  let fetched = 0
  let now = 0
  let most = 0
  const certificates = createCertificates({
    clock,
    topicArn: TOPIC,
    endpoint: '',
    async fetchCertificate({ pathname }) {
      fetched++
      most = Math.max(most, ++now)
      await pause(5)
      now--
      if (pathname.includes('-abc.')) return cert
      throw fail('ORIGIN_UNAVAILABLE', 'answered 404', { status: 404 })
    },
  })
  const honest = parsed(signed(unsigned, `${URL_OF_SNS}abc.pem`))
  await verifySignature(honest, certificates)
  assert.equal(fetched, 1)
  const forged = (n: number) => certificates.get(`${URL_OF_SNS}${n}.pem`).catch((error: { code: string }) => error.code)
  const flood = Array.from({ length: 500 }, (_, n) => forged(n))
  await verifySignature(honest, certificates)
  assert.deepEqual(new Set(await Promise.all(flood)), new Set(['ORIGIN_UNAVAILABLE']))
  assert.ok(most <= 4, `${most} at a time`)
  for (let n = 0; n < 60; n++) await forged(n)
  const before = fetched
  await clock.advance(60_000)
  for (let n = 0; n < 60; n++) await forged(n)
  await verifySignature(honest, certificates)
  assert.equal(fetched, before, 'what is not there is not asked for again, what is there is kept')
})

test('sns: forged confirmations make no call each with our credentials', async (t) => {
  const { url, calls } = await fakeSns(t)
  const served = await serveSns(t, { endpoint: url })
  const post = (Token: string) => served.send('POST /e', JSON_TYPE, JSON.stringify({ ...confirmation, Token }))
  for (let n = 0; n < 30; n++) assert.equal((await post('forged')).status, 400)
  assert.deepEqual(calls, ['forged'], 'asked once for each token')
  const statuses = new Set<number>()
  for (let n = 0; n < 100; n++) statuses.add((await post(`forged ${n}`)).status)
  assert.deepEqual([...statuses].sort(), [400, 503])
  assert.ok(calls.length <= 6, `${calls.length} calls`)
  assert.equal((await served.send('POST /e', JSON_TYPE, JSON.stringify(unsigned))).status, 200)
})

test('sns: what SNS refuses to confirm is a line a minute; a token that it takes is confirmed once', async () => {
  const clock = fakeClock()
  const lines: string[] = []
  const asked: string[] = []
  const confirmed = createConfirmations({
    clock,
    log: ratedLogger(
      createLogger({ format: 'json', redact: (text) => text, write: (line) => lines.push(line) }),
      clock,
    ),
    topicArn: TOPIC,
    async confirm(token) {
      asked.push(token)
      if (token.startsWith('forged')) throw fail('EVENT_INVALID', 'Invalid token')
    },
  })
  const outcome = async (token: string) => {
    try {
      await confirmed(token)
      return 'confirmed'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  for (let n = 0; n < 50; n++) await outcome(`forged ${n}`)
  assert.equal(lines.length, 1)
  assert.equal(await outcome('good'), 'ORIGIN_UNAVAILABLE', 'SNS sends it again')
  await clock.advance(15_000)
  for (let n = 0; n < 3; n++) assert.equal(await outcome('good'), 'confirmed')
  assert.equal(asked.filter((token) => token === 'good').length, 1)
})

test('sns: without `endpoint` a confirmation is verified first, whatever validateSignature says', async (t) => {
  const served = await serveSns(t, {})
  const forged = await served.send('POST /e', JSON_TYPE, JSON.stringify(confirmation))
  assert.equal(forged.status, 400)
  assert.match(forged.body, /SignatureVersion/)
})

test('bitbucketserver: unsigned pushes ask Bitbucket a few at a time', async (t) => {
  let now = 0
  let most = 0
  const api = await startFakeApi({
    'GET /rest/api/1.0/projects/:p/repos/:r/commits/:c/pull-requests': async () => {
      most = Math.max(most, ++now)
      await pause(20)
      now--
      return { status: 200, body: { values: [], isLastPage: true } }
    },
  } as never)
  t.after(() => api.close())
  const served = await serveHttpSource(
    bitbucketserver,
    (port) => ({
      webhook: { endpoint: '/e', port: String(port), method: 'POST' },
      bitbucketserverBaseURL: `${api.url}/rest`,
      accessToken: { name: 's', key: 'token' },
      skipBranchRefsChangedOnOpenPR: true,
    }),
    { secrets: { 's/token': 't' } },
  )
  t.after(() => served.close())
  const push = (n: number) =>
    JSON.stringify({
      repository: { slug: 'r', project: { key: 'P' } },
      changes: [{ ref: { type: 'BRANCH' }, type: 'UPDATE', toHash: `${n}` }],
    })
  const all = Array.from({ length: 60 }, (_, n) =>
    served.send('POST /e', { ...JSON_TYPE, 'X-Event-Key': 'repo:refs_changed', 'X-Request-Id': `${n}` }, push(n)),
  )
  for (const { status } of await Promise.all(all)) assert.equal(status, 200)
  assert.ok(most <= 4, `${most} at a time`)
})

test('requests that a handler fails on are one line in the log, not one each', async (t) => {
  const lines: string[] = []
  const log = createLogger({ format: 'json', redact: (text) => text, write: (line) => lines.push(line) })
  const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log })
  const port = await freePort()
  const stop = new AbortController()
  let n = 0
  await listeners.route(
    'default/es/e',
    {
      port,
      endpoint: '/e',
      async handle() {
        throw new Error(`broken ${n++}`)
      },
    },
    { signal: stop.signal, secret: async () => '', log, redact: (text) => text },
  )
  t.after(async () => {
    stop.abort()
    await listeners.close()
  })
  for (let i = 0; i < 50; i++) assert.equal((await rawRequest(port, 'POST /e HTTP/1.1', '{}')).status, 500)
  assert.equal(lines.length, 1)
})
