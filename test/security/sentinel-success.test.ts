/** Credentials that are marked and right: a run in which every entry is served, every hook made and every event delivered. No sink shows a mark. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect as connectNats } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { without } from '../servers/cache.ts'
import { startFakeBitbucket } from '../servers/fakes/bitbucket.ts'
import { startFakeBitbucketServer } from '../servers/fakes/bitbucketserver.ts'
import { type Delivery, deliveries } from '../servers/fakes/deliveries.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { startFakeGitlab } from '../servers/fakes/gitlab.ts'
import { startFakeStorageGrid } from '../servers/fakes/storage-grid.ts'
import { startFakeStripe } from '../servers/fakes/stripe.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { freePorts } from '../servers/process.ts'
import { redisBinary, startRedis } from '../servers/redis.ts'
import { shownIn } from './sentinels.ts'
import { ground, runSinks, type Sinks, type Status, until } from './sinks.ts'

const LIMIT_MS = 180_000

/** Marks, by what they are the credential of; as values of Secrets too. */
function marking() {
  const marks = new Map<string, string>()
  const files = new Map<string, string>()
  return {
    marks,
    files,
    mark(of: string) {
      const made = `S3ntinel${marks.size.toString(36).padStart(3, '0')}Zq7`
      marks.set(made, of)
      return made
    },
    /** A Secret with this value: what selects it. */
    secret(key: string, value: string) {
      files.set(`marked/${key}`, value)
      return { name: 'marked', key }
    },
  }
}

/** One that a type is told by a sender: what is posted, with the proof and without. */
interface Sender {
  path: string
  proven: () => Delivery
  /** Absent: the type knows no proof. */
  unproven?: () => Delivery
}

const KEY = 'k1'

