import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { type Environment, logLevelOf, readEnvironment } from './environment.ts'

interface Golden {
  from: string
  EVENTSOURCE_OBJECT: string
  EVENTBUS_CONFIG: string
  EVENTBUS_SUBJECT: string
  LEADER_ELECTION: string
}

/** What Argo Events' controllers put into Deployments (decoded), observed. */
const golden = JSON.parse(
  readFileSync(new URL('../../test/golden/pod-environments.json', import.meta.url), 'utf8'),
) as Golden[]
const base64 = (text: string) => Buffer.from(text).toString('base64')
const encoded = ({ from: _, ...variables }: Golden, more: Environment = {}): Environment => ({
  ...variables,
  EVENTSOURCE_OBJECT: base64(variables.EVENTSOURCE_OBJECT),
  EVENTBUS_CONFIG: base64(variables.EVENTBUS_CONFIG),
  POD_NAME: 'calendar-eventsource-x7k2p',
  ...more,
})
const [webhook, calendar, kafka, stan] = golden as [Golden, Golden, Golden, Golden]

const object = (value: unknown) => encoded(calendar, { EVENTSOURCE_OBJECT: base64(JSON.stringify(value)) })

async function message(env: Environment): Promise<string> {
  try {
    await readEnvironment(env)
  } catch (error) {
    assert.equal((error as { code: string }).code, 'SPEC_INVALID')
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

suite("the environment of Argo Events' controller", () => {
  test('is accepted as it is: a native JetStream, a webhook, the annotation for a Kubernetes Lease', async () => {
    const { source, bus, byKubernetes, timing, findings, podName } = await readEnvironment(encoded(webhook))
    assert.deepEqual([source.namespace, source.name, source.replicas], ['ns1', 'webhook', 2])
    assert.deepEqual(
      source.entries.map(({ type, name, refused }) => [type, name, refused]),
      [['webhook', 'example', undefined]],
    )
    assert.deepEqual([bus.kind, bus.namespace], ['jetstreamExotic', 'ns1'])
    assert.deepEqual(Object.keys(bus.spec.jetstreamExotic as object), ['url', 'accessSecret', 'streamConfig'])
    assert.deepEqual([byKubernetes, timing, podName], [true, undefined, 'calendar-eventsource-x7k2p'])
    assert.deepEqual(findings, [])
  })

  test('is accepted as it is: a JetStream elsewhere with TLS, a calendar with its empty schedule', async () => {
    const { source, bus, byKubernetes, findings } = await readEnvironment(encoded(calendar))
    assert.equal(source.entries[0]?.refused, undefined)
    assert.deepEqual((bus.spec.jetstreamExotic as { tls: unknown }).tls, {
      caCertSecret: { name: 'my.tls_Secret', key: 'ca.crt' },
      clientCertSecret: { name: 'my.tls_Secret', key: 'tls.crt' },
      clientKeySecret: { name: 'my.tls_Secret', key: 'tls.key' },
    })
    assert.deepEqual([byKubernetes, findings], [false, []])
  })

  test('a Kafka bus is read, NATS Streaming refused with what to use instead', async () => {
    assert.equal((await readEnvironment(encoded(kafka))).bus.kind, 'kafka')
    assert.match(await message(encoded(stan)), /^EVENTBUS_CONFIG .*NATS Streaming.*: use .*jetstream/)
  })
})

suite('a wrong environment is refused by the name of the variable, and never told in full', () => {
  for (const [what, env, pattern] of [
    ['no POD_NAME', encoded(calendar, { POD_NAME: undefined }), /^POD_NAME is not set: /],
    ['no object', encoded(calendar, { EVENTSOURCE_OBJECT: undefined }), /^EVENTSOURCE_OBJECT is not set: /],
    ['no base64', encoded(calendar, { EVENTSOURCE_OBJECT: '{"metadata"' }), /^EVENTSOURCE_OBJECT is no base64: /],
    ['no text', encoded(calendar, { EVENTSOURCE_OBJECT: '////' }), /^EVENTSOURCE_OBJECT .* no text: /],
    ['no JSON', encoded(calendar, { EVENTSOURCE_OBJECT: base64('s3cret') }), /^EVENTSOURCE_OBJECT .* no JSON object: /],
    ['no object', object(['s3cret']), /^EVENTSOURCE_OBJECT .* no JSON object: /],
    ['no name', object({ spec: {} }), /^EVENTSOURCE_OBJECT .*metadata\.name.*is missing/s],
    ['metadata that is none', object({ metadata: 's3cret', spec: {} }), /^EVENTSOURCE_OBJECT .*metadata\.name/s],
    ['no bus', encoded(calendar, { EVENTBUS_CONFIG: '' }), /^EVENTBUS_CONFIG is not set: /],
    [
      'a bus that is none',
      encoded(calendar, { EVENTBUS_CONFIG: base64('{}') }),
      /^EVENTBUS_CONFIG is an invalid event bus/,
    ],
    [
      'a bus without address',
      encoded(calendar, { EVENTBUS_CONFIG: base64('{"jetstream":{}}') }),
      /^EVENTBUS_CONFIG .*url" is missing/s,
    ],
    [
      'a duration that is none',
      encoded(calendar, { LEADER_ELECTION_LEASE_DURATION: '5' }),
      /^LEADER_ELECTION_LEASE_DURATION .*missing unit.*: write Go durations/,
    ],
    [
      'durations that do not fit',
      encoded(calendar, { LEADER_ELECTION_RENEW_DEADLINE: '6s' }),
      /^LEADER_ELECTION_LEASE_DURATION, .* must be longer than the renew deadline/,
    ],
  ] as const) {
    test(what, async () => {
      const text = await message(env)
      assert.match(text, pattern)
      assert.doesNotMatch(text, /s3cret/)
    })
  }
})

test('one entry that cannot work leaves the others served', async () => {
  const { source, findings } = await readEnvironment(
    object({
      metadata: { name: 'mixed', namespace: 'ns1' },
      spec: {
        replicas: 'two',
        calendar: { fine: { interval: '10s' }, odd: { interval: 5 }, empty: {} },
        notAType: { x: {} },
      },
    }),
  )
  assert.deepEqual(
    source.entries.map(({ name, refused }) => [name, refused === undefined]),
    [
      ['fine', true],
      ['odd', false],
      ['empty', false],
    ],
  )
  assert.ok(findings.some(({ at }) => at === 'spec.calendar.odd.interval'))
})

test('NAMESPACE counts where the object names none', async () => {
  const env = object({ metadata: { name: 'x' }, spec: {} })
  assert.equal((await readEnvironment({ ...env, NAMESPACE: 'ns2' })).source.namespace, 'ns2')
  assert.equal((await readEnvironment(env)).source.namespace, 'default')
  assert.equal((await readEnvironment(encoded(calendar, { NAMESPACE: 'ns2' }))).source.namespace, 'ns1')
})

test('one duration that is set comes with the defaults of the others', async () => {
  const { timing } = await readEnvironment(encoded(calendar, { LEADER_ELECTION_LEASE_DURATION: '1m30s' }))
  assert.deepEqual(timing, { leaseMs: 90_000, renewDeadlineMs: 2_000, retryMs: 1_000 })
})

test('base64 may be wrapped, as base64(1) does', async () => {
  const env = encoded(calendar)
  const wrapped = env.EVENTSOURCE_OBJECT!.replace(/.{76}/g, '$&\n')
  assert.equal((await readEnvironment({ ...env, EVENTSOURCE_OBJECT: wrapped })).source.name, 'calendar')
})

test('LOG_LEVEL: an unknown word means info', () => {
  const words = ['debug', 'info', 'warn', 'error', 'DEBUG', '', undefined]
  assert.deepEqual(
    words.map((LOG_LEVEL) => logLevelOf({ LOG_LEVEL })),
    ['debug', 'info', 'warn', 'error', 'info', 'info', 'info'],
  )
})
