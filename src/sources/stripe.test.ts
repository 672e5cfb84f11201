import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { mutations } from '../../test/fuzz.ts'
import { serveInHarness } from '../../test/harness.ts'
import { until } from '../../test/http-routes.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { type FakeStripe, startFakeStripe, stripeSignature } from '../../test/servers/fakes/stripe.ts'
import { memoryBusWorld } from '../bus/memory.ts'
import { systemClock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { withoutCredentials } from '../core/url-credentials.ts'
import { createHookSecrets } from '../runtime/registrar/records.ts'
import { runRegistrar } from '../runtime/registrar/registrar.ts'
import { checkStripeSignature } from '../source/signature.ts'
import { webhookEndpoints } from './stripe/endpoints.ts'
import { stripeEvents } from './stripe/event.ts'
import stripe from './stripe.ts'

const SECRET = 'whsec_test'
const event = {
  id: 'evt_1',
  object: 'event',
  api_version: '2020-03-02',
  created: 1700000000,
  data: { object: { id: 'ch_1', amount: 100 } },
  livemode: false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type: 'charge.succeeded',
}
const text = (more: object = {}) => JSON.stringify({ ...event, ...more })

const serve = async (t: TestContext, more: object = {}, options: object = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(
    stripe,
    (port) => ({
      webhook: { endpoint: '/e', port: String(port), url: 'https://us' },
      signingSecret: { name: 's', key: 'secret' },
      ...more,
    }),
    { secrets: { 's/secret': SECRET, 's/key': 'rk_good' }, ...options },
  )
  t.after(() => served.close())
  return served
}
const post = (served: ServedSource, body: string | Buffer, signature = stripeSignature(body, SECRET)) =>
  served.send('POST /e', { 'Content-Type': 'application/json', 'Stripe-Signature': signature }, body)

suite('payload', () => {
  test('stripe-go’s struct, byte for byte', async (t) => {
    const served = await serve(t, { metadata: { m: '1' } })
    const reply = await post(served, text())
    assert.deepEqual([reply.status, reply.body], [200, 'success'])
    assert.deepEqual(served.events(), [
      '{"event":{"account":"","created":1700000000,"data":{"previous_attributes":null,"object":{"id":"ch_1","amount":100}},"id":"evt_1","livemode":false,"pending_webhooks":1,"request":{"id":"","idempotency_key":""},"type":"charge.succeeded"},"metadata":{"m":"1"}}',
    ])
  })

  test('the object stays as it is; what changed is decoded; requests of all API versions', () => {
    const eventOf = stripeEvents()
    const made = (more: string) => eventOf(Buffer.from(`{${more},"id":"e","type":"t"}`)).data
    assert.equal(
      made(
        '"data":{"object":{"b":1.0,"a":12345678901234567890,"a":"<"},"previous_attributes":{"z":1.0,"a":null}},"request":null',
      ),
      '{"event":{"account":"","created":0,"data":{"previous_attributes":{"a":null,"z":1},"object":{"b":1.0,"a":12345678901234567890,"a":"\\u003c"}},"id":"e","livemode":false,"pending_webhooks":0,"request":null,"type":"t"}}',
    )
    assert.match(made('"request":"req_1"'), /"request":\{"id":"req_1","idempotency_key":""\}/)
    assert.match(made('"account":"acct_1"'), /^\{"event":\{"account":"acct_1","created":0,"data":null,/)
  })

  test('a thin event is taken as it was sent; one of another context is another', async (t) => {
    const served = await serve(t, { metadata: { m: '1' } })
    const thin = {
      id: 'evt_test_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0',
      object: 'v2.core.event',
      type: 'v1.billing.meter.error_report_triggered',
      livemode: false,
      created: '2024-09-17T06:20:52.246Z',
      context: 'acct_1',
      related_object: { id: 'mtr_1', type: 'billing.meter', url: '/v1/billing/meters/mtr_1' },
    }
    const sent = async (more: object) =>
      (await post(served, JSON.stringify({ ...thin, ...more }))).headers['x-event-id']
    const first = await sent({})
    assert.deepEqual(served.events(), [`{"event":${JSON.stringify(thin)},"metadata":{"m":"1"}}`])
    assert.equal(await sent({}), first)
    assert.notEqual(await sent({ context: 'acct_2' }), first)
    assert.notEqual(await sent({ id: 'evt_2' }), first)
  })

  test('an id of Stripe’s is one event, however often it is sent', async (t) => {
    const served = await serve(t)
    const id = async (more: object) => (await post(served, text(more))).headers['x-event-id']
    const first = await id({})
    assert.equal(await id({ pending_webhooks: 0 }), first)
    assert.notEqual(await id({ id: 'evt_2' }), first)
    const open = await serve(t, { signingSecret: undefined })
    const openId = async (more: object) => (await post(open, text(more), '')).headers['x-event-id']
    assert.equal(await openId({}), await openId({ pending_webhooks: 0 }))
    assert.notEqual(
      await openId({}),
      await openId({ type: 'charge.failed' }),
      'without a signature an id proves nothing',
    )
  })
})

suite('requests', () => {
  test('signatures: good, rolled, stale, future, truncated, in another case, of another scheme', async (t) => {
    const served = await serve(t)
    const body = text({ data: { object: { name: 'ünï 日本' } } })
    const now = Math.floor(Date.now() / 1000)
    const right = stripeSignature(body, SECRET)
    const v1 = right.split('v1=')[1]!
    const good = [
      right,
      stripeSignature(body, SECRET, now - 290),
      stripeSignature(body, SECRET, now + 290),
      `t=${right.slice(2, 12)},v1=${'0'.repeat(64)},v1=${v1}`,
      `t=${right.slice(2, 12)}, v0=x, v1=${v1.toUpperCase()}`,
    ]
    for (const signature of good) assert.equal((await post(served, body, signature)).status, 200, signature)
    const bad = [
      '',
      'x',
      `t=${now}`,
      `v1=${v1}`,
      right.replace('v1=', 'v0='),
      right.replace('v1=', 'V1='),
      right.slice(0, -2),
      right.slice(0, -1),
      right.replace(/t=\d+/, `t=${now - 1}`),
      right.replace(/t=\d+/, 't=abc'),
      right.replace(/t=\d+/, 't='),
      stripeSignature(body, SECRET, now - 310),
      stripeSignature(body, SECRET, now + 310),
      stripeSignature(body, 'whsec_other'),
      stripeSignature(body, ''),
      stripeSignature(`${body} `, SECRET),
    ]
    for (const signature of bad) {
      const reply = await post(served, body, signature)
      assert.deepEqual([reply.status, reply.body], [401, 'signature check failed'], signature)
    }
    assert.equal(served.events().length, good.length)
  })

  test('the body in chunks is the same body', async (t) => {
    const served = await serve(t)
    const body = text()
    const reply = await fetch(`http://127.0.0.1:${served.port}/e`, {
      method: 'POST',
      headers: { 'Stripe-Signature': stripeSignature(body, SECRET), Connection: 'close' },
      body: ReadableStream.from([body.slice(0, 7), body.slice(7)].map((part) => Buffer.from(part))),
      duplex: 'half',
    } as RequestInit)
    assert.equal(reply.status, 200)
  })

  test('types that are not wanted are taken and dropped; * is all', async (t) => {
    const served = await serve(t, { eventFilter: ['charge.failed'] })
    const reply = await post(served, text())
    assert.deepEqual([reply.status, reply.body], [200, 'success'])
    assert.deepEqual(served.events(), [])
    await post(served, text({ type: 'charge.failed' }))
    assert.equal(served.events().length, 1)
    const all = await serve(t, { eventFilter: ['*'] })
    await post(all, text())
    assert.equal(all.events().length, 1)
  })

  test('what is no event', async (t) => {
    const served = await serve(t)
    for (const body of ['', 'null', '[]', '"x"', '{', text({ data: {} }), text({ data: [] }), text({ created: '1' })]) {
      const reply = await post(served, body)
      assert.deepEqual([reply.status, reply.body], [400, 'failed to parse the event'], body)
    }
    assert.equal((await served.send('GET /e')).status, 405)
    served.harness.failWith = fail('BUS_UNAVAILABLE', 'away')
    assert.equal((await post(served, text())).status, 503)
    assert.deepEqual(served.events(), [])
  })

  test('the secret of the endpoint that was made; none yet: come back later', async (t) => {
    const managed = { createWebhook: true, apiKey: { name: 's', key: 'key' }, signingSecret: undefined }
    const early = await serve(t, managed)
    const reply = await post(early, text())
    assert.deepEqual([reply.status, reply.headers['retry-after']], [503, '10'])
    const served = await serve(t, managed, { hookSecrets: { account: 'whsec_made' } })
    assert.equal((await post(served, text(), stripeSignature(text(), 'whsec_made'))).status, 200)
    assert.equal((await post(served, text())).status, 401)
    const both = await serve(
      t,
      { ...managed, signingSecret: { name: 's', key: 'secret' } },
      { hookSecrets: { account: 'whsec_made' } },
    )
    assert.equal((await post(both, text())).status, 200)
    assert.equal((await post(both, text(), stripeSignature(text(), 'whsec_made'))).status, 200)
  })

  test('whatever is posted, nothing unexpected is thrown, and nothing unsigned is let in', () => {
    const eventOf = stripeEvents({ a: 'b' })
    const at = 1_700_000_000
    const body = text({ data: { object: { a: [1.5, 'é'] }, previous_attributes: { b: null } } })
    for (const input of mutations([body, text({ request: 'req_1' })], { seed: 21 })) {
      try {
        stripe.event.parse(JSON.parse(eventOf(input).data))
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'EVENT_INVALID', `${input}\n${(error as Error).stack}`)
      }
    }
    for (const input of mutations([`${stripeSignature(body, SECRET, at)}\n${body}`], { seed: 22 })) {
      const [signature = '', ...rest] = input.toString('latin1').split('\n')
      const changed = Buffer.from(rest.join('\n'), 'latin1')
      if (checkStripeSignature({ body: changed, header: () => signature }, [SECRET], at * 1000) === null) {
        assert.equal(changed.toString(), body)
        assert.ok(signature.includes(`t=${at}`), signature)
      }
    }
  })
})

suite('endpoints', () => {
  const start = async (t: TestContext): Promise<FakeStripe> => {
    const fake = await startFakeStripe()
    t.after(() => fake.close().catch(() => {}))
    return fake
  }
  const managed = (more: object = {}) => ({
    webhook: { endpoint: '/e', port: '1', url: 'https://us/' },
    createWebhook: true,
    apiKey: { name: 's', key: 'key' },
    ...more,
  })
  const contextOf = (t: TestContext, more: object = {}, key = 'rk_good') => {
    const harness = serveInHarness(stripe, managed(more), { secrets: { 's/key': key }, http: async () => {} })
    t.after(() => harness.stop())
    return harness.context
  }
  const targetOf = async (t: TestContext, fake: FakeStripe, more: object = {}, key?: string) => {
    const registration = await webhookEndpoints(contextOf(t, more, key), new URL(fake.url))
    const [target] = await registration!.targets(AbortSignal.timeout(10_000))
    return target!
  }
  const signal = () => AbortSignal.timeout(10_000)

  test('listed over all pages, made with its secret, changed, enabled again, deleted', async (t) => {
    const fake = await start(t)
    for (let i = 0; i < 230; i++) fake.add(`https://other/${i}`)
    const target = await targetOf(t, fake)
    assert.equal((await target.list(signal())).length, 230)
    const { hook, secret } = await target.create(signal())
    assert.equal(secret, `whsec_${hook.id}`)
    assert.deepEqual([fake.endpoints[0]!.url, fake.endpoints[0]!.enabled_events], ['https://us/e', ['*']])
    assert.equal(fake.endpoints[0]!.description, 'default/es/e')
    const ours = async () => (await target.list(signal())).find((one) => target.isOurs(one))!
    assert.ok(target.isCurrent(await ours()))
    fake.endpoints[0]!.status = 'disabled'
    assert.ok(!target.isCurrent(await ours()))
    await target.update!(hook, signal())
    assert.ok(target.isCurrent(await ours()))
    const narrower = await targetOf(t, fake, { eventFilter: ['charge.failed'] })
    assert.ok(!narrower.isCurrent(await ours()))
    await narrower.update!(hook, signal())
    assert.deepEqual(fake.endpoints[0]!.enabled_events, ['charge.failed'])
    await target.delete(hook, signal())
    await target.delete(hook, signal())
    assert.equal(fake.endpoints.length, 230)
  })

  test('what Stripe answers is said without the key; the signal cuts', async (t) => {
    const fake = await start(t)
    const refused = await (await targetOf(t, fake, {}, 'rk_wrong_secret')).list(signal()).catch((error) => error)
    assert.equal(refused.code, 'ORIGIN_UNAVAILABLE')
    assert.match(refused.message, /answered 401: Invalid API Key provided: …/)
    const target = await targetOf(t, fake)
    fake.faults.push({ status: 429, headers: { 'retry-after': '77' }, body: { error: { message: 'slow down' } } })
    assert.equal((await target.list(signal()).catch((error) => error)).details.retryAfterMs, 77_000)
    fake.delayMs = 10_000
    const stop = new AbortController()
    const slow = target.list(stop.signal).then(
      () => 'it answered',
      () => 'cut',
    )
    setTimeout(() => stop.abort(), 50)
    assert.equal(await slow, 'cut')
    fake.delayMs = 0
    await fake.close()
    assert.match((await target.list(signal()).catch((error) => error)).message, /does not answer/)
  })

  test('none without a URL, or when none is wanted', async (t) => {
    assert.equal(await stripe.hooks!(contextOf(t, { webhook: { endpoint: '/e', port: '1' } })), null)
    assert.equal(await stripe.hooks!(contextOf(t, { createWebhook: false })), null)
  })

  test('three replicas make one endpoint; its secret is kept on the bus; one with an unknown secret is replaced', async (t) => {
    const fake = await start(t)
    fake.add('https://us/e')
    const { kv } = memoryBusWorld().connect('host')
    const source = { namespace: 'default', name: 'es' }
    const context = contextOf(t)
    for (const index of [0, 1, 2]) {
      const stop = new AbortController()
      const done = runRegistrar(
        {
          source,
          entry: 'e',
          holder: `es-${index}`,
          registration: () => webhookEndpoints(context, new URL(fake.url)),
          kv,
          clock: systemClock,
          log: silentLogger,
          redact: withoutCredentials,
          condition: () => {},
        },
        stop.signal,
      )
      t.after(async () => {
        stop.abort()
        await done
      })
    }
    const hookSecret = createHookSecrets({ source, entry: 'e', kv, clock: systemClock, hide() {} })
    await until(async () => (await hookSecret('account')) !== null && fake.endpoints.length === 1, 'one endpoint')
    const secret = fake.secrets.get(fake.endpoints[0]!.id)!
    assert.equal(await hookSecret('account'), secret)
    assert.equal(fake.count('POST', /webhook_endpoints$/), 1)
  })
})

test('validation: the words of upstream, and what cannot work', () => {
  const webhook = { endpoint: '/e', port: '1', url: 'https://us' }
  const found = (spec: object) =>
    stripe.validate!(stripe.spec.parse(spec)).map(({ severity, path, message, fatal }) =>
      severity === 'error' ? message : `${severity} ${path.join('.')}${fatal ? ' fatal' : ''}`,
    )
  assert.deepEqual(found({ createWebhook: true }), ['api key K8s secret selector not provided'])
  assert.deepEqual(found({}), [''])
  assert.deepEqual(found({ webhook }), ['advice '])
  assert.deepEqual(found({ webhook, signingSecret: { name: 's', key: 'k' } }), [])
  const managed = { createWebhook: true, apiKey: { name: 's', key: 'k' } }
  assert.deepEqual(found({ webhook, ...managed }), [])
  assert.deepEqual(found({ webhook: { ...webhook, url: '' }, ...managed }), ['warning webhook.url fatal'])
})