async function hooks(t: TestContext, { mark, secret }: ReturnType<typeof marking>, port: number) {
  const of = Object.fromEntries(
    ['github', 'gitlab', 'bitbucket', 'bitbucketserver', 'storageGrid', 'stripe', 'slack', 'webhook'].map((type) => [
      type,
      { api: mark(`${type}: what we log in with`), proof: mark(`${type}: what senders prove themselves by`) },
    ]),
  ) as Record<string, { api: string; proof: string }>
  const token = (type: string) => ({ token: of[type]!.api })
  const [github, gitlab, bitbucket, server, grid, stripe] = await Promise.all([
    startFakeGithub(token('github')),
    startFakeGitlab(token('gitlab')),
    startFakeBitbucket(token('bitbucket')),
    startFakeBitbucketServer(token('bitbucketserver')),
    startFakeStorageGrid(token('storageGrid')),
    startFakeStripe({ key: of.stripe!.api }),
  ])
  t.after(() => Promise.all([github, gitlab, bitbucket, server, grid, stripe].map((one) => one.close())))
  const at = (endpoint: string) => ({ endpoint, port: String(port), method: 'POST', url: 'https://hooks.example' })
  const api = (type: string) => secret(`${type}-api`, of[type]!.api)
  const proof = (type: string) => secret(`${type}-proof`, of[type]!.proof)
  const standard = `whsec_${Buffer.from(`${of.webhook!.proof}${of.webhook!.proof}`).toString('base64')}`
  const spec = {
    webhook: {
      token: { ...at('/token'), url: '', authSecret: api('webhook') },
      signed: { ...at('/signed'), url: '', signature: { secret: secret('webhook-standard', standard) } },
    },
    github: {
      hub: {
        repositories: [{ owner: 'acme', names: ['shop'] }],
        events: ['push'],
        ...{ githubBaseURL: github.url, githubUploadURL: github.url },
        ...{ apiToken: api('github'), webhookSecret: proof('github'), webhook: at('/github') },
      },
    },
    gitlab: {
      lab: {
        ...{ projects: ['acme/shop'], events: ['PushEvents'], gitlabBaseURL: gitlab.url },
        ...{ accessToken: api('gitlab'), secretToken: proof('gitlab'), webhook: at('/gitlab') },
      },
    },
    bitbucket: {
      cloud: {
        ...{ repositories: [{ owner: 'acme', repositorySlug: 'shop' }], events: ['repo:push'] },
        ...{ bitbucketBaseURL: bitbucket.url, auth: { oauthToken: api('bitbucket') } },
        ...{ webhookSecret: proof('bitbucket'), webhook: at('/bitbucket') },
      },
    },
    bitbucketserver: {
      center: {
        bitbucketserverBaseURL: `${server.url}/rest`,
        ...{ repositories: [{ projectKey: 'SHOP', repositorySlug: 'orders' }], events: ['repo:refs_changed'] },
        ...{ accessToken: api('bitbucketserver'), webhookSecret: proof('bitbucketserver') },
        webhook: at('/bitbucketserver'),
      },
    },
    slack: { bot: { token: api('slack'), signingSecret: proof('slack'), webhook: { ...at('/slack'), url: '' } } },
    storageGrid: {
      grid: {
        ...{ topicArn: 'urn:sgws:sns:us-east-1:123456789012:uploads', apiURL: `${grid.url}/api/v3`, bucket: 'uploads' },
        ...{ authToken: api('storageGrid'), events: ['ObjectCreated:*'], webhook: at('/grid') },
      },
    },
    stripe: {
      pay: { apiKey: api('stripe'), createWebhook: true, eventFilter: ['charge.succeeded'], webhook: at('/stripe') },
    },
  }
  const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` }, body: '{"a":1}' })
  type Hub = 'github' | 'gitlab' | 'bitbucket' | 'bitbucketserver'
  const hub = (type: Hub): Sender => ({
    path: `/${type}`,
    proven: () => deliveries[type](KEY, of[type]!.proof),
    unproven: () => deliveries[type](KEY, 'other'),
  })
  const senders: Sender[] = [
    { path: '/token', proven: () => bearer(of.webhook!.api), unproven: () => bearer('other') },
    {
      path: '/signed',
      proven: () => deliveries.webhook(KEY, standard),
      unproven: () => deliveries.webhook(KEY, 'whsec_b3RoZXI='),
    },
    ...(['github', 'gitlab', 'bitbucket', 'bitbucketserver'] as const).map(hub),
    {
      path: '/slack',
      proven: () => deliveries.slack(KEY, of.slack!.proof, of.slack!.api),
      unproven: () => deliveries.slack(KEY, 'other', of.slack!.api),
    },
    { path: '/grid', proven: () => deliveries.storageGrid('a.csv') },
    {
      path: '/stripe',
      proven: () => deliveries.stripe(KEY, stripe.secrets.get(stripe.endpoints[0]!.id)!),
      unproven: () => deliveries.stripe(KEY, 'other'),
    },
  ]
  /** All providers have been told. */
  const made = () =>
    [github.hooks, gitlab.hooks, bitbucket.hooks, server.hooks].every((all) => all.size > 0) &&
    grid.notifications.get('uploads') != null &&
    stripe.endpoints.length > 0
  const env = {
    VEDETTE_TEST_STRIPE: stripe.url,
    NODE_OPTIONS: `--import=${new URL('../local/examples/stripe-here.ts', import.meta.url).href}`,
  }
  return { spec, senders, made, env }
}

/** Brokers with a login, and what sends to them. */
async function brokers(t: TestContext, { mark, secret }: ReturnType<typeof marking>) {
  const [user, login, inUrl] = [mark('nats: password'), mark('redis: password'), mark('nats: the login in its URL')]
  const nats = await startNats({
    config: `authorization { users: [{ user: a, password: ${user} }, { user: b, password: ${inUrl} }] }`,
  })
  const redis = await startRedis({ args: ['--requirepass', login] })
  t.after(() => Promise.all([nats.close(), redis.close()]))
  const url = nats.urls[0]!
  const basic = { username: secret('nats-user', 'a'), password: secret('nats-password', user) }
  const sender = await connectNats({ servers: url, user: 'a', pass: user })
  const publisher = new Redis({ port: redis.port, password: login })
  t.after(() => Promise.all([sender.close(), publisher.quit()]))
  return {
    spec: {
      nats: {
        basic: { url, subject: 's', auth: { basic } },
        url: { url: url.replace('://', `://b:${inUrl}@`), subject: 's' },
      },
      redis: {
        pubsub: {
          ...{ hostAddress: `127.0.0.1:${redis.port}`, channels: ['c'], namespace: 'default' },
          password: secret('redis', login),
        },
      },
    },
    async send() {
      sender.publish('s', '{"a":1}')
      await sender.flush()
      await publisher.publish('c', '{"a":1}')
    },
  }
}

