/** What identifies a delivery of each provider. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import bitbucket from '../../src/sources/bitbucket.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import github from '../../src/sources/github.ts'
import gitlab from '../../src/sources/gitlab.ts'
import { loadSource, types } from '../../src/sources/index.ts'
import slack from '../../src/sources/slack.ts'
import sns from '../../src/sources/sns.ts'
import storageGrid from '../../src/sources/storageGrid.ts'
import stripe from '../../src/sources/stripe.ts'
import { cell } from '../../tools/generate/pages.ts'
import { stripeSignature } from '../servers/fakes/stripe.ts'
import { identityContract, type Pair, type Sent } from './identity.ts'

const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST' })
const selector = (key: string) => ({ name: 's', key })
/** A request with a header more or another one. */
const sent = (headers: Record<string, string>, body = '{"n":1}'): Sent => ({ headers, body })
const twice = (one: Sent): [Sent, Sent] => [one, one]
const KEY = { 'Idempotency-Key': '1' }

// https://docs.github.com/en/rest/repos/webhooks: a guid is "shared with all deliveries for all webhooks that subscribe to this event".
const GITHUB = { 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': 'g1', 'X-GitHub-Hook-ID': '1' }
identityContract(github, { spec: (port) => ({ webhook: context(port), organizations: ['acme'] }) }, [
  ['redelivered', 'one', sent(GITHUB), sent(GITHUB)],
  [
    'by the hook of the organization and that of the repository',
    'two',
    sent(GITHUB),
    sent({ ...GITHUB, 'X-GitHub-Hook-ID': '2' }),
  ],
  ['another delivery of the same body', 'two', sent(GITHUB), sent({ ...GITHUB, 'X-GitHub-Delivery': 'g2' })],
  ['another body', 'two', sent(GITHUB), sent(GITHUB, '{"n":2}')],
])

const GITLAB = { 'X-Gitlab-Event': 'Push Hook', 'X-Gitlab-Webhook-UUID': 'w1', 'X-Gitlab-Event-UUID': 'e1' }
const gitlabSpec = (port: number) => ({
  webhook: context(port),
  events: [],
  gitlabBaseURL: 'http://127.0.0.1:9',
  accessToken: selector('token'),
})
identityContract(gitlab, { spec: gitlabSpec, secrets: { token: 't' } }, [
  // GitLab makes the UUIDs anew, and keeps the key.
  [
    'resent',
    'one',
    sent({ ...GITLAB, ...KEY }),
    sent({ ...GITLAB, ...KEY, 'X-Gitlab-Webhook-UUID': 'w2', 'X-Gitlab-Event-UUID': 'e2' }),
  ],
  ['another key', 'two', sent({ ...GITLAB, ...KEY }), sent({ ...GITLAB, 'Idempotency-Key': '2' })],
  // A recursive hook: the UUID of the event is that of the one which caused it.
  ['two hooks of one chain', 'two', sent(GITLAB), sent({ ...GITLAB, 'X-Gitlab-Webhook-UUID': 'w2' })],
])

const BITBUCKET = { 'X-Event-Key': 'repo:push', 'X-Request-UUID': 'r1', 'X-Hook-UUID': 'h1', 'X-Attempt-Number': '1' }
const bitbucketSpec = (port: number) => ({
  webhook: context(port),
  repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
  auth: {},
})
identityContract(bitbucket, { spec: bitbucketSpec }, [
  ['another attempt', 'one', sent(BITBUCKET), sent({ ...BITBUCKET, 'X-Attempt-Number': '2' })],
  ['another request', 'two', sent(BITBUCKET), sent({ ...BITBUCKET, 'X-Request-UUID': 'r2' })],
  ['another hook', 'two', sent(BITBUCKET), sent({ ...BITBUCKET, 'X-Hook-UUID': 'h2' })],
])

const SERVER = { 'X-Event-Key': 'pr:opened', 'X-Request-Id': 'r1' }
identityContract(
  bitbucketserver,
  { spec: (port) => ({ webhook: context(port), bitbucketserverBaseURL: 'http://127.0.0.1:9/rest' }) },
  [
    ['the same again', 'one', sent(SERVER), sent(SERVER)],
    ['another request', 'two', sent(SERVER), sent({ ...SERVER, 'X-Request-Id': 'r2' })],
    ['another server, by its body', 'two', sent(SERVER), sent(SERVER, '{"n":2}')],
  ],
)

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:orders'
const message = (more: object = {}): Sent =>
  sent(
    {},
    JSON.stringify({
      Type: 'Notification',
      MessageId: '1',
      TopicArn: TOPIC,
      Message: 'm',
      Timestamp: '2026-11-30T10:00:00.000Z',
      ...more,
    }),
  )
const subscription = (arn: string) => ({ 'x-amz-sns-subscription-arn': `${TOPIC}:${arn}` })
identityContract(sns, { spec: (port) => ({ webhook: context(port), topicArn: TOPIC, region: 'us-east-1' }) }, [
  // A repeat is signed anew.
  ['delivered again', 'one', message({ Signature: 'a' }), message({ Signature: 'b' })],
  [
    'by two subscriptions, as while `url` changes',
    'one',
    { ...message(), headers: subscription('1') },
    { ...message(), headers: subscription('2') },
  ],
  ['another message', 'two', message(), message({ MessageId: '2' })],
  ['another text under the same id', 'two', message(), message({ Message: 'n' })],
  ['another time under the same id', 'two', message(), message({ Timestamp: '2026-11-30T10:00:01.000Z' })],
])

const record = (more: object = {}, object: object = {}) => ({
  eventName: 'ObjectCreated:Put',
  eventTime: '2026-11-30T10:00:00Z',
  ...more,
  s3: { bucket: { name: 'b' }, object: { key: 'k', sequencer: '1', ...object } },
})
const notified = (one: object, TopicArn = 'urn:x:sns:r::t'): Sent => ({
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams({ Action: 'Publish', Message: JSON.stringify({ Records: [one] }), TopicArn }).toString(),
})
const gridSpec = (port: number) => ({
  webhook: context(port),
  topicArn: 'urn:x:sns:r::t',
  apiURL: 'http://127.0.0.1:1/api/v3',
  authToken: selector('token'),
  bucket: 'b',
  events: ['ObjectCreated:*'],
})
identityContract(storageGrid, { spec: gridSpec, secrets: { token: 't' } }, [
  ['sent again', 'one', notified(record()), notified(record())],
  ['another change of the object', 'two', notified(record()), notified(record({}, { sequencer: '2' }))],
  ['another kind', 'two', notified(record()), notified(record({ eventName: 'ObjectCreated:Copy' }))],
  ['another grid: another time, or another endpoint', 'two', notified(record()), notified(record(), 'urn:y:sns:r::t')],
])

const slackHeaders = ({ body = '' }: Sent): Record<string, string> => {
  const seconds = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', 'secret').update(`v0:${seconds}:${body}`).digest('hex')
  return { 'X-Slack-Request-Timestamp': seconds, 'X-Slack-Signature': `v0=${signature}` }
}
const OUTER = { token: 'token', type: 'event_callback', api_app_id: 'A1', team_id: 'T1', event_id: 'Ev1' }
const callback = (more: object = {}, event: object = {}): Sent =>
  sent({}, JSON.stringify({ ...OUTER, ...more, event: { type: 'app_mention', text: 'hi', ...event } }))
const form = (fields: Record<string, string>): Sent => ({
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
})
const command = (more: Record<string, string> = {}) =>
  form({ command: '/tea', api_app_id: 'A1', team_id: 'T1', trigger_id: '1', ...more })
const interaction = (more: object = {}) =>
  form({
    payload: JSON.stringify({
      type: 'shortcut',
      api_app_id: 'A1',
      team: { id: 'T1' },
      trigger_id: '1',
      action_ts: '1',
      ...more,
    }),
  })
identityContract(
  slack,
  {
    spec: (port) => ({ webhook: context(port), token: selector('token'), signingSecret: selector('secret') }),
    secrets: { token: 'token', secret: 'secret' },
    always: slackHeaders,
  },
  [
    ['repeated', 'one', callback(), { ...callback(), headers: { 'X-Slack-Retry-Num': '1' } }],
    ['repeated with other authorizations', 'one', callback({ authorizations: [1] }), callback({ authorizations: [2] })],
    ['another event', 'two', callback(), callback({ event_id: 'Ev2' })],
    // https://api.slack.com/types/event: several apps may have the same request URL, and are told apart by `api_app_id`.
    ['another app', 'two', callback(), callback({ api_app_id: 'A2' })],
    ['another workspace', 'two', callback(), callback({ team_id: 'T2' })],
    ['another text under the same id', 'two', callback(), callback({}, { text: 'ho' })],
    ['a command of another app', 'two', command(), command({ api_app_id: 'A2' })],
    ['a command of another workspace', 'two', command(), command({ team_id: 'T2' })],
    ['a command again', 'two', command(), command({ trigger_id: '2' })],
    ['an interaction of another app', 'two', interaction(), interaction({ api_app_id: 'A2' })],
    ['an interaction of another workspace', 'two', interaction(), interaction({ team: { id: 'T2' } })],
  ],
)

const charge = (more: object = {}): Sent =>
  sent(
    {},
    JSON.stringify({
      id: 'evt_1',
      type: 'charge.succeeded',
      created: 1_700_000_000,
      livemode: false,
      data: { object: { id: 'ch_1' } },
      ...more,
    }),
  )
const charges: Pair[] = [
  ['sent again', 'one', charge({ pending_webhooks: 2 }), charge({ pending_webhooks: 1 })],
  ['another event', 'two', charge(), charge({ id: 'evt_2' })],
  ['another account', 'two', charge({ account: 'acct_1' }), charge({ account: 'acct_2' })],
  ['live, and a test', 'two', charge(), charge({ livemode: true })],
  ['another type under the same id', 'two', charge(), charge({ type: 'charge.failed' })],
]
identityContract(
  stripe,
  {
    name: 'signed',
    spec: (port) => ({ webhook: context(port), signingSecret: selector('secret') }),
    secrets: { secret: 'whsec_1' },
    always: ({ body = '' }) => ({ 'Stripe-Signature': stripeSignature(body, 'whsec_1') }),
  },
  charges,
)
identityContract(stripe, { name: 'unsigned', spec: (port) => ({ webhook: context(port) }) }, [
  ...charges,
  ['another object under the same id', 'two', charge(), charge({ data: { object: { id: 'ch_2' } } })],
  // What "Send test webhook" sends: https://github.com/cloudcreativity/laravel-stripe/issues/2, https://github.com/dj-stripe/dj-stripe/pull/859
  ['tests, which all have one id', 'nameless', ...twice(charge({ id: 'evt_00000000000000' }))],
  ['tests of newer APIs', 'nameless', ...twice(charge({ id: 'charge.succeeded_00000000000000' }))],
])

test('every type that listens has its pairs here', async () => {
  const tables = ['identity', 'identity-webhook'].map((name) =>
    readFileSync(new URL(`./${name}.test.ts`, import.meta.url), 'utf8'),
  )
  for (const type of types) {
    if ((await loadSource(type))!.listens === undefined) continue
    assert.match(tables.join(''), new RegExp(`^identityContract\\(\\s*${type},`, 'm'), type)
  }
})

test('every type says what an event is known by, on its page and on that of the guarantees', async () => {
  const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const guarantees = page('guarantees.md')
  for (const type of types) {
    const { ids } = (await loadSource(type))!
    assert.match(ids, /^[A-Z`].{60,}\.$/s, type)
    assert.ok(page(`sources/${type}.md`).includes(`| identity | ${cell(ids)} |`), type)
    assert.ok(guarantees.includes(`| [${type}](sources/${type}.md) | ${cell(ids)} |`), type)
  }
})
