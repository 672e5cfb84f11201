/**
 * The types that receive hooks, as `vedette run` runs them with real processes: deliveries signed and repeated as the providers do,
 * while replicas and the bus die; and hooks at (fakes of) the providers, of which there must be exactly one.
 */

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FULL } from '../full.ts'
import { type Delivery, deliveries } from '../servers/fakes/deliveries.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { startFakeGitlab } from '../servers/fakes/gitlab.ts'
import { assertAcknowledgedOnce } from './checks.ts'
import { dataOf, everyoneBack, type Line, type Rig, startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'

const SECRET = 'hunter2'
const KEY = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`
const TOPIC = 'arn:aws:sns:r:1:t'

/** Each type: the fields of its entry beside `webhook`, the secret that its provider knows, and where its payload has the key of a delivery. */
const TYPES: Record<keyof typeof deliveries, { fields: object; secret?: string; keyOf?: (data: any) => string }> = {
  webhook: { fields: { signature: { secret: { name: 's', key: 'signing' } } }, secret: KEY },
  github: {
    fields: { repositories: [{ owner: 'acme', names: ['shop'] }], webhookSecret: { name: 's', key: 'secret' } },
  },
  gitlab: {
    fields: {
      projects: ['acme/shop'],
      events: ['PushEvents'],
      gitlabBaseURL: 'http://127.0.0.1:9',
      accessToken: { name: 's', key: 'secret' },
      secretToken: { name: 's', key: 'secret' },
    },
  },
  bitbucket: {
    fields: {
      repositories: [{ owner: 'acme', repositorySlug: 'shop' }],
      auth: {},
      webhookSecret: { name: 's', key: 'secret' },
    },
  },
  bitbucketserver: {
    fields: {
      bitbucketserverBaseURL: 'http://127.0.0.1:9/rest',
      oneEventPerChange: true,
      webhookSecret: { name: 's', key: 'secret' },
    },
    keyOf: ({ body }) => body.changes[0].toHash,
  },
  sns: { fields: { topicArn: TOPIC, region: 'r' }, secret: TOPIC, keyOf: ({ body }) => body.Message },
  storageGrid: {
    fields: {
      topicArn: 'urn',
      apiURL: 'http://127.0.0.1:9',
      authToken: { name: 's', key: 'token' },
      bucket: 'b',
      events: ['ObjectCreated:*'],
    },
    keyOf: ({ notification }) => notification.Message.Records[0].s3.object.key,
  },
  slack: {
    fields: { token: { name: 's', key: 'token' }, signingSecret: { name: 's', key: 'secret' } },
    keyOf: ({ Data }) => Data.text,
  },
  stripe: { fields: { signingSecret: { name: 's', key: 'secret' } }, keyOf: ({ event }) => event.id },
}
const types = Object.keys(TYPES) as (keyof typeof TYPES)[]
const deliveryOf =
  (type: keyof typeof TYPES) =>
  (key: string): Delivery =>
    deliveries[type](key, TYPES[type].secret ?? SECRET)

const secretDocument = (more: Record<string, string> = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    stringData: { secret: SECRET, signing: KEY, token: 'good', ...more },
  })
/** Documents one after the other; JSON is YAML. */
const documents = (...all: string[]) => all.join('\n---\n')
const eventSource = (name: string, replicas: number, types: Record<string, object>) =>
  JSON.stringify({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata: { name },
    spec: { replicas, ...types },
  })

const allTypes = ([port]: number[]): string =>
  documents(
    secretDocument(),
    eventSource(
      'hooks',
      3,
      Object.fromEntries(
        types.map((type) => {
          const { fields } = TYPES[type]
          const webhook = { port: String(port), endpoint: `/${type}`, method: 'POST' }
          return [type, { [type]: type === 'webhook' ? { ...webhook, ...fields } : { webhook, ...fields } }]
        }),
      ),
    ),
  )

/** A signal for a process that may be gone. */
function signal(pid: number | null, name: NodeJS.Signals): void {
  try {
    if (pid !== null) process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Lines of one entry, with its keys where `assertAcknowledgedOnce` looks for them. */
const linesOf = (lines: Line[], type: keyof typeof TYPES): Line[] =>
  lines
    .filter(({ subject }) => subject === `default.hooks.${type}`)
    .map((line) => {
      const { keyOf } = TYPES[type]
      if (keyOf === undefined) return line
      const data = JSON.stringify({ body: { key: keyOf(dataOf(line)) } })
      return { ...line, event: { ...line.event, data_base64: Buffer.from(data).toString('base64') } }
    })

test('all hook types: replicas killed, the bus away and killed: nothing acknowledged is lost or doubled, no 4xx', async (t) => {
  const full = FULL
  const rig = await startRig(allTypes)
  t.after(() => rig.close(t))
  const crowds = types.map((type) => ({
    type,
    crowd: startCrowd(t, `http://127.0.0.1:${rig.ports[0]}/${type}`, { senders: 20, message: deliveryOf(type) }),
  }))
  for (let kill = 0; kill < (full ? 8 : 3); kill++) {
    await pause(1_200)
    const hosts = await rig.hostPids()
    if (hosts.length >= 2) process.kill(hosts[kill % hosts.length]!, 'SIGKILL')
  }
  // Else a host that is just being started would be taken for the bus.
  await everyoneBack(rig)
  // The supervisor replaces a bus that stands still for long: the next one is frozen as well.
  const outageEndMs = performance.now() + (full ? 20_000 : 4_000)
  while (performance.now() < outageEndMs) {
    signal(await rig.busPid().catch(() => null), 'SIGSTOP')
    await pause(200)
  }
  signal(await rig.busPid().catch(() => null), 'SIGKILL')
  const before = crowds.map(({ crowd }) => crowd.acknowledged.length)
  await waitFor(async () => crowds.every(({ crowd }, i) => crowd.acknowledged.length > before[i]! + 20), 20_000)
  await Promise.all(crowds.map(({ crowd }) => crowd.stop()))
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  for (const { type, crowd } of crowds) {
    const found = assertAcknowledgedOnce(linesOf(lines, type), crowd.acknowledged)
    const statuses = [...crowd.statuses].map(([status, times]) => `${status}: ${times}`).join(', ')
    t.diagnostic(`${type}: ${crowd.acknowledged.length} acknowledged, ${found} on the log; answers: ${statuses}`)
    assert.ok(crowd.acknowledged.length > 20)
    assert.deepEqual(
      [...crowd.statuses.keys()].filter((status) => ![0, 200, 503].includes(status)),
      [],
      type,
    )
  }
})

