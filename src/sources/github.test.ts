import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { startFakeGithub } from '../../test/servers/fakes/github.ts'
import { systemClock } from '../core/clock.ts'
import type { Finding, HookRegistration } from '../source.ts'
import { undelivered } from './github/hooks.ts'
import github from './github.ts'

const SECRET = 'hunter2'
const sign = (body: string | Buffer, secret = SECRET, algorithm = 'sha256') =>
  `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`

const serve = async (t: TestContext, spec: Record<string, unknown> = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(
    github,
    (port) => ({
      webhook: { endpoint: '/e', port: String(port), method: 'POST', url: '' },
      repositories: [{ owner: 'acme', names: ['shop'] }],
      webhookSecret: { name: 's', key: 'secret' },
      ...spec,
    }),
    { secrets: { 's/secret': SECRET } },
  )
  t.after(() => served.close())
  return served
}

const deliver = (served: ServedSource, body: string | Buffer, headers: Record<string, string> = {}) =>
  served.send(
    'POST /e',
    {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'push',
      'X-GitHub-Delivery': '131c7c9b-a571-4f60-9aca-ea3ada19fabe',
      'X-Hub-Signature-256': sign(body),
      ...headers,
    },
    body,
  )

test('the payload is upstream’s: keys sorted, numbers as floats, two keys added', async (t) => {
  const served = await serve(t, { metadata: { team: 'x' } })
  const sent =
    '{"ref":"refs/heads/main", "after":"ab<12>","id":9007199254740993,"n":[1.0,1e21,-0,0.0000001,12345678901234567890],"z":{"b":1,"a":null},"after2":true,"X-GitHub-Event":"forged"}'
  const reply = await deliver(served, sent)
  assert.deepEqual([reply.status, reply.body], [200, 'success'])
  assert.match(reply.headers['x-event-id']!, /^[0-9a-f]{32}$/)
  assert.deepEqual(served.events(), [
    `{"headers":{"Content-Length":["${Buffer.byteLength(sent)}"],"Content-Type":["application/json"],` +
      '"X-Github-Delivery":["131c7c9b-a571-4f60-9aca-ea3ada19fabe"],"X-Github-Event":["push"],' +
      `"X-Hub-Signature-256":["${sign(sent)}"]},` +
      '"body":{"X-GitHub-Delivery":"131c7c9b-a571-4f60-9aca-ea3ada19fabe","X-GitHub-Event":"push","after":"ab\\u003c12\\u003e","after2":true,' +
      '"id":9007199254740992,"n":[1,1e+21,-0,1e-7,12345678901234567000],"ref":"refs/heads/main","z":{"a":null,"b":1}},' +
      '"metadata":{"team":"x"}}',
  ])
})

