import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { type FakeBitbucketServer, startFakeBitbucketServer } from '../../test/servers/fakes/bitbucketserver.ts'
import { fail } from '../core/errors.ts'
import type { Finding } from '../source.ts'
import bitbucketserver from './bitbucketserver.ts'

const secrets = { 's/secret': 'hunter2', 's/token': 'good' }
const selector = (key: string) => ({ name: 's', key })
const base = (port: number | string, url = 'http://127.0.0.1:9') => ({
  webhook: { endpoint: '/e', port: String(port), method: 'POST', url: '' },
  bitbucketserverBaseURL: `${url}/rest`,
  accessToken: selector('token'),
  events: ['repo:refs_changed'],
})

const serve = async (t: TestContext, spec: Record<string, unknown> = {}, url?: string): Promise<ServedSource> => {
  const served = await serveHttpSource(bitbucketserver, (port) => ({ ...base(port, url), ...spec }), { secrets })
  t.after(() => served.close())
  return served
}
const startFake = async (t: TestContext): Promise<FakeBitbucketServer> => {
  const fake = await startFakeBitbucketServer()
  t.after(() => fake.close().catch(() => {}))
  return fake
}
const HEADERS = { 'Content-Type': 'application/json', 'X-Event-Key': 'repo:refs_changed', 'X-Request-Id': 'a1b2' }
const change = (ref: string, toHash: string, type = 'UPDATE', refType = 'BRANCH') => ({
  ref: { id: `refs/${ref}`, displayId: ref, type: refType },
  refId: `refs/${ref}`,
  fromHash: '0000',
  toHash,
  type,
})
// The shape of confluence.atlassian.com, "Event payload", with what Argo Events does not know (commits, toCommit).
const push = (...changes: object[]) =>
  JSON.stringify({
    eventKey: 'repo:refs_changed',
    date: '2026-11-24T10:00:00+0000',
    actor: {
      name: 'admin',
      emailAddress: 'a@b',
      id: 1,
      displayName: 'A <B>',
      active: true,
      slug: 'admin',
      type: 'NORMAL',
    },
    repository: {
      slug: 'orders',
      id: 84,
      name: 'orders',
      project: { key: 'SHOP', id: 84, public: false },
      public: false,
    },
    changes,
    commits: [{ id: 'ab' }],
    toCommit: { id: 'ab' },
  })
const bodies = (served: ServedSource) => served.events().map((event) => JSON.parse(event).body)

test('the payload is upstream’s: the body as it stands', async (t) => {
  const served = await serve(t, { metadata: { team: 'x' } })
  const sent = push(change('tags/v1', 'ab12', 'ADD', 'TAG'))
  const reply = await served.send('POST /e', HEADERS, sent)
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  assert.deepEqual(served.events(), [
    `{"headers":{"Content-Length":["${sent.length}"],"Content-Type":["application/json"],"X-Event-Key":["repo:refs_changed"],` +
      `"X-Request-Id":["a1b2"]},"body":${sent.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')},"metadata":{"team":"x"}}`,
  ])
  const ping = await served.send('POST /e', { ...HEADERS, 'X-Event-Key': 'diagnostics:ping' }, '{"test":true}')
  assert.equal(ping.status, 200)
  for (const body of ['', 'x']) {
    const refused = await served.send('POST /e', HEADERS, body)
    assert.deepEqual([refused.status, refused.body], [400, 'invalid event'])
  }
})

test('one event per change: upstream’s fields, in its order, with zero values; ids by place', async (t) => {
  const served = await serve(t, { oneEventPerChange: true })
  const sent = push(change('heads/main', 'ab'), change('heads/dev', 'cd', 'DELETE'))
  const reply = await served.send('POST /e', HEADERS, sent)
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  const ids = reply.headers['x-event-id']!.split(', ')
  assert.equal(new Set(ids).size, 2)
  assert.match(
    served.events()[0]!,
    /"body":\{"eventKey":"repo:refs_changed","date":"2026-11-24T10:00:00\+0000","actor":\{"name":"admin","emailAddress":"a@b","id":1,"displayName":"A \\u003cB\\u003e","active":true,"slug":"admin","type":"NORMAL","links":\{"self":null\}\},"repository":\{"slug":"orders","id":84,"name":"orders","hierarchyId":"","scmId":"","state":"","statusMessage":"","forkable":false,"project":\{"key":"SHOP","id":84,"name":"","public":false,"type":"","links":\{"self":null\}\},"public":false,"links":\{"clone":null,"self":null\}\},"changes":\[\{"ref":\{"id":"refs\/heads\/main","displayId":"heads\/main","type":"BRANCH"\},"refId":"refs\/heads\/main","fromHash":"0000","toHash":"ab","type":"UPDATE"\}\]\}\}$/,
  )
  assert.deepEqual(
    bodies(served).map(({ changes }) => changes.map(({ toHash }: { toHash: string }) => toHash)),
    [['ab'], ['cd']],
  )
  const again = await served.send('POST /e', HEADERS, sent)
  assert.equal(again.headers['x-event-id'], reply.headers['x-event-id'])
  assert.equal((await served.send('POST /e', HEADERS, push())).status, 200)
  for (const body of ['[]', '{"changes":1}', '{"changes":[{"toHash":1}]}', '{"changes":[{}],"actor":{"id":1.5}}', '{'])
    assert.equal((await served.send('POST /e', HEADERS, body)).status, 400, body)
})