const managed = (ports: number[], fakeUrl: string, github: object = {}) => ({
  github: {
    managed: {
      webhook: { port: String(ports[0]), endpoint: '/github', method: 'POST', url: 'https://us' },
      repositories: [{ owner: 'acme', names: ['shop', 'docs'] }],
      events: ['push'],
      active: true,
      githubBaseURL: fakeUrl,
      githubUploadURL: fakeUrl,
      apiToken: { name: 's', key: 'token' },
      webhookSecret: { name: 's', key: 'secret' },
      deleteHookOnFinish: true,
      ...github,
    },
  },
})
const errorsOf = async (rig: Rig) =>
  (await rig.status()).eventSources.flatMap(({ entries }) => entries.map(({ error }) => error))

test('five replicas: one hook per repository; rotated, adopted after a restart, removed with the document only', async (t) => {
  const fake = await startFakeGithub()
  t.after(() => fake.close())
  let ports: number[] = []
  const rest = eventSource('other', 1, { calendar: { tick: { interval: '10s' } } })
  const manifest = (secret = SECRET) =>
    documents(secretDocument({ secret }), eventSource('hooks', 5, managed(ports, fake.url)), rest)
  const rig = await startRig((given) => {
    ports = given
    return manifest()
  })
  t.after(() => rig.close(t))
  const shop = () => fake.hooks.get('repos/acme/shop') ?? []
  const docs = () => fake.hooks.get('repos/acme/docs') ?? []
  await waitFor(async () => shop().length > 0 && docs().length > 0, 20_000)
  await pause(2_000)
  assert.deepEqual([shop().length, docs().length, fake.count('POST', /hooks$/)], [1, 1, 2])
  assert.equal(shop()[0]!.config.secret, SECRET)
  const { id } = shop()[0]!

  rig.write(manifest('rotated'))
  await waitFor(async () => shop()[0]?.config.secret === 'rotated' && docs()[0]?.config.secret === 'rotated', 30_000)
  // Both the former and the new secret are right: GitHub may have signed before it was told.
  const deliver = async (secret: string) => {
    const body = JSON.stringify({ secret })
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
    const headers = {
      'content-type': 'application/json',
      'x-hub-signature-256': signature,
      'x-github-delivery': secret,
    }
    return (await fetch(`http://127.0.0.1:${ports[0]}/github`, { method: 'POST', headers, body })).status
  }
  await waitFor(async () => (await deliver('rotated')) === 200, 5_000)
  assert.equal(await deliver('wrong'), 401)

  assert.equal(await rig.stop(), 0)
  assert.deepEqual([shop().map((hook) => hook.id), docs().length], [[id], 1], 'a stop removes nothing')
  // What GitHub could not hand over meanwhile is asked for again.
  const lost = { id: 1, guid: 'lost', redelivery: false, status_code: 502 }
  fake.attempts.push({ ...lost, delivered_at: new Date(Date.now() - 20_000).toISOString() })
  const again: number[] = []
  fake.onRedelivery = async ({ id }) => {
    again.push(await deliver('rotated'))
    fake.attempts.unshift({ ...lost, id: id + 1, delivered_at: new Date().toISOString(), status_code: again.at(-1)! })
  }
  const stored = async () => (await rig.lines()).filter(({ subject }) => subject === 'default.hooks.managed').length
  const before = await stored()
  await rig.restart()
  await waitFor(async () => again.length > 0, 20_000)
  assert.equal(again[0], 200)
  await waitFor(async () => fake.asked.at(-1)?.path.includes('deliveries') === true, 20_000)
  assert.equal(await stored(), before, 'delivered and stored before the stop: the same id, stored once')
  assert.deepEqual(
    shop().map((hook) => hook.id),
    [id],
  )
  assert.deepEqual(await errorsOf(rig), [null, null])

  rig.write(documents(secretDocument(), rest))
  await waitFor(async () => shop().length === 0 && docs().length === 0, 30_000)
})

