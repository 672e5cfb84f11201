import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { startFakeGitlab } from '../../test/servers/fakes/gitlab.ts'
import type { Finding } from '../source.ts'
import gitlab from './gitlab.ts'

const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const secrets = { 's/token': 's3cr3t', 's/signing': `whsec_${KEY.toString('base64')}`, 's/access': 'good' }
const selector = (key: string) => ({ name: 's', key })
const base = (port: number | string) => ({
  webhook: { endpoint: '/e', port: String(port), method: 'POST', url: '' },
  events: ['PushEvents'],
  gitlabBaseURL: 'http://127.0.0.1:9',
  accessToken: selector('access'),
  projects: ['acme/shop'],
})

const serve = async (t: TestContext, spec: Record<string, unknown> = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(gitlab, (port) => ({ ...base(port), secretToken: selector('token'), ...spec }), {
    secrets,
  })
  t.after(() => served.close())
  return served
}

const HEADERS = {
  'Content-Type': 'application/json',
  'X-Gitlab-Event': 'Push Hook',
  'X-Gitlab-Event-UUID': '13792a34-cac6-4fda-95a8-c58e00a3954e',
  'X-Gitlab-Token': 's3cr3t',
}
// The example of docs.gitlab.com, "Push events", shortened.
const PUSH =
  '{ "object_kind": "push", "ref": "refs/heads/main", "user_id": 4.0, "project": {"name": "Diaspora <x>"}, "commits": [] }'

test('the payload is upstream’s, but for the token, which is masked', async (t) => {
  const served = await serve(t, { metadata: { team: 'x' } })
  const reply = await served.send('POST /e', HEADERS, PUSH)
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  assert.deepEqual(served.events(), [
    `{"headers":{"Content-Length":["${PUSH.length}"],"Content-Type":["application/json"],"X-Gitlab-Event":["Push Hook"],` +
      '"X-Gitlab-Event-Uuid":["13792a34-cac6-4fda-95a8-c58e00a3954e"],"X-Gitlab-Token":["*** Masked Auth Secret ***"]},' +
      '"body":{"object_kind":"push","ref":"refs/heads/main","user_id":4.0,"project":{"name":"Diaspora \\u003cx\\u003e"},"commits":[]},' +
      '"metadata":{"team":"x"}}',
  ])
})

test('the id comes from Idempotency-Key, else from the UUIDs of hook and event, with the body', async (t) => {
  const served = await serve(t)
  const idOf = async (headers: Record<string, string | undefined>, body = PUSH) => {
    const sent = Object.entries({ ...HEADERS, ...headers }).filter(([, value]) => value !== undefined)
    return (await served.send('POST /e', Object.fromEntries(sent) as Record<string, string>, body)).headers[
      'x-event-id'
    ]
  }
  const key = await idOf({ 'Idempotency-Key': 'k1' })
  assert.equal(await idOf({ 'Idempotency-Key': 'k1', 'X-Gitlab-Event-UUID': 'other' }), key)
  const uuids = await idOf({ 'X-Gitlab-Webhook-UUID': 'w' })
  assert.equal(await idOf({ 'X-Gitlab-Webhook-UUID': 'w' }), uuids)
  const none = { 'X-Gitlab-Event-UUID': undefined }
  const all = [
    key,
    uuids,
    await idOf({ 'Idempotency-Key': 'k2' }),
    await idOf({ 'Idempotency-Key': 'k1' }, '{}'),
    await idOf({ 'X-Gitlab-Webhook-UUID': 'w2' }),
    await idOf(none),
    await idOf(none),
  ]
  assert.equal(new Set(all).size, all.length)
})

test('the token is checked whenever it is set, before the body is looked at; nothing of it is shown', async (t) => {
  const served = await serve(t)
  for (const token of ['', 'S3cr3t', 's3cr3t ', 's3cr3', 'x'.repeat(5_000)]) {
    const reply = await served.send(
      'POST /e',
      { ...HEADERS, 'X-Gitlab-Token': token.trim() === 's3cr3t' ? 's3cr3t2' : token },
      'no JSON',
    )
    assert.deepEqual([reply.status, reply.body], [401, 'token mismatch'])
  }
  for (const body of ['', 'x', '{"a":']) {
    const reply = await served.send('POST /e', HEADERS, body)
    assert.deepEqual([reply.status, reply.body], [400, 'invalid event'])
  }
  assert.equal((await served.send('PUT /e', HEADERS, PUSH)).status, 405)
  assert.deepEqual(served.events(), [])
})