test('a form: the field payload is the body, the signature is that of the form', async (t) => {
  const served = await serve(t)
  const form = `payload=${encodeURIComponent('{"a":"é & ü"}')}`
  const reply = await deliver(served, form, { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' })
  assert.equal(reply.status, 200)
  assert.match(served.events()[0]!, /"X-GitHub-Event":"push","a":"é \\u0026 ü"\}/)
})

test('without its headers X-GitHub-Event and X-GitHub-Delivery are empty, and the id is random', async (t) => {
  const served = await serve(t)
  const send = () =>
    served.send('POST /e', { 'Content-Type': 'application/json', 'X-Hub-Signature-256': sign('{}') }, '{}')
  const [a, b] = [await send(), await send()]
  assert.match(served.events()[0]!, /"body":\{"X-GitHub-Delivery":"","X-GitHub-Event":""\}/)
  assert.notEqual(a.headers['x-event-id'], b.headers['x-event-id'])
})

test('a redelivery has the same id; another body under the same delivery has not', async (t) => {
  const served = await serve(t)
  const ids = []
  for (const body of ['{"a":1}', '{"a":1}', '{"a":2}']) ids.push((await deliver(served, body)).headers['x-event-id'])
  assert.equal(ids[0], ids[1])
  assert.notEqual(ids[0], ids[2])
})

test('what is refused, with upstream’s words', async (t) => {
  const served = await serve(t)
  const cases: [body: string, headers: Record<string, string>, status: number, text: string][] = [
    ['{}', { 'X-Hub-Signature-256': '' }, 401, 'missing signature'],
    ['{}', { 'X-Hub-Signature-256': 'zz' }, 401, 'error parsing signature "zz"'],
    ['{}', { 'X-Hub-Signature-256': 'md5=00' }, 401, 'unknown hash type prefix: "md5"'],
    ['{}', { 'X-Hub-Signature-256': sign('{}', 'wrong') }, 401, 'payload signature check failed'],
    ['{}', { 'Content-Type': 'text/plain' }, 415, 'webhook request has unsupported Content-Type "text/plain"'],
    ['', {}, 400, 'unexpected end of JSON input'],
    ['[]', {}, 400, 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
    ['"x"', {}, 400, 'json: cannot unmarshal string into Go value of type map[string]interface {}'],
    ['{"a":1e999}', {}, 400, 'json: cannot unmarshal number into Go value of type float64'],
    ['{"a":}', {}, 400, "invalid character '}' looking for beginning of value"],
  ]
  for (const [body, headers, status, text] of cases) {
    const reply = await deliver(served, body, headers)
    assert.deepEqual([reply.status, reply.body], [status, text], body)
  }
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  assert.deepEqual([(await deliver(served, 'x=1', form)).status], [400])
  assert.equal((await served.send('GET /e')).status, 405)
  const deep = `{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`
  assert.ok([200, 400].includes((await deliver(served, deep)).status))
  assert.equal((await deliver(served, '{}')).status, 200, 'it goes on')
})

test('real payloads of all events get through unchanged in meaning', async (t) => {
  const served = await serve(t)
  const root = new URL('../../node_modules/@octokit/webhooks-examples/api.github.com/', import.meta.url)
  const file = readdirSync(root).find((name) => name.endsWith('.json'))!
  const events = JSON.parse(readFileSync(new URL(file, root), 'utf8')) as { name: string; examples: object[] }[]
  let count = 0
  for (const { name, examples } of events) {
    for (const example of examples.slice(0, 2)) {
      const body = JSON.stringify(example)
      const guid = `guid-${count++}`
      const reply = await deliver(served, body, { 'X-GitHub-Event': name, 'X-GitHub-Delivery': guid })
      assert.equal(reply.status, 200, `${name}: ${reply.body}`)
      const { body: got } = JSON.parse(served.events().at(-1)!)
      assert.deepEqual(got, { ...example, 'X-GitHub-Event': name, 'X-GitHub-Delivery': guid })
      github.event.parse(JSON.parse(served.events().at(-1)!))
    }
  }
  assert.ok(count > 60, `only ${count} payloads`)
})

// ---- hooks

const credentials = { apiToken: { name: 's', key: 'token' } }
const hooksOf = async (spec: object, secrets: Record<string, string>): Promise<HookRegistration | null> => {
  const harness = serveInHarness(github, spec, { secrets, http: async () => {} })
  try {
    return await github.hooks!(harness.context)
  } finally {
    await harness.stop()
  }
}
const { signal } = new AbortController()
const base = (url: string, spec: object = {}) => ({
  webhook: { endpoint: '/e', port: '12000', method: 'POST', url: 'https://hooks.example.com/' },
  repositories: [{ owner: 'acme', names: ['shop'] }],
  events: ['push'],
  active: true,
  contentType: 'json',
  githubBaseURL: url,
  githubUploadURL: url,
  webhookSecret: { name: 's', key: 'secret' },
  ...credentials,
  ...spec,
})
const secrets = { 's/token': 'good', 's/secret': 'new\nold' }

test('hooks: without credentials or URL none are managed', async () => {
  assert.equal(await hooksOf(base('', { apiToken: undefined, githubUploadURL: '' }), secrets), null)
  assert.equal(await hooksOf(base('', { webhook: { endpoint: '/e', port: '1', url: '' } }), secrets), null)
})

test('hooks: what GitHub is asked for, and what makes a hook another one than wanted', async (t) => {
  const fake = await startFakeGithub()
  t.after(() => fake.close())
  for (let i = 0; i < 250; i++) fake.addHook('repos/acme/shop', { config: { url: `http://other/${i}` } })
  const [target] = await (await hooksOf(base(fake.url), secrets))!.targets(signal)
  await target!.list(signal)
  assert.equal(fake.count('GET', /hooks$/), 3, 'a hundred a page')
  await target!.create(signal)
  assert.deepEqual(fake.asked.at(-1)!.body, {
    name: 'web',
    config: { url: 'https://hooks.example.com/e', insecure_ssl: '0', content_type: 'json', secret: 'new' },
    events: ['push'],
    active: true,
  })
  assert.match(String(fake.asked.at(-1)!.headers.authorization), /^token good$/)
  const stored = fake.hooks.get('repos/acme/shop')!.at(-1)!
  for (const change of [
    { active: false },
    { config: { ...stored.config, content_type: 'form' } },
    { config: { ...stored.config, insecure_ssl: '1' } },
  ]) {
    Object.assign(stored, change)
    const [listed] = (await target!.list(signal)).filter((one) => target!.isOurs(one))
    assert.ok(!target!.isCurrent(listed!), JSON.stringify(change))
    await target!.update!(listed!, signal)
    assert.deepEqual([stored.active, stored.config.content_type, stored.config.insecure_ssl], [true, 'json', '0'])
  }
})

test('hooks: several repositories, organizations, the deprecated single one', async (t) => {
  const fake = await startFakeGithub()
  t.after(() => fake.close())
  const names = async (spec: object) =>
    (await (await hooksOf(base(fake.url, spec), secrets))!.targets(signal)).map(({ name }) => name)
  const repositories = [
    { owner: 'acme', names: ['a', 'b'] },
    { owner: 'zeta', names: ['c'] },
  ]
  assert.deepEqual(await names({ repositories }), ['repos/acme/a', 'repos/acme/b', 'repos/zeta/c'])
  assert.deepEqual(await names({ repositories: undefined, organizations: ['acme', 'zeta'] }), [
    'orgs/acme',
    'orgs/zeta',
  ])
  assert.deepEqual(await names({ repositories: [], owner: 'acme', repository: 'one' }), ['repos/acme/one'])
  const registration = (await hooksOf(base(fake.url, { repositories: undefined, organizations: ['acme'] }), secrets))!
  const [target] = await registration.targets(signal)
  await target!.create(signal)
  assert.equal(fake.hooks.get('orgs/acme')!.length, 1)
})

test('hooks: a GitHub App authenticates with its key', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = (key: typeof privateKey, type: 'pkcs1' | 'pkcs8' | 'spki') =>
    key.export({ format: 'pem', type: type as 'pkcs8' }).toString()
  const fake = await startFakeGithub({ app: pem(publicKey, 'spki') })
  t.after(() => fake.close())
  for (const format of ['pkcs1', 'pkcs8'] as const) {
    const spec = base(fake.url, {
      apiToken: undefined,
      githubApp: { privateKey: { name: 's', key: 'app' }, appID: 7, installationID: 42 },
    })
    const [target] = await (await hooksOf(spec, { ...secrets, 's/app': pem(privateKey, format) }))!.targets(signal)
    assert.deepEqual(await target!.list(signal), [])
    assert.equal(fake.asked.at(-2)!.path, '/api/v3/app/installations/42/access_tokens')
  }
})

test('hooks: an App’s token that not all of GitHub’s servers know yet, and a clock that is wrong', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const fake = await startFakeGithub({ app: publicKey.export({ format: 'pem', type: 'spki' }).toString() })
  t.after(() => fake.close())
  const githubApp = { privateKey: { name: 's', key: 'app' }, appID: 7, installationID: 42 }
  const spec = base(fake.url, { apiToken: undefined, githubApp })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString().replaceAll('\n', '\\n')
  const registration = (await hooksOf(spec, { ...secrets, 's/app': pem }))!
  const message = "'Expiration time' claim ('exp') is too far in the future"
  const date = new Date(Date.now() - 3_600_000).toUTCString()
  fake.faults.push({ status: 401, body: { message }, headers: { date } }, null, {
    status: 401,
    body: { message: 'Bad credentials' },
  })
  const [target] = await registration.targets(signal)
  assert.deepEqual(await target!.list(signal), [])
  const claims = fake.asked
    .map(({ headers }) => String(headers.authorization))
    .filter((one) => one.startsWith('bearer'))
  const [ours, theirs] = claims.map((one) => JSON.parse(Buffer.from(one.split('.')[1]!, 'base64url').toString()))
  assert.deepEqual([theirs.iss, theirs.exp - theirs.iat], [7, 600])
  assert.equal(theirs.iat, Date.parse(date) / 1_000 - 30)
  assert.ok(ours.iat - theirs.iat >= 3_599)
  assert.deepEqual([fake.asked.length, fake.count('GET', /hooks$/)], [4, 2])
  fake.installationTokens.length = 0
  const another = (await hooksOf(spec, { ...secrets, 's/app': 'no key' }))!
  await assert.rejects(another.targets(signal), {
    code: 'SPEC_INVALID',
    message: /githubApp\.privateKey is no private key/,
  })
})

