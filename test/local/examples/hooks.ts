/** What posts to the examples: providers, of which those that keep hooks are doubles, and any other sender. */
import assert from 'node:assert/strict'
import { pathToFileURL } from 'node:url'
import { Agent, request } from 'undici'
import { makeCertificate } from '../../certificate.ts'
import { startFakeBitbucket } from '../../servers/fakes/bitbucket.ts'
import { startFakeBitbucketServer } from '../../servers/fakes/bitbucketserver.ts'
import { type Delivery, deliveries } from '../../servers/fakes/deliveries.ts'
import { startFakeGithub } from '../../servers/fakes/github.ts'
import { startFakeGitlab } from '../../servers/fakes/gitlab.ts'
import { startFakeStorageGrid } from '../../servers/fakes/storage-grid.ts'
import { startFakeStripe } from '../../servers/fakes/stripe.ts'
import { freePorts } from '../../servers/process.ts'
import { type Example, origin, type Sent } from './example.ts'

/** The certificates of these examples are nobody's. */
const trusting = new Agent({ connect: { rejectUnauthorized: false } })

async function statusOf(url: string, { headers, body }: Delivery): Promise<number> {
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    dispatcher: trusting,
  })
  await answer.body.dump()
  return answer.statusCode
}

/** Posts what is not proven. Before its secrets are read nobody is turned away for good. */
export async function refused(url: string, delivery: Delivery): Promise<void> {
  const status = await statusOf(url, delivery)
  assert.ok([400, 401, 503].includes(status), `${url} answers ${status} to what is not proven`)
}

/** Posts a delivery, after one that is not proven, when there are such. */
async function post(url: string, delivery: Delivery, unproven?: Delivery): Promise<void> {
  if (unproven !== undefined) await refused(url, unproven)
  assert.equal(await statusOf(url, delivery), 200, url)
}

const key = (n: number) => `k${n}`
const at = (port: number, path: string) => `http://127.0.0.1:${port}${path}`

/** Any sender of JSON. */
export const webhook = (url: string, headers: Record<string, string> = {}, unproven?: Record<string, string>): Sent => {
  const body = (n: number) => JSON.stringify({ n, total: 101 })
  return {
    send: (n) =>
      post(
        url,
        { headers: { 'idempotency-key': key(n), ...headers }, body: body(n) },
        unproven && { headers: unproven, body: body(n) },
      ),
    data: (n) => ({ body: { n } }),
  }
}

