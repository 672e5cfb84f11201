/**
 * What is signed is the identity. Of each request that proves its sender one copy is replayed with everything changed that its signature
 * does not cover; honest traffic beside it: the sender's own repeat is one event, another message is another.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { SourceDefinition } from '../../src/source.ts'
import bitbucket from '../../src/sources/bitbucket.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import github from '../../src/sources/github.ts'
import gitlab from '../../src/sources/gitlab.ts'
import slack from '../../src/sources/slack.ts'
import stripe from '../../src/sources/stripe.ts'
import webhook from '../../src/sources/webhook.ts'
import { type Sender, type Sent, serve } from '../contract/identity.ts'
import { serveHttpSource } from '../http-source.ts'
import { stripeSignature } from '../servers/fakes/stripe.ts'

const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST' })
const selector = (key: string) => ({ name: 's', key })
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const nowS = () => Math.floor(Date.now() / 1000)

const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const secrets = { secret: 'hunter2', token: 't', key: KEY.toString('base64') }

/** A request by Standard Webhooks. */
function standard(id: string, body = '{"n":1}', atS = nowS()): Sent {
  const signature = createHmac('sha256', KEY).update(`${id}.${atS}.${body}`).digest('base64')
  return {
    headers: { 'webhook-id': id, 'webhook-timestamp': String(atS), 'webhook-signature': `v1,${signature}` },
    body,
  }
}
function slackSigned(body: string, more: Record<string, string> = {}, atS = nowS()): Sent {
  const signature = createHmac('sha256', 'hunter2').update(`v0:${atS}:${body}`).digest('hex')
  return {
    headers: { 'X-Slack-Request-Timestamp': String(atS), 'X-Slack-Signature': `v0=${signature}`, ...more },
    body,
  }
}
const stripeSigned = (body: string, atS = nowS()): Sent => ({
  headers: { 'Stripe-Signature': stripeSignature(body, 'hunter2', atS) },
  body,
})
/** Whatever senders of all kinds call a request by, and what readers of other types look at. */
const FORGED: Record<string, string> = {
  'Idempotency-Key': 'forged',
  'Svix-Id': 'forged',
  'ce-id': 'forged',
  'ce-source': '/forged',
  'ce-type': 'forged',
  'X-Gitlab-Event-UUID': 'forged',
  'X-Gitlab-Webhook-UUID': 'forged',
  'X-Slack-Retry-Num': '3',
  'X-Request-Id': 'forged',
  'X-Request-UUID': 'forged',
  'X-GitHub-Delivery': 'forged',
  'User-Agent': 'forged',
}
const replayed = (sent: Sent): Sent => ({ ...sent, headers: { ...FORGED, ...sent.headers } })
/** Honest, with the names that the sender itself gives beside the signed ones. */
const named = (sent: Sent, id: string): Sent => ({ ...sent, headers: { ...sent.headers, 'Idempotency-Key': id } })

interface Case {
  name: string
  definition: SourceDefinition<any, any>
  spec: Sender['spec']
  /** A request, its repeats by an honest sender, and another message of his. */
  honest: () => { first: Sent; repeats: Sent[]; other: Sent }
  /** Besides {@link replayed}. */
  replays?: (first: Sent) => Sent[]
}

const webhookSpec = (port: number) => ({
  ...context(port),
  endpoint: '/{tenant}',
  signature: { secret: selector('key') },
})
const gitlabSpec = (port: number) => ({
  webhook: context(port),
  events: [],
  gitlabBaseURL: 'http://127.0.0.1:9',
  accessToken: selector('token'),
  signingToken: selector('key'),
})
const outer = (more: object = {}) =>
  JSON.stringify({
    token: 't',
    type: 'event_callback',
    api_app_id: 'A1',
    team_id: 'T1',
    event: { type: 'app_mention', text: 'hi' },
    ...more,
  })
const without = (sent: Sent, header: string): Sent => {
  const { [header]: _, ...headers } = sent.headers ?? {}
  return { ...sent, headers }
}
const TEST_EVENT = JSON.stringify({ id: 'evt_00000000000000', type: 'charge.succeeded', created: 1, livemode: false })