test('a provider that fails: events are served, status says what is wrong, and it heals', async (t) => {
  const fake = await startFakeGitlab({ token: 'another' })
  t.after(() => fake.close())
  const entry = (ports: number[]) => ({
    webhook: { port: String(ports[0]), endpoint: '/gitlab', method: 'POST', url: 'https://us' },
    projects: ['acme/shop'],
    events: ['PushEvents'],
    gitlabBaseURL: fake.url,
    accessToken: { name: 's', key: 'token' },
    secretToken: { name: 's', key: 'secret' },
  })
  let ports: number[] = []
  const manifest = (token: string) =>
    documents(secretDocument({ token }), eventSource('hooks', 3, { gitlab: { managed: entry(ports) } }))
  const rig = await startRig((given) => {
    ports = given
    return manifest('wrong')
  })
  t.after(() => rig.close(t))
  await waitFor(async () => (await errorsOf(rig))[0]?.includes('answered 401') === true, 20_000)
  assert.ok(!JSON.stringify(await rig.status()).includes('wrong'))
  const { headers, body } = deliveryOf('gitlab')('k')
  const answer = await fetch(`http://127.0.0.1:${ports[0]}/gitlab`, { method: 'POST', headers, body })
  assert.equal(answer.status, 200)
  rig.write(manifest('another'))
  await waitFor(async () => fake.hooks.get('projects/acme/shop')?.length === 1, 30_000)
  await waitFor(async () => (await errorsOf(rig))[0] === null, 30_000)
})

test('a secret that is missing: 503 and a word in status, never 4xx; it comes, and all is well without a restart', async (t) => {
  let port = 0
  const { fields } = TYPES.github
  const manifest = (...secrets: string[]) =>
    documents(
      ...secrets,
      eventSource('hooks', 2, {
        github: { github: { webhook: { port: String(port), endpoint: '/github', method: 'POST' }, ...fields } },
      }),
    )
  const rig = await startRig(([given]) => {
    port = given!
    return manifest()
  })
  t.after(() => rig.close(t))
  const deliver = async () => {
    const { headers, body } = deliveryOf('github')('k')
    return await fetch(`http://127.0.0.1:${port}/github`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
  }
  assert.match(String((await errorsOf(rig))[0]), /told to come back later: Secret s has no key secret/)
  const answer = await deliver()
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '10'])
  rig.write(manifest(secretDocument()))
  await waitFor(async () => (await deliver()).status === 200)
  await waitFor(async () => {
    await deliver()
    return (await errorsOf(rig))[0] === null
  })
})