test('hooks: a repository that was renamed is asked for where it is now, and never at another host', async (t) => {
  const fake = await startFakeGithub()
  const other = await startFakeGithub()
  t.after(() => Promise.all([fake.close(), other.close()]))
  const [target] = await (await hooksOf(base(fake.url), secrets))!.targets(signal)
  fake.addHook('repos/acme/new', { config: { url: 'http://a' } })
  const moved = (url: string, status = 307) => ({ status, headers: { location: `${url}/api/v3/repos/acme/new/hooks` } })
  fake.faults.push(moved(fake.url, 301))
  assert.equal((await target!.list(signal)).length, 1)
  fake.faults.push(moved(fake.url))
  await target!.create(signal)
  assert.equal(fake.hooks.get('repos/acme/new')!.length, 2)
  fake.faults.push(moved(fake.url, 302))
  await assert.rejects(target!.create(signal), /answered 302/)
  fake.faults.push(moved(other.url))
  await assert.rejects(target!.list(signal), /sent a link to/)
  assert.equal(other.asked.length, 0)
  fake.faults.push(...Array.from({ length: 9 }, () => moved(fake.url)))
  await assert.rejects(target!.list(signal), /answered 307/)
})

test('hooks: a rate limit that is used up is waited for', async (t) => {
  const fake = await startFakeGithub()
  t.after(() => fake.close())
  const [target] = await (await hooksOf(base(fake.url), secrets))!.targets(signal)
  const reset = Math.floor(Date.now() / 1000) + 60
  const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) }
  fake.faults.push({ status: 403, body: { message: 'API rate limit exceeded' }, headers })
  await assert.rejects(target!.list(signal), ({ message, details }: { message: string; details: any }) => {
    assert.match(message, /answered 403: API rate limit exceeded/)
    return details.retryAfterMs > 50_000 && details.retryAfterMs <= 60_000
  })
})