test('one of the events of a push cannot be stored: 503, and the next attempt has the same ids', async (t) => {
  const served = await serve(t, { oneEventPerChange: true })
  const sent = push(change('heads/a', 'a'), change('heads/b', 'b'))
  served.harness.failWith = fail('BUS_UNAVAILABLE', 'not now')
  assert.equal((await served.send('POST /e', HEADERS, sent)).status, 503)
  served.harness.failWith = null
  assert.equal((await served.send('POST /e', HEADERS, sent)).status, 200)
})

test('changes whose commit has an open pull request are left out', async (t) => {
  const fake = await startFake(t)
  fake.pullRequests.set('ab', [...Array.from({ length: 60 }, () => 'MERGED'), 'open'])
  fake.pullRequests.set('cd', ['MERGED'])
  const spec = { skipBranchRefsChangedOnOpenPR: true }
  const served = await serve(t, spec, fake.url)
  const mixed = push(
    change('heads/a', 'ab'),
    change('heads/c', 'cd'),
    change('heads/x', 'ab', 'DELETE'),
    change('tags/t', 'ab', 'ADD', 'TAG'),
  )
  assert.equal((await served.send('POST /e', HEADERS, mixed)).status, 200)
  assert.deepEqual(
    bodies(served)[0].changes.map(({ refId }: { refId: string }) => refId),
    ['refs/heads/c', 'refs/heads/x', 'refs/tags/t'],
  )
  assert.deepEqual(bodies(served)[0].toCommit, { id: 'ab' })
  const allGone = await served.send('POST /e', HEADERS, push(change('heads/a', 'ab')))
  assert.deepEqual([allGone.status, allGone.body, allGone.headers['x-event-id']], [200, 'success', undefined])
  assert.equal(served.events().length, 1)
  fake.faults.push({ status: 500 })
  const away = await served.send('POST /e', HEADERS, mixed)
  assert.deepEqual([away.status, away.headers['retry-after']], [503, '1'])
  const untouched = push(change('heads/c', 'cd'))
  assert.equal((await served.send('POST /e', HEADERS, untouched)).status, 200)
  assert.ok(
    served
      .events()
      .at(-1)!
      .includes(`"body":${untouched.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')}`),
  )
})

test('hooks: repositories of projects over all pages, each once; Bitbucket’s body; the interval', async (t) => {
  const fake = await startFake(t)
  fake.repositories.set(
    'DOCS',
    Array.from({ length: 60 }, (_, i) => `r${i}`),
  )
  const spec = {
    ...base(1, fake.url),
    webhook: { endpoint: '/e', port: '12000', url: 'https://us' },
    repositories: [
      { projectKey: 'SHOP', repositorySlug: 'orders' },
      { projectKey: 'DOCS', repositorySlug: 'r0' },
    ],
    projects: ['DOCS'],
    checkInterval: '5m',
    webhookSecret: selector('secret'),
  }
  const harness = serveInHarness(bitbucketserver, spec, { secrets, http: async () => {} })
  t.after(() => harness.stop())
  const { signal } = new AbortController()
  const registration = (await bitbucketserver.hooks!(harness.context))!
  assert.equal(registration.everyMs, 300_000)
  const targets = await registration.targets(signal)
  assert.deepEqual([targets.length, targets[0]!.name], [61, 'projects/SHOP/repos/orders'])
  await targets[0]!.create(signal)
  assert.deepEqual(fake.asked.at(-1)!.body, {
    name: 'Vedette',
    events: ['repo:refs_changed'],
    url: 'https://us/e',
    active: true,
    configuration: { secret: 'hunter2' },
  })
})

const findings = (spec: unknown): Finding[] => bitbucketserver.validate!(bitbucketserver.spec.parse(spec))

test('validate: what upstream refuses, in its order and words', () => {
  const good = { ...base(12000), webhookSecret: selector('secret') }
  const webhook = { ...good.webhook, url: 'https://u' }
  const cases: [spec: object, severity: string, message: string][] = [
    [{}, 'error', "bitbucket server base url can't be empty"],
    [
      { ...good, webhook, projects: ['p'], events: [] },
      'error',
      'events must be defined to create a bitbucket server webhook',
    ],
    [
      { ...good, checkInterval: 'x' },
      'error',
      'failed to parse webhook check interval duration: time: invalid duration "x"',
    ],
    [{ ...good, webhook: undefined }, 'error', ''],
    [
      { ...good, accessToken: undefined, skipBranchRefsChangedOnOpenPR: true },
      'warning',
      'skipBranchRefsChangedOnOpenPR without accessToken: Bitbucket cannot be asked',
    ],
    [
      { ...good, webhook, projects: ['p'], checkInterval: '10ms' },
      'warning',
      'checkInterval 10ms is below a second: hooks are looked at every second',
    ],
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