/** Takes everything. */
async function receiver(t: TestContext) {
  const seen: string[] = []
  const server = createServer((request, response) => {
    request.resume()
    seen.push(String(request.headers.authorization))
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

test('every credential is right: all is served, hooked up and delivered, and no sink shows a mark', {
  skip: without('nats-server', natsBinary('newest')) || without('redis-server', redisBinary()),
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const marked = marking()
  const [port] = (await freePorts(1)) as [number]
  const { spec, senders, made, env } = await hooks(t, marked, port)
  const other = await brokers(t, marked)
  const to = await receiver(t)
  const [login, token, field] = ['the login', 'a parameter', 'a field'].map((one) => marked.mark(`--deliver: ${one}`))
  const source = (name: string, its: object) => ({
    ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource' },
    ...{ metadata: { name }, spec: { replicas: 2, ...its } },
  })
  const place = ground(t, [source('hooks', spec), source('brokers', other.spec)], marked.files)
  const [address, along] = [join(place.dir, 'to'), join(place.dir, 'along')]
  writeFileSync(address, `http://u:${login}@127.0.0.1:${to.port}/x?token=${token}\n`)
  writeFileSync(along, `X-Key: ${field}\n`)

  const post = async ({ path }: Sender, { headers, body }: Delivery) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: answer.status, text: await answer.text() }
  }
  const drive = async ({ api }: { api: string }): Promise<Sinks> => {
    await until(
      LIMIT_MS,
      () => made() || null,
      () => 'the hooks are made',
    )
    const answers: string[] = []
    for (const sender of senders) {
      const refused = sender.unproven === undefined ? null : await post(sender, sender.unproven())
      assert.ok([undefined, 400, 401].includes(refused?.status), `${sender.path} answers ${refused?.status} unproven`)
      const taken = await post(sender, sender.proven())
      assert.equal(taken.status, 200, `${sender.path}: ${taken.text}`)
      answers.push(String(refused?.text), taken.text)
    }
    const status = async () => (await (await fetch(`http://${api}/v1/status`)).json()) as Whole
    const done = async () => {
      await other.send()
      const { eventSources, deliver } = await status()
      const entries = eventSources.flatMap((one) => one.entries)
      const all = entries.every(({ published, error }) => published > 0 && error === null)
      return all && deliver.delivered >= entries.length ? entries : null
    }
    const entries = await until(LIMIT_MS, done, () => 'every entry has published, and all is delivered')
    t.diagnostic(`${entries.length} entries, ${marked.marks.size} marks, ${to.seen.length} deliveries`)
    return { 'answers to senders': answers.join('\n') }
  }
  const args = ['--deliver-file', address, '--deliver-header-file', along]
  const sinks = await runSinks(t, place, { limitMs: LIMIT_MS, args, env, drive })
  for (const [sink, text] of Object.entries(sinks)) assert.deepEqual(shownIn(text, marked), [], `shown in: ${sink}`)
})

interface Whole {
  eventSources: { entries: (Status['eventSources'][number]['entries'][number] & { published: number })[] }[]
  deliver: { delivered: number }
}