test('recovery: deliveries that nobody took are asked for again, once each, and not for ever', async (t) => {
  const fake = await startFakeGithub()
  t.after(() => fake.close())
  const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString()
  const attempt = (id: number, guid: string, secondsAgo: number, status_code: number) => ({
    id,
    guid,
    delivered_at: at(secondsAgo),
    redelivery: false,
    status_code,
  })
  fake.attempts.push(
    attempt(1, 'under-way', 2, 0),
    attempt(2, 'taken', 60, 200),
    attempt(3, 'twice', 70, 503),
    attempt(4, 'later-taken', 80, 200),
    attempt(5, 'later-taken', 90, 502),
    attempt(6, 'twice', 100, 0),
    attempt(7, 'refused', 110, 401),
    attempt(8, 'once', 120, 0),
    attempt(9, 'old', 7_200, 0),
  )
  const asked: number[] = []
  fake.onRedelivery = ({ id }) => asked.push(id)
  const [target] = await (await hooksOf(base(fake.url), secrets))!.targets(signal)
  const { hook } = await target!.create(signal)
  assert.equal(await target!.recover!(hook, signal), 2)
  assert.deepEqual(asked, [8, 3])
  const often = Array.from({ length: 20 }, (_, i) => attempt(i, 'hopeless', 60 + i, 500))
  assert.deepEqual(undelivered(often, systemClock.now()), [])
})

// ---- validation

const findings = (spec: unknown): Finding[] => github.validate!(github.spec.parse(spec))

test('validate: what upstream refuses, in its order and words', () => {
  const repositories = [{ owner: 'o', names: ['r'] }]
  const webhook = { endpoint: '/x', port: '12000', url: 'http://x' }
  const cases: [spec: object, message: string][] = [
    [{}, 'either repositories or organizations is required'],
    [{ owner: 'o' }, 'either repositories or organizations is required'],
    [{ repositories, organizations: ['o'] }, 'only one of repositories and organizations is allowed'],
    [{ repositories, webhook, ...credentials }, 'events must be defined to create a github webhook'],
    [{ repositories, webhook, contentType: 'xml' }, 'content type must be "json" or "form"'],
    [{ repositories, webhook, githubBaseURL: 'b' }, 'githubUploadURL is required when githubBaseURL is set'],
    [{ repositories, webhook, githubUploadURL: 'b' }, 'githubBaseURL is required when githubUploadURL is set'],
    [{ repositories }, ''],
    [{ repositories, webhook: { port: '1' } }, "endpoint can't be empty"],
  ]
  for (const [spec, message] of cases) {
    assert.deepEqual(
      findings(spec).map(({ severity, message }) => [severity, message]),
      [['error', message]],
      JSON.stringify(spec),
    )
  }
})

test('validate: an open entry and inactive hooks are pointed out, and do not stop anything', () => {
  const open = findings({ organizations: [], webhook: { endpoint: '/x', port: '12000' } })
  assert.deepEqual(
    open.map(({ severity, fatal }) => [severity, fatal]),
    [['advice', undefined]],
  )
  assert.deepEqual(
    findings(base('', { githubUploadURL: '', active: false })).map(({ message }) => message),
    ['the hooks are created inactive: GitHub sends nothing to them'],
  )
  assert.deepEqual(findings(base('', { githubUploadURL: '' })), [])
})
