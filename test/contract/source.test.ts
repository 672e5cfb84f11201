import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { withoutCredentials } from '../../src/core/url-credentials.ts'
import { createListeners } from '../../src/runtime/http/listeners.ts'
import bitbucket from '../../src/sources/bitbucket.ts'
import bitbucketserver from '../../src/sources/bitbucketserver.ts'
import calendar from '../../src/sources/calendar.ts'
import file from '../../src/sources/file.ts'
import github from '../../src/sources/github.ts'
import gitlab from '../../src/sources/gitlab.ts'
import slack from '../../src/sources/slack.ts'
import sns from '../../src/sources/sns.ts'
import storageGrid from '../../src/sources/storageGrid.ts'
import stripe from '../../src/sources/stripe.ts'
import webhook from '../../src/sources/webhook.ts'
import { fakeClock } from '../fake-clock.ts'
import { stripeSignature } from '../servers/fakes/stripe.ts'
import { freePorts } from '../servers/process.ts'
import { type Origin, sourceContract } from './source.ts'

sourceContract(calendar, async () => {
  const clock = fakeClock(Date.parse('2026-11-22T15:18:14Z'))
  return {
    spec: { interval: '10s' },
    options: () => ({ clock }),
    ready: () => clock.advance(0),
    provoke: () => clock.advance(10_000),
  }
})

sourceContract(file, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vedette-contract-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  let files = 0
  return {
    spec: { eventType: 'CREATE', watchPathConfig: { directory, pathRegexp: '.*' } },
    // Its first look is durable before it reports anything.
    ready: (harness) =>
      harness.until(
        () => harness.snapshot !== null || harness.advanced.length > 0 || harness.context.resume() !== null,
      ),
    provoke: async () => writeFileSync(join(directory, `f${files++}`), ''),
  }
})

/**
 * An origin that posts to the source's endpoint.
 * @param delivery headers of the n-th request. @param bodyOf its body, `{"a":1}` by default
 */
function httpOrigin(
  specOf: (port: number) => unknown,
  delivery: (n: number) => Record<string, string>,
  { bodyOf = () => '{"a":1}', secrets = {} }: { bodyOf?: (n: number) => string; secrets?: Record<string, string> } = {},
) {
  return async (t: TestContext): Promise<Origin> => {
    const [port] = (await freePorts(1)) as [number]
    const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger })
    t.after(() => listeners.close())
    let requests = 0
    const post = () => {
      const n = requests++
      return fetch(`http://127.0.0.1:${port}/e`, {
        method: 'POST',
        body: bodyOf(n),
        headers: { 'content-type': 'application/json', connection: 'close', ...delivery(n) },
      })
    }
    return {
      spec: specOf(port),
      options: (harness) => ({
        secrets,
        http: (route, signal) =>
          listeners.route('default/es/e', route, {
            signal,
            secret: (selector) => harness().context.secret(selector),
            log: silentLogger,
            redact: withoutCredentials,
          }),
      }),
      async ready(harness) {
        await harness.until(() => harness.routes.length > 0)
        while (!listeners.ready()) await pause(5)
      },
      provoke: post,
    }
  }
}

const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST' })
const selector = { name: 's', key: 'k' }

sourceContract(
  webhook,
  httpOrigin(context, (n) => ({ 'idempotency-key': String(n) })),
)
sourceContract(
  github,
  httpOrigin(
    (port) => ({ webhook: context(port), organizations: ['acme'] }),
    (n) => ({ 'x-github-event': 'push', 'x-github-delivery': String(n) }),
  ),
)
sourceContract(
  gitlab,
  httpOrigin(
    (port) => ({ webhook: context(port), events: [], gitlabBaseURL: 'http://h', accessToken: selector }),
    (n) => ({ 'x-gitlab-event': 'Push Hook', 'idempotency-key': String(n) }),
  ),
)
sourceContract(
  bitbucket,
  httpOrigin(
    (port) => ({ webhook: context(port), repositories: [{ owner: 'acme', repositorySlug: 'shop' }], auth: {} }),
    (n) => ({ 'x-event-key': 'repo:push', 'x-request-uuid': String(n) }),
  ),
)
sourceContract(
  bitbucketserver,
  httpOrigin(
    (port) => ({ webhook: context(port), bitbucketserverBaseURL: 'http://h/rest' }),
    (n) => ({ 'x-event-key': 'pr:opened', 'x-request-id': String(n) }),
  ),
)

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:orders'
sourceContract(
  sns,
  httpOrigin(
    (port) => ({ webhook: context(port), topicArn: TOPIC, region: 'us-east-1' }),
    () => ({}),
    { bodyOf: (n) => JSON.stringify({ Type: 'Notification', MessageId: String(n), TopicArn: TOPIC, Message: 'm' }) },
  ),
)
sourceContract(
  storageGrid,
  httpOrigin(
    (port) => ({
      webhook: context(port),
      topicArn: 'urn',
      apiURL: 'http://h',
      authToken: selector,
      bucket: 'b',
      events: ['ObjectCreated:*'],
    }),
    () => ({ 'content-type': 'application/x-www-form-urlencoded' }),
    {
      bodyOf: (n) =>
        new URLSearchParams({
          Message: JSON.stringify({ Records: [{ s3: { object: { sequencer: String(n) } } }] }),
        }).toString(),
    },
  ),
)
const slackEvent = (n: number) =>
  JSON.stringify({ type: 'event_callback', token: 't', event_id: `Ev${n}`, event: { type: 'app_mention' } })
sourceContract(
  slack,
  httpOrigin(
    (port) => ({ webhook: context(port), token: { name: 's', key: 't' }, signingSecret: selector }),
    (n) => {
      const at = String(Math.floor(Date.now() / 1000))
      const signature = createHmac('sha256', 'k')
        .update(`v0:${at}:${slackEvent(n)}`)
        .digest('hex')
      return { 'x-slack-request-timestamp': at, 'x-slack-signature': `v0=${signature}` }
    },
    { bodyOf: slackEvent, secrets: { 's/t': 't', 's/k': 'k' } },
  ),
)
const stripeEvent = (n: number) => JSON.stringify({ id: `evt_${n}`, type: 'charge.succeeded', data: { object: {} } })
sourceContract(
  stripe,
  httpOrigin(
    (port) => ({ webhook: context(port), signingSecret: selector }),
    (n) => ({ 'stripe-signature': stripeSignature(stripeEvent(n), 'whsec') }),
    { bodyOf: stripeEvent, secrets: { 's/k': 'whsec' } },
  ),
)
