import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { startFakeBitbucket } from '../../test/servers/fakes/bitbucket.ts'
import type { Finding } from '../source.ts'
import bitbucket from './bitbucket.ts'

const secrets = { 's/secret': 'hunter2', 's/token': 'good', 's/user': 'user' }
const selector = (key: string) => ({ name: 's', key })
const base = (port: number | string) => ({
  webhook: { endpoint: '/e', port: String(port), method: 'POST', url: '' },
  repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
  events: ['repo:push'],
  auth: {},
})

const serve = async (t: TestContext, spec: Record<string, unknown> = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(bitbucket, (port) => ({ ...base(port), ...spec }), { secrets })
  t.after(() => served.close())
  return served
}
// The shape of support.atlassian.com, "Event payloads", shortened.
const PUSH = '{"push":{"changes":[]}, "repository":{"full_name":"acme/shop"}}'
const HEADERS = {
  'Content-Type': 'application/json',
  'X-Event-Key': 'repo:push',
  'X-Hook-UUID': '{9d}',
  'X-Request-UUID': '8f',
}

test('the payload is upstream’s', async (t) => {
  const served = await serve(t, { metadata: { team: 'x' } })
  const reply = await served.send('POST /e', HEADERS, PUSH)
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  assert.deepEqual(served.events(), [
    `{"headers":{"Content-Length":["${PUSH.length}"],"Content-Type":["application/json"],"X-Event-Key":["repo:push"],` +
      '"X-Hook-Uuid":["{9d}"],"X-Request-Uuid":["8f"]},"body":{"push":{"changes":[]},"repository":{"full_name":"acme/shop"}},' +
      '"metadata":{"team":"x"}}',
  ])
})

test('another attempt has the same id; what is not JSON is refused', async (t) => {
  const served = await serve(t)
  const idOf = async (headers: Record<string, string>, body = PUSH) =>
    (await served.send('POST /e', { ...HEADERS, ...headers }, body)).headers['x-event-id']
  const first = await idOf({ 'X-Attempt-Number': '1' })
  assert.equal(await idOf({ 'X-Attempt-Number': '2' }), first)
  assert.notEqual(await idOf({ 'X-Request-UUID': '9f' }), first)
  for (const body of ['', 'x']) {
    const reply = await served.send('POST /e', HEADERS, body)
    assert.deepEqual([reply.status, reply.body], [400, 'invalid event'])
  }
})

test('a signature is checked when there is a secret', async (t) => {
  const served = await serve(t, { webhookSecret: selector('secret') })
  const signature = `sha256=${createHmac('sha256', 'hunter2').update(PUSH).digest('hex')}`
  assert.equal((await served.send('POST /e', { ...HEADERS, 'X-Hub-Signature': signature }, PUSH)).status, 200)
  assert.equal((await served.send('POST /e', HEADERS, PUSH)).status, 401)
})

test('hooks: by user and password, or by token', async (t) => {
  const fake = await startFakeBitbucket()
  t.after(() => fake.close())
  const { signal } = new AbortController()
  for (const auth of [
    { basic: { username: selector('user'), password: selector('token') }, oauthToken: selector('secret') },
    { basic: { username: selector('user') }, oauthToken: selector('token') },
  ]) {
    const webhook = { endpoint: '/e', port: '12000', url: 'https://us' }
    const spec = {
      ...base(1),
      webhook,
      repositories: [],
      owner: 'acme',
      repositorySlug: 'one',
      auth,
      bitbucketBaseURL: fake.url,
    }
    const harness = serveInHarness(bitbucket, spec, { secrets, http: async () => {} })
    t.after(() => harness.stop())
    const [target] = await (await bitbucket.hooks!(harness.context))!.targets(signal)
    assert.equal(target!.name, 'repositories/acme/one')
    await target!.create(signal)
  }
  assert.deepEqual(
    fake.asked.map(({ headers }) => String(headers.authorization).split(' ')[0]),
    ['Basic', 'Bearer'],
  )
  assert.deepEqual(fake.asked[0]!.body, {
    description: 'managed by Vedette',
    url: 'https://us/e',
    active: true,
    events: ['repo:push'],
  })
})

const findings = (spec: unknown): Finding[] => bitbucket.validate!(bitbucket.spec.parse(spec))

test('validate: what upstream refuses, in its order and words', () => {
  const good = { ...base(12000), webhookSecret: selector('secret') }
  const cases: [spec: object, severity: string, message: string][] = [
    [{}, 'error', 'at least one repository is required'],
    [{ owner: 'o' }, 'error', 'at least one repository is required'],
    [{ ...good, auth: undefined }, 'error', "auth can't be nil"],
    [
      { ...good, events: [], auth: { oauthToken: selector('token') }, webhook: { ...good.webhook, url: 'u' } },
      'error',
      'events must be defined to create a bitbucket webhooks',
    ],
    [{ ...good, webhook: undefined }, 'error', ''],
    [{ ...good, webhookSecret: undefined }, 'advice', 'anybody who reaches the port can send events'],
  ]
  for (const [spec, severity, message] of cases) {
    assert.deepEqual(
      findings(spec).map((finding) => [finding.severity, finding.message]),
      [[severity, message]],
    )
  }
  assert.deepEqual(findings(good), [])
})
