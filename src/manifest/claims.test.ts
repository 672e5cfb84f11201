/** Entries that would take from each other at their origin are told of; those that do not, are not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { subjectsMeet } from './claims.ts'
import { loadManifest } from './load.ts'

const source = (name: string, spec: object) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name },
  spec,
})

/** What is said of two entries, of one type, in two files. */
async function findings(type: string, [one, two]: readonly [object, object], [first, second] = ['a', 'b']) {
  const files = [
    { file: 'one.yaml', text: JSON.stringify(source('one', { [type]: { [first!]: one } })) },
    { file: 'two.yaml', text: JSON.stringify(source('two', { [type]: { [second!]: two } })) },
  ]
  const { diagnostics, manifest } = await loadManifest(files)
  const [, refused] = manifest.eventSources.map(({ entries }) => entries[0]!.refused)
  return { diagnostics, refused }
}

const mqtt = { url: 'tcp://b:1883', topic: 'a', clientId: 'c', qos: 1 }
const shared = { ...mqtt, topic: '$share/g/t', qos: 0 }
const amqp = {
  url: 'amqp://u:p@b',
  exchangeName: 'e',
  exchangeType: 'direct',
  routingKey: 'k',
  queueDeclare: { name: 'q', durable: true },
}
const nsq = { hostAddress: 'l:4161', topic: 't', channel: 'c' }
const pulsar = { url: 'pulsar://b', topics: ['t', 'u'], type: 'exclusive' }
const kafka = { url: 'a:9092,b:9092', topic: 't', consumerGroup: { groupName: 'g' } }
const nats = { url: 'nats://n', subject: 'orders.*', queue: 'q' }
const pubSub = { projectID: 'p', subscriptionID: 's' }
const sqs = { region: 'r', queue: 'q' }
const emitter = { broker: 'tcp://b:8080', channelName: '$share/g/c', channelKey: 'k' }