const cases: Case[] = [
  {
    name: 'webhook, Standard Webhooks',
    definition: webhook,
    spec: webhookSpec,
    honest: () => ({
      first: named(standard('m1'), 'm1'),
      repeats: [named(standard('m1', undefined, nowS() - 7), 'm1')],
      other: named(standard('m2'), 'm2'),
    }),
    replays: (first) => [
      without(first, 'Idempotency-Key'),
      { ...first, start: 'POST /f' },
      { ...first, start: 'POST /e?again=1' },
      { ...first, headers: { ...first.headers, Authorization: 'Bearer x' } },
    ],
  },
  {
    name: 'gitlab, signingToken',
    definition: gitlab,
    spec: gitlabSpec,
    honest: () => ({
      first: named(standard('u1'), 'u1'),
      repeats: [named(standard('u1', undefined, nowS() - 7), 'u1')],
      other: named(standard('u2'), 'u2'),
    }),
    replays: (first) => [without(first, 'Idempotency-Key')],
  },
  {
    name: 'slack, an event',
    definition: slack,
    spec: (port) => ({ webhook: context(port), token: selector('token'), signingSecret: selector('secret') }),
    honest: () => ({
      first: slackSigned(outer({ event_id: 'Ev1' })),
      repeats: [slackSigned(outer({ event_id: 'Ev1' }), { 'X-Slack-Retry-Num': '1' }, nowS() - 7)],
      other: slackSigned(outer({ event_id: 'Ev2' })),
    }),
    replays: (first) => [{ ...first, headers: { ...first.headers, ...FORM } }],
  },
  {
    name: 'slack, without a name',
    definition: slack,
    spec: (port) => ({ webhook: context(port), token: selector('token'), signingSecret: selector('secret') }),
    honest: () => ({
      first: slackSigned(outer(), {}, nowS() - 3),
      repeats: [],
      other: slackSigned(outer(), {}, nowS() - 9),
    }),
  },
  {
    name: 'stripe, a test webhook',
    definition: stripe,
    spec: (port) => ({ webhook: context(port), signingSecret: selector('secret') }),
    honest: () => ({
      first: stripeSigned(TEST_EVENT, nowS() - 3),
      repeats: [],
      other: stripeSigned(TEST_EVENT, nowS() - 9),
    }),
  },
]

for (const { name, definition, spec, honest, replays = () => [] } of cases) {
  test(`${name}: a replay is no second event, whatever it says beside what is signed`, async (t) => {
    const { post, stored } = await serve(t, definition, { spec, secrets })
    const { first, repeats, other } = honest()
    const id = await post(first)
    for (const one of [...repeats, replayed(first), ...replays(first)]) assert.equal(await post(one), id)
    assert.equal(stored(), 1)
    assert.notEqual(await post(other), id)
    assert.equal(stored(), 2)
  })

  test(`${name}: who calls another message the same beforehand swallows nothing`, async (t) => {
    const { post, stored } = await serve(t, definition, { spec, secrets })
    const { first, other } = honest()
    // A signed request that says in its headers to be the one which is yet to come.
    await post({
      ...other,
      headers: { ...first.headers, ...other.headers, 'Idempotency-Key': first.headers?.['webhook-id'] ?? 'm1' },
    })
    await post(first)
    assert.equal(stored(), 2)
  })
}