const webhooks = origin({
  files: ['webhook', 'webhook-open', 'webhook-signed', 'upstream/webhook'],
  skip: false,
  async start() {
    const [guarded, open, signed, upstream] = (await freePorts(4)) as [number, number, number, number]
    const signature = (n: number, secret: string) => deliveries.webhook(key(n), secret)
    return {
      examples: {
        webhook: {
          put: { 'webhook.created.port': String(guarded) },
          entries: {
            created: webhook(
              at(guarded, '/orders/created'),
              { authorization: 'Bearer change-me' },
              { authorization: 'Bearer other' },
            ),
          },
        },
        'webhook-open': {
          put: { 'webhook.any.port': String(open), 'webhook.large.port': String(open) },
          entries: { any: webhook(at(open, '/any')), large: webhook(at(open, '/tenants/t1/orders')) },
        },
        'webhook-signed': {
          put: { 'webhook.received.port': String(signed) },
          entries: {
            received: {
              send: (n) =>
                post(
                  at(signed, '/payments'),
                  signature(n, 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='),
                  signature(n, 'whsec_b3RoZXI='),
                ),
              data: (n) => ({ body: { key: key(n) } }),
            },
          },
        },
        'upstream/webhook': {
          put: { 'webhook.example.port': String(upstream) },
          entries: { example: webhook(at(upstream, '/example')) },
        },
      },
    }
  },
})

type Hub = 'github' | 'gitlab' | 'bitbucket' | 'bitbucketserver'

/** Proven by a secret, when there is one, and only once the hooks are there. */
const hub = (
  type: Hub,
  url: string,
  { secret, hooks = () => true }: { secret?: string; hooks?: () => boolean } = {},
): Sent => ({
  async send(n) {
    assert.ok(hooks(), `${type}: hooks are missing`)
    const unproven = secret === undefined ? undefined : deliveries[type](key(n), 'other')
    await post(url, deliveries[type](key(n), secret), unproven)
  },
  data: (n) => ({ body: type === 'bitbucketserver' ? { changes: [{ toHash: key(n) }] } : { key: key(n) } }),
})

const repositories = origin({
  files: [
    ...(['github', 'gitlab', 'bitbucket', 'bitbucketserver'] as const),
    ...(['upstream/github', 'upstream/gitlab', 'upstream/bitbucket', 'upstream/bitbucketserver'] as const),
  ],
  skip: false,
  async start() {
    const [github, gitlab, bitbucket, server] = await Promise.all([
      startFakeGithub(),
      startFakeGitlab(),
      startFakeBitbucket(),
      startFakeBitbucketServer(),
    ])
    const ports = await freePorts(9)
    /** A port for an example; each entry of it gets it. */
    const on = (type: Hub, ...entries: string[]) => {
      const port = ports.pop()!
      return { port, put: Object.fromEntries(entries.map((entry) => [`${type}.${entry}.webhook.port`, String(port)])) }
    }
    const ours = (type: Hub, entry: string): Example => {
      const { port, put } = on(type, entry)
      return { put, entries: { [entry]: hub(type, at(port, `/${type}`), { secret: 'change-me' }) } }
    }
    const there = (hooks: Map<string, unknown[]>, ...places: string[]) =>
      places.every((place) => hooks.get(place)?.length === 1)

    const managed = on('github', 'example')
    const unmanaged = on('github', 'example-without-api-credentials')
    const projects = on('gitlab', 'example', 'group-example')
    const cloud = on('bitbucket', 'example')
    const datacenter = on('bitbucketserver', 'example')
    return {
      examples: {
        github: ours('github', 'shop'),
        gitlab: ours('gitlab', 'shop'),
        bitbucket: ours('bitbucket', 'shop'),
        bitbucketserver: ours('bitbucketserver', 'pushes'),
        'upstream/github': {
          put: {
            ...managed.put,
            ...unmanaged.put,
            'github.example.githubBaseURL': github.url,
            'github.example.githubUploadURL': github.url,
          },
          secrets: { 'github-access': { token: 'good', secret: 'hunter2' } },
          entries: {
            example: hub('github', at(managed.port, '/push'), {
              hooks: () => there(github.hooks, 'repos/argoproj/argo-events', 'repos/argoproj/argo-workflows'),
            }),
            'example-without-api-credentials': hub('github', at(unmanaged.port, '/push'), { secret: 'hunter2' }),
          },
        },
        'upstream/gitlab': {
          put: {
            ...projects.put,
            'gitlab.example.gitlabBaseURL': gitlab.url,
            'gitlab.group-example.gitlabBaseURL': gitlab.url,
          },
          secrets: { 'gitlab-access': { token: 'good' }, 'gitlab-secret': { token: 'hunter2' } },
          entries: {
            example: hub('gitlab', at(projects.port, '/push'), {
              secret: 'hunter2',
              hooks: () => there(gitlab.hooks, 'projects/whynowy/test', 'projects/3'),
            }),
            'group-example': hub('gitlab', at(projects.port, '/group'), {
              secret: 'hunter2',
              hooks: () => there(gitlab.hooks, 'groups/my-group'),
            }),
          },
        },
        'upstream/bitbucket': {
          put: { ...cloud.put, 'bitbucket.example.bitbucketBaseURL': bitbucket.url },
          secrets: { 'bitbucket-access': { username: 'user', password: 'good' } },
          entries: {
            example: hub('bitbucket', at(cloud.port, '/push'), {
              hooks: () =>
                there(bitbucket.hooks, 'name-of-owner/name-of-repository1', 'name-of-owner/name-of-repository2'),
            }),
          },
        },
        'upstream/bitbucketserver': {
          put: { ...datacenter.put, 'bitbucketserver.example.bitbucketserverBaseURL': `${server.url}/rest` },
          secrets: { 'bitbucketserver-access': { token: 'good', secret: 'hunter2' } },
          entries: {
            example: hub('bitbucketserver', at(datacenter.port, '/push'), {
              secret: 'hunter2',
              hooks: () => there(server.hooks, 'PROJECTKEY1/name-of-repository1', 'PROJECTKEY2/name-of-repository2'),
            }),
          },
        },
      },
      close: () => Promise.all([github, gitlab, bitbucket, server].map((one) => one.close())),
    }
  },
})

const slack = origin({
  files: ['slack', 'upstream/slack'],
  skip: false,
  async start() {
    const [port, insecure, secure] = (await freePorts(3)) as [number, number, number]
    const { cert, key: certKey } = makeCertificate()
    const mention = (url: string, secret: string, token: string): Sent => ({
      send: (n) => post(url, deliveries.slack(key(n), secret, token), deliveries.slack(key(n), 'other', token)),
      data: (n) => ({ type: 'app_mention', Data: { text: key(n) } }),
    })
    return {
      examples: {
        slack: {
          put: { 'slack.bot.webhook.port': String(port) },
          entries: { bot: mention(at(port, '/slack'), 'change-me', 'change-me') },
        },
        'upstream/slack': {
          put: {
            'slack.example-insecure.webhook.port': String(insecure),
            'slack.example-secure.webhook.port': String(secure),
          },
          secrets: {
            'slack-secret': { tokenkey: 'good', signingSecret: 'hunter2' },
            'my-secret': { 'cert-key': cert, 'pk-key': certKey },
          },
          entries: {
            'example-insecure': mention(at(insecure, '/'), 'hunter2', 'good'),
            'example-secure': mention(`https://127.0.0.1:${secure}/`, 'hunter2', 'good'),
          },
        },
      },
    }
  },
})

const storageGrid = origin({
  files: ['storage-grid', 'upstream/storage-grid'],
  skip: false,
  async start() {
    const [mine, theirs] = await Promise.all([startFakeStorageGrid(), startFakeStorageGrid()])
    const [port, other] = (await freePorts(2)) as [number, number]
    const uploaded = (grid: typeof mine, url: string, { filtered }: { filtered: boolean }): Sent => ({
      async send(n) {
        assert.ok(grid.notifications.get('uploads'), 'the bucket tells nobody')
        await post(url, deliveries.storageGrid(`${key(n)}.csv`))
        if (filtered) await post(url, deliveries.storageGrid(`${key(n)}.txt`))
      },
      data: (n) => ({ notification: { Message: { Records: [{ s3: { object: { key: `${key(n)}.csv` } } }] } } }),
    })
    const here = (entry: string, grid: typeof mine, on: number) => ({
      [`storageGrid.${entry}.apiURL`]: `${grid.url}/api/v3`,
      [`storageGrid.${entry}.webhook.port`]: String(on),
    })
    return {
      examples: {
        'storage-grid': {
          put: here('uploads', mine, port),
          secrets: { 'storage-grid': { token: 'good' } },
          entries: { uploads: uploaded(mine, at(port, '/uploads'), { filtered: true }) },
        },
        'upstream/storage-grid': {
          // What stands there are descriptions.
          put: {
            ...here('example', theirs, other),
            'storageGrid.example.bucket': 'uploads',
            'storageGrid.example.webhook.url': 'https://events.example.com',
            'storageGrid.example.authToken': { name: 'storage-grid', key: 'token' },
          },
          secrets: { 'storage-grid': { token: 'good' } },
          entries: { example: uploaded(theirs, at(other, '/'), { filtered: false }) },
        },
      },
      close: () => Promise.all([mine.close(), theirs.close()]),
    }
  },
})

const stripe = origin({
  files: ['stripe', 'upstream/stripe'],
  skip: false,
  async start() {
    const fake = await startFakeStripe()
    const [port, other] = (await freePorts(2)) as [number, number]
    /** Signed with the secret of the endpoint that was made. */
    const charged = (hook: string, url: string): Sent => ({
      async send(n) {
        const made = fake.endpoints.filter((one) => one.url === hook)
        assert.equal(made.length, 1, `endpoints for ${hook}`)
        await post(url, deliveries.stripe(key(n), fake.secrets.get(made[0]!.id)!), deliveries.stripe(key(n), 'other'))
      },
      data: (n) => ({ event: { id: key(n), type: 'charge.succeeded' } }),
    })
    return {
      env: {
        // Stripe has one address, which no field names.
        VEDETTE_TEST_STRIPE: fake.url,
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${pathToFileURL(`${import.meta.dirname}/stripe-here.ts`)}`,
      },
      examples: {
        stripe: {
          put: { 'stripe.charges.webhook.port': String(port) },
          secrets: { stripe: { 'api-key': 'rk_good' } },
          entries: { charges: charged('https://events.example.com/stripe', at(port, '/stripe')) },
        },
        'upstream/stripe': {
          put: {
            'stripe.example.webhook.port': String(other),
            'stripe.example.apiKey': { name: 'stripe', key: 'api-key' },
          },
          secrets: { stripe: { 'api-key': 'rk_good' } },
          entries: { example: charged('http://myfakeurl.fake/example', at(other, '/example')) },
        },
      },
      close: () => fake.close(),
    }
  },
})

export const hooks = [webhooks, repositories, slack, storageGrid, stripe]