test('a signing token: Standard Webhooks, alone or together with the token', async (t) => {
  const signed = (body: string, seconds = Math.floor(Date.now() / 1000)) => ({
    'webhook-id': 'm1',
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${createHmac('sha256', KEY).update(`m1.${seconds}.${body}`).digest('base64')}`,
  })
  const { 'X-Gitlab-Token': _, ...open } = HEADERS
  const alone = await serve(t, { secretToken: undefined, signingToken: selector('signing') })
  assert.equal((await alone.send('POST /e', { ...open, ...signed(PUSH) }, PUSH)).status, 200)
  assert.equal((await alone.send('POST /e', open, PUSH)).status, 401)
  assert.equal((await alone.send('POST /e', { ...open, ...signed(PUSH, 1_000_000) }, PUSH)).status, 401)
  const both = await serve(t, { signingToken: selector('signing') })
  assert.equal((await both.send('POST /e', { ...HEADERS, ...signed(PUSH) }, PUSH)).status, 200)
  assert.equal((await both.send('POST /e', HEADERS, PUSH)).status, 401)
  assert.equal((await both.send('POST /e', { ...open, ...signed(PUSH) }, PUSH)).status, 401)
})

test('while the secret cannot be read the answer is 503, never 4xx, and status says why', async (t) => {
  const served = await serveHttpSource(gitlab, (port) => ({ ...base(port), secretToken: selector('missing') }), {
    secrets,
  })
  t.after(() => served.close())
  assert.match(String(served.harness.conditions.at(-1)), /no secret s\/missing/)
  const reply = await served.send('POST /e', HEADERS, PUSH)
  assert.equal(reply.status, 503)
  assert.ok(Number(reply.headers['retry-after']) > 0)
})

test('hooks: groups first, then projects, with all flags and both tokens', async (t) => {
  const fake = await startFakeGitlab()
  t.after(() => fake.close())
  const spec = {
    ...base(12000),
    webhook: { endpoint: 'e', port: '12000', url: 'https://us' },
    gitlabBaseURL: fake.url,
    projects: ['acme/shop', '3'],
    groups: ['acme'],
    events: ['PushEvents', 'ReleasesEvents'],
    secretToken: selector('token'),
    signingToken: selector('signing'),
    enableSSLVerification: true,
  }
  const harness = serveInHarness(gitlab, spec, { secrets, http: async () => {} })
  t.after(() => harness.stop())
  const { signal } = new AbortController()
  const targets = await (await gitlab.hooks!(harness.context))!.targets(signal)
  assert.deepEqual(
    targets.map(({ name }) => name),
    ['groups/acme', 'projects/acme/shop', 'projects/3'],
  )
  for (const target of targets) await target.create(signal)
  const { body, path } = fake.asked.at(-2)!
  assert.equal(path, '/api/v4/projects/acme%2Fshop/hooks')
  assert.deepEqual(fake.asked.at(-3)!.body, body, 'groups get what projects get')
  const { url, token, signing_token, ...flags } = body
  assert.deepEqual([url, token, signing_token], ['https://us/e', 's3cr3t', secrets['s/signing']])
  assert.equal(Object.keys(flags).length, 16)
  const on = Object.keys(flags).filter((flag) => flags[flag])
  assert.deepEqual(on.sort(), ['enable_ssl_verification', 'push_events', 'releases_events'])
})

test('hooks: one that GitLab has switched off is said', async (t) => {
  const fake = await startFakeGitlab()
  t.after(() => fake.close())
  const spec = {
    ...base(12000),
    webhook: { endpoint: '/e', port: '12000', url: 'https://us' },
    gitlabBaseURL: fake.url,
  }
  const harness = serveInHarness(gitlab, spec, { secrets, http: async () => {} })
  t.after(() => harness.stop())
  const { signal } = new AbortController()
  const [target] = await (await gitlab.hooks!(harness.context))!.targets(signal)
  await target!.create(signal)
  const look = async () => await target!.recover!((await target!.list(signal))[0]!, signal)
  assert.equal(await look(), 0)
  fake.hooks.get('projects/acme/shop')![0]!.alert_status = 'disabled'
  await assert.rejects(look(), { message: /switched this hook off after failed deliveries: send it a test request/ })
})

const findings = (spec: unknown): Finding[] => gitlab.validate!(gitlab.spec.parse(spec))

test('validate: what upstream refuses, in its order and words; what it finds at start or never', () => {
  const good = { ...base(12000), secretToken: selector('token') }
  const cases: [spec: object, severity: string, message: string][] = [
    [{}, 'error', "events can't be empty"],
    [{ events: [] }, 'error', "gitlab base url can't be empty"],
    [{ events: [], gitlabBaseURL: 'b' }, 'error', "access token can't be nil"],
    [{ ...good, webhook: undefined }, 'error', ''],
    [{ ...good, webhook: { endpoint: '/x' } }, 'error', "port can't be empty"],
    [{ ...good, secretToken: undefined }, 'advice', 'anybody who reaches the port can send events'],
    [{ ...good, webhook: { ...good.webhook, url: 'https://u' }, events: ['Token'] }, 'warning', 'unknown event Token'],
    [
      { ...good, webhook: { ...good.webhook, url: 'https://u' }, projects: [] },
      'advice',
      'neither projects nor groups are named, so no hook is created',
    ],
  ]
  for (const [spec, severity, message] of cases) {
    assert.deepEqual(
      findings(spec).map((finding) => [finding.severity, finding.message]),
      [[severity, message]],
    )
  }
  assert.deepEqual(findings(good), [])
})