/** Whose signature covers the body and nothing else: it says who, and neither when nor which. */
const hub = (header: string, name: string, body: string, id: string): Sent => ({
  headers: { [header]: `sha256=${createHmac('sha256', 'hunter2').update(body).digest('hex')}`, [name]: id },
  body,
})
const bodies: [
  name: string,
  definition: SourceDefinition<any, any>,
  spec: Sender['spec'],
  header: string,
  called: string,
][] = [
  [
    'github',
    github,
    (port) => ({ webhook: context(port), organizations: ['acme'], webhookSecret: selector('secret') }),
    'X-Hub-Signature-256',
    'X-GitHub-Delivery',
  ],
  [
    'bitbucket',
    bitbucket,
    (port) => ({
      webhook: context(port),
      repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
      auth: {},
      webhookSecret: selector('secret'),
    }),
    'X-Hub-Signature',
    'X-Request-UUID',
  ],
  [
    'bitbucketserver',
    bitbucketserver,
    (port) => ({
      webhook: context(port),
      bitbucketserverBaseURL: 'http://127.0.0.1:9/rest',
      webhookSecret: selector('secret'),
    }),
    'X-Hub-Signature',
    'X-Request-Id',
  ],
  [
    'webhook, hmac-sha256',
    webhook,
    (port) => ({ ...context(port), signature: { secret: selector('secret'), scheme: 'hmac-sha256' } }),
    'X-Hub-Signature-256',
    'Idempotency-Key',
  ],
]
for (const [name, definition, spec, header, called] of bodies) {
  test(`${name}: a forged header makes no two signed bodies one; a redelivery is one, equal bodies of two deliveries are two`, async (t) => {
    const { post, stored } = await serve(t, definition, { spec, secrets })
    const first = hub(header, called, '{"n":1}', 'd1')
    const id = await post(first)
    assert.equal(await post(first), id, 'redelivered')
    assert.notEqual(await post(hub(header, called, '{"n":2}', 'd1')), id, 'another body under its name')
    assert.notEqual(await post(hub(header, called, '{"n":1}', 'd2')), id, 'pressed twice')
    assert.equal(stored(), 3)
  })
}

test('github: signed JSON that is called a form is not read as the fields in one of its texts', async (t) => {
  const spec = bodies[0]![2]
  const served = await serveHttpSource(github, spec, { secrets: { 's/secret': 'hunter2' } })
  t.after(() => served.close())
  const body = '{"issue":{"title":"x&payload={\\"forged\\":true}&y="}}'
  const { headers } = hub('X-Hub-Signature-256', 'X-GitHub-Delivery', body, 'd1')
  const reply = await served.send('POST /e', { ...headers, ...FORM }, body)
  assert.equal(reply.status, 200, reply.body)
  assert.match(served.events()[0]!, /"body":\{.*"issue":/)
  const form = `payload=${encodeURIComponent('{"a":1}')}`
  const honest = hub('X-Hub-Signature-256', 'X-GitHub-Delivery', form, 'd2')
  assert.equal((await served.send('POST /e', { ...honest.headers, ...FORM }, form)).status, 200)
  assert.match(served.events()[1]!, /"body":\{.*"a":1/)
})

test('slack: a signed event that is called a form is no command', async (t) => {
  const spec = (port: number) => ({
    webhook: context(port),
    token: selector('token'),
    signingSecret: selector('secret'),
  })
  const served = await serveHttpSource(slack, spec, { secrets: { 's/secret': 'hunter2', 's/token': 't' } })
  t.after(() => served.close())
  const body = outer({ event_id: 'Ev1', event: { type: 'app_mention', text: 'x&command=/deploy&user_id=U1&y=' } })
  await served.send('POST /e', { ...slackSigned(body).headers, ...FORM }, body)
  assert.match(served.events()[0]!, /^\{"type":"app_mention"/)
})

test('Standard Webhooks: what was signed cannot be cut at another dot', async (t) => {
  const served = await serveHttpSource(webhook, webhookSpec, { secrets: { 's/key': secrets.key } })
  t.after(() => served.close())
  const at = nowS()
  // A measurement of a time: `m1.<at>.<at>.25` may be read in two ways.
  const first = standard('m1', `${at}.25`, at)
  const send = async ({ headers, body }: Sent) =>
    (await served.send('POST /e', { 'Content-Type': 'application/json', ...headers }, body)).status
  assert.equal(await send(first), 200)
  assert.equal(await send({ headers: { ...first.headers, 'webhook-id': `m1.${at}` }, body: '25' }), 401)
  assert.equal(await send(standard('m.2', '{"n":1}')), 200)
  assert.equal(served.events().length, 2)
})

test('webhook: of a signed GET nothing is signed that becomes the event, and `validate` says so', () => {
  const findings = (method: string) =>
    webhook.validate!(webhook.spec.parse({ ...webhookSpec(12000), method })).filter(({ message }) =>
      message.includes('a signature covers the body'),
    )
  assert.deepEqual([findings('GET').length, findings('POST').length], [1, 0])
})