const CLASHES: [type: string, pair: [object, object], words: RegExp, names?: [string, string]][] = [
  ['mqtt', [mqtt, { ...mqtt, url: 'mqtt://u:p@B', topic: 'b' }], /the clientId "c" at b:1883 .*lets one of them in/],
  ['mqtt', [mqtt, { ...mqtt, qos: 2 }], /the clientId "c"/],
  ['mqtt', [shared, { ...shared, clientId: 'd' }], /the shared subscription \$share\/g\/t/],
  ['amqp', [amqp, { ...amqp, url: 'amqp://b:5672/', routingKey: 'l' }], /the queue q at b:5672\//],
  ['amqp', [amqp, { ...amqp, queueDeclare: { name: 'q', exclusive: true } }], /the queue q/],
  ['nsq', [nsq, { ...nsq, hostAddress: 'http://l:4161/' }], /the channel c of the topic t at l:4161/],
  [
    'pulsar',
    [pulsar, { ...pulsar, topics: ['public/default/u'] }],
    /the subscription e to the topic .*waits/,
    ['e', 'e'],
  ],
  ['kafka', [kafka, { ...kafka, url: 'B:9092' }], /the consumer group g of the topic t at b:9092.*committed/],
  ['nats', [nats, { ...nats, url: 'n:4222', subject: 'orders.new' }], /the queue group q at n:4222/],
  ['nats', [nats, { ...nats, subject: '>' }], /the queue group q/],
  ['pubSub', [pubSub, { ...pubSub, topic: 't' }], /projects\/p\/subscriptions\/s/],
  // A subscription without a name is called after the entry and its fields.
  ['pubSub', [{ topic: 't' }, { topic: 't' }], /the subscription/, ['e', 'e']],
  ['sqs', [sqs, { ...sqs, jsonBody: true }], /the queue q \(r\)/],
  ['emitter', [emitter, { ...emitter, channelKey: 'l' }], /the shared channel/],
]

for (const [type, pair, words, names] of CLASHES) {
  test(`${type}: ${words.source} is told of`, async () => {
    const { diagnostics, refused } = await findings(type, pair, names)
    const said = diagnostics.filter(({ message }) => words.test(message))
    assert.equal(said.length, 1, JSON.stringify(diagnostics))
    const [{ severity, file, message, remedy, fatal }] = said as [(typeof said)[number]]
    assert.deepEqual([severity, file], ['warning', 'two.yaml'])
    assert.match(message, /is also that of the event "\w" of EventSource one \(one\.yaml:1\)/)
    assert.ok(remedy)
    // Served, a second MQTT session would throw out the one that works; all others get what they get.
    assert.equal(fatal === true, /clientId/.test(message))
    assert.equal(refused !== undefined, fatal === true)
  })
}

const PEACE: [type: string, pair: [object, object], names?: [string, string]][] = [
  ['mqtt', [mqtt, { ...mqtt, clientId: 'd' }]],
  ['mqtt', [mqtt, { ...mqtt, url: 'tcp://other:1883' }]],
  // Every replica adds something of its own.
  [
    'mqtt',
    [
      { ...mqtt, qos: 0 },
      { ...mqtt, qos: 0 },
    ],
  ],
  ['mqtt', [mqtt, { ...mqtt, qos: 0 }]],
  ['mqtt', [shared, { ...shared, topic: '$share/h/t' }]],
  ['amqp', [amqp, { ...amqp, queueDeclare: { name: 'r', durable: true } }]],
  ['amqp', [amqp, { ...amqp, url: 'amqp://b/other' }]],
  ['nsq', [nsq, { ...nsq, channel: 'd' }]],
  ['nsq', [nsq, { ...nsq, topic: 'u' }]],
  ['pulsar', [pulsar, pulsar]],
  ['pulsar', [pulsar, { ...pulsar, topics: ['v'] }], ['e', 'e']],
  ['kafka', [kafka, { ...kafka, topic: 'u' }]],
  ['kafka', [kafka, { url: 'a:9092', topic: 't', partition: '0' }]],
  ['nats', [nats, { ...nats, subject: 'orders.new.big' }]],
  ['nats', [nats, { ...nats, queue: 'r' }]],
  [
    'nats',
    [
      { url: 'n', subject: 's' },
      { url: 'n', subject: 's' },
    ],
  ],
  ['pubSub', [pubSub, { ...pubSub, subscriptionID: 't' }]],
  ['pubSub', [{ topic: 't' }, { topic: 't' }]],
  ['sqs', [sqs, { ...sqs, region: 's' }]],
  [
    'redis',
    [
      { hostAddress: 'r:1', channels: ['c'] },
      { hostAddress: 'r:1', channels: ['c'] },
    ],
  ],
  [
    'emitter',
    [
      { ...emitter, channelName: 'c' },
      { ...emitter, channelName: 'c' },
    ],
  ],
]

for (const [i, [type, pair, names]] of PEACE.entries()) {
  test(`${type} (${i}): two that leave each other alone are not warned of`, async () => {
    const { diagnostics } = await findings(type, pair, names)
    assert.deepEqual(
      diagnostics.filter(({ message }) => / is also that of /.test(message)),
      [],
    )
  })
}

test('subjects of NATS meet where one subject may match both', () => {
  for (const [one, other] of [
    ['a', 'a'],
    ['a.*', 'a.b'],
    ['*.b', 'a.*'],
    ['>', 'a.b'],
    ['a.>', '*.b.c'],
  ] as const)
    assert.ok(subjectsMeet(one, other) && subjectsMeet(other, one), `${one} ${other}`)
  for (const [one, other] of [
    ['a', 'b'],
    ['a', 'a.b'],
    ['a.*', 'a'],
    ['a.>', 'a'],
    ['a.*', 'b.*'],
  ] as const)
    assert.ok(!subjectsMeet(one, other) && !subjectsMeet(other, one), `${one} ${other}`)
})
