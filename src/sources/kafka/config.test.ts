import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configFindings, settingsOf } from './config.ts'

const given = { tls: false, login: false }
const found = (config: string, more: Partial<typeof given> = {}) =>
  configFindings(config, { ...given, ...more }).map(({ message, severity, fatal }) => [
    message,
    fatal === true ? 'fatal' : severity,
  ])
const defaults = settingsOf('')

test('settings with an equal here are used, whatever the case and the nesting of their names', () => {
  const config = `
ClientID: orders
net: { DialTimeout: 2s, readTimeout: 20000000000 }
consumer:
  fetch: { min: "10", Default: 2097152, MAX: 1048576 }
  maxWaitTime: 250ms
  isolationLevel: 0
consumer.offsets.initial: -2
`
  assert.deepEqual(found(config), [])
  assert.deepEqual(settingsOf(config), {
    clientId: 'orders',
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 20_000,
    minBytes: 10,
    maxWaitMs: 250,
    partitionMaxBytes: 1 << 20,
    readCommitted: false,
    oldest: true,
  })
  assert.deepEqual(settingsOf('# nothing'), defaults)
  assert.equal(settingsOf('consumer: { isolationLevel: ReadCommitted }').readCommitted, true)
  // A broker that may wait for 30 s is given the time.
  assert.equal(settingsOf('{ net: { readTimeout: 1s }, consumer: { maxWaitTime: 30s } }').requestTimeoutMs, 35_000)
})

test('a setting without an equal is named, with the reason', () => {
  const config = `
consumer: { group: { session: { timeout: 10s } }, offsets: { autoCommit: { enable: false } } }
RackID: a
producer: { idempotent: true }
net: { maxOpenRequests: 5 }
constructor: 1
`
  assert.deepEqual(found(config), [
    [
      'consumer.group.session.timeout is not used: nobody is a member of the group, so there is nothing to rebalance',
      'advice',
    ],
    ['consumer.offsets.autoCommit.enable is not used: offsets are committed once a second', 'advice'],
    ['RackID is not used: messages are read from the leader of their partition', 'advice'],
    ['producer.idempotent is not used: nothing is produced', 'advice'],
    ['net.maxOpenRequests is not used: connections are made in another way', 'advice'],
    ['constructor is no setting that is known', 'advice'],
  ])
  assert.deepEqual(settingsOf(config), defaults)
})

test('TLS and logins that only config asks for are refused, with the field that does it', () => {
  const config = 'net: { tls: { enable: true }, sasl: { enable: true } }'
  assert.deepEqual(found(config), [
    ['net.tls.enable is not read from config', 'fatal'],
    ['net.sasl.enable is not read from config', 'fatal'],
  ])
  assert.deepEqual(
    found(config, { tls: true, login: true }).map(([, severity]) => severity),
    ['advice', 'advice'],
  )
})

test('what is no YAML, no map or no value is refused', () => {
  for (const [config, message] of [
    ['consumer: {', /^config is no YAML: [^\n]+$/],
    ['just text', /^config is no map/],
    ['- a', /^config is no map/],
    ['clientID: [a]', /clientID: \["a"\] is not a text/],
    ['consumer: { fetch: { min: 0 } }', /consumer.fetch.min: 0 is not a whole number from 1/],
    ['consumer: { fetch: { min: many } }', /"many" is not a whole number/],
    ['consumer: { fetch: { default: 1e12 } }', /is not a whole number/],
    ['consumer: { maxWaitTime: 500 }', /500 is not a duration such as 500ms, of at least 1ms/],
    ['net: { dialTimeout: "5" }', /missing unit in duration/],
    ['consumer: { isolationLevel: 2 }', /2 is not one of 0, ReadUncommitted, 1, ReadCommitted/],
    ['consumer: { offsets: { initial: constructor } }', /is not one of -1, OffsetNewest, -2/],
  ] as const) {
    const [[text, severity]] = found(config) as [[string, string]]
    assert.match(text, message)
    assert.equal(severity, 'fatal')
    assert.throws(() => settingsOf(config), config)
  }
})
