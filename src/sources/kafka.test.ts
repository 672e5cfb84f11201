/** The Kafka source against a real broker: payload, ids, group offsets, transactions, partitions, retention, login. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Consumer, Producer } from '@platformatic/kafka'
import { endOf, serveInHarness } from '../../test/harness.ts'
import { apicurioJar, startApicurio } from '../../test/servers/apicurio.ts'
import { without } from '../../test/servers/cache.ts'
import {
  javac,
  KAFKA_IAM,
  KAFKA_PASSWORD,
  KAFKA_REAUTH_MS,
  KAFKA_USER,
  type KafkaServer,
  kafkaJars,
  startKafka,
} from '../../test/servers/kafka.ts'
import { startProxy } from '../../test/servers/proxy.ts'
import { connectKafka } from '../clients/kafka.ts'
import kafka from './kafka.ts'

const skip = without('Kafka', kafkaJars())
let server: Promise<KafkaServer> | null = null
const broker = (): Promise<KafkaServer> => {
  server ??= startKafka({ iam: javac() !== null })
  return server
}
after(async () => (await server)?.close())

/** A topic with its producer, and a client that looks from outside. */
async function topicOf(name: string, partitions: number) {
  const { broker: url } = await broker()
  const client = await connectKafka({ brokers: [url], clientId: 'test' })
  await client.admin.createTopics({ topics: [name], partitions, replicas: 1 })
  // A broker makes the topic of group offsets when the first group asks; the runtime would try again, the harness does not.
  while (!(await client.committed(name, name, [0]).then(Boolean, () => false))) await sleep(100)
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [url], retries: 20, retryDelay: 100 })
  const send = async (...values: string[]) =>
    await producer.send({
      acks: -1,
      messages: values.map((value) => ({ topic: name, partition: 0, value: Buffer.from(value) })),
    })
  after(async () => await Promise.allSettled([producer.close(), client.close()]))
  const spec = { url, topic: name, jsonBody: true, consumerGroup: { groupName: name, oldest: true } }
  return { client, producer, send, spec, url }
}

const bodies = (harness: { emitted: { text: string }[] }) => harness.emitted.map(({ text }) => JSON.parse(text).body)

test('payload and id byte for byte; the group sees what the bus holds; a new leader goes on', { skip }, async () => {
  const { client, producer, spec, url } = await topicOf('payload', 1)
  const message = {
    topic: 'payload',
    partition: 0,
    key: Buffer.from('k1'),
    value: Buffer.from('{ "id": 1.0 }'),
    headers: new Map([[Buffer.from('h'), Buffer.from('v')]]),
    timestamp: 1_700_000_000_123n,
  }
  await producer.send({ acks: -1, messages: [message] })
  const first = serveInHarness(kafka, spec)
  await first.until(({ emitted }) => emitted.length === 1, 20_000)
  const [event] = first.emitted
  assert.equal(
    event!.text,
    '{"topic":"payload","key":"k1","partition":0,"body":{"id":1.0},"timestamp":"2023-11-14 22:13:20.123 +0000 UTC","headers":{"h":"v"}}',
  )
  assert.equal(event!.eventId, `es:e:${url}:payload:0:0`)
  assert.equal(await first.stop(), undefined)
  assert.deepEqual(await client.committed('payload', 'payload', [0]), { 0: 1 })
  await producer.send({ acks: -1, messages: [{ ...message, value: Buffer.from('2') }] })
  const next = serveInHarness(kafka, spec, { resume: event!.position! })
  await next.until(({ emitted }) => emitted.length === 1, 20_000)
  assert.deepEqual(bodies(next), [2])
  await next.stop()
})

test('another cluster under the name of the one before: its offsets are told apart from those', { skip }, async () => {
  const { send, spec, url } = await topicOf('moved', 1)
  await send('1')
  const resume = { cluster: 'another', topic: 'another', resets: 0, offsets: { 0: 7 } }
  const moved = serveInHarness(kafka, spec, { resume })
  await moved.until(({ emitted }) => emitted.length === 1, 20_000)
  const [event] = moved.emitted
  assert.equal(event!.eventId, `es:e:${url}:moved:0:0:1`)
  await moved.stop()
  const next = serveInHarness(kafka, spec, { resume: event!.position! })
  await send('2')
  await next.until(({ emitted }) => emitted.length === 1, 20_000)
  assert.equal(next.emitted[0]!.eventId, `es:e:${url}:moved:0:1:1`, 'and so they stay')
  await next.stop()
})

test('offsets go to a bus that commits them, unless others are members of the group: the broker would not save those from it', {
  skip,
}, async (t) => {
  const { client, send, spec, url } = await topicOf('handed', 1)
  const committed = () => client.committed('handed', 'handed', [0])
  const consumer = new Consumer({ clientId: 'other', groupId: 'handed', bootstrapBrokers: [url] })
  t.after(() => consumer.close(true))
  await consumer.joinGroup({})
  const harness = serveInHarness(kafka, spec, { commits: true })
  await harness.until(({ conditions }) => /cannot be committed to group handed/.test(`${conditions.at(-1)}`), 30_000)
  await send('1')
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
  await consumer.leaveGroup(true)
  await harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)
  assert.deepEqual(await committed(), { 0: 1 })
  await send('2', '3')
  await harness.until(({ emitted }) => emitted.length === 3, 20_000)
  await harness.stop()
  assert.deepEqual(
    harness.emitted.map(({ consumed }) => consumed),
    [
      undefined,
      { group: 'handed', topic: 'handed', offsets: { 0: 2 } },
      { group: 'handed', topic: 'handed', offsets: { 0: 3 } },
    ],
  )
})

test('aborted transactions are no events, also two of one producer with a commit between', { skip }, async () => {
  const { spec, url, send } = await topicOf('transactions', 1)
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [url],
    idempotent: true,
    transactionalId: 'transactions',
    retries: 20,
    retryDelay: 100,
  })
  for (const [value, end] of [
    ['1', 'abort'],
    ['2', 'commit'],
    ['3', 'abort'],
    ['4', 'commit'],
  ] as const) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ acks: -1, messages: [{ topic: 'transactions', partition: 0, value: Buffer.from(value) }] })
    await transaction[end]()
  }
  await producer.close()
  await send('5')
  const harness = serveInHarness(kafka, spec)
  await harness.until(({ emitted }) => emitted.length === 3, 20_000)
  await harness.stop()
  assert.deepEqual(bodies(harness), [2, 4, 5])
  const config = 'consumer: { isolationLevel: 0, fetch: { default: 1 }, maxWaitTime: 50ms, offsets: { initial: -2 } }'
  const all = serveInHarness(kafka, { ...spec, config, consumerGroup: { groupName: 'transactions-all' } })
  await all.until(({ emitted }) => emitted.length === 5, 20_000)
  await all.stop()
  assert.deepEqual(bodies(all), [1, 2, 3, 4, 5])
})

test('retention that has passed is said, and partitions that are added are read from their start', {
  skip,
}, async () => {
  const { client, producer, spec, send } = await topicOf('grown', 1)
  await send('0', '1', '2', '3')
  const { cluster, id } = await client.topic('grown')
  const deleted = { name: 'grown', partitions: [{ partition: 0, offset: 2n }] }
  await client.admin.deleteRecords({ topics: [deleted], timeout: 10_000 } as never)
  const harness = serveInHarness(kafka, spec, { resume: { cluster, topic: id, resets: 0, offsets: { 0: 1 } } })
  await harness.until(({ emitted }) => emitted.length === 2, 20_000)
  assert.match(harness.skipped[0]!, /^offsets 1 to 1 of partition 0 of grown: .*retention/)
  await client.admin.createPartitions({ topics: [{ name: 'grown', count: 2, assignments: [{ brokerIds: [1] }] }] })
  // What it knew of the topic would send the message to partition 0.
  producer.clearMetadata()
  await producer.send({ acks: -1, messages: [{ topic: 'grown', partition: 1, value: Buffer.from('4') }] })
  await harness.until(({ emitted }) => emitted.length === 3, 20_000)
  assert.match(harness.emitted[2]!.eventId!, /:grown:1:0$/)
  await harness.stop()
  assert.deepEqual(bodies(harness), [2, 3, 4])
})

test('Avro: a partition waits for a schema while its registry is away, also across a change of leader; the others go on', {
  skip: skip || without('Apicurio', apicurioJar()),
}, async (t) => {
  const { producer, spec } = await topicOf('avro', 2)
  const apicurio = await startApicurio()
  const proxy = await startProxy(apicurio.port)
  t.after(() => Promise.all([apicurio.close(), proxy.close()]))
  const url = apicurio.url.replace(`:${apicurio.port}`, `:${proxy.port}`)
  const send = async (partition: number, ...values: (string | null)[]) => {
    const messages = values.map((hex) => ({
      topic: 'avro',
      partition,
      ...(hex === null ? {} : { value: Buffer.from(hex, 'hex') }),
    }))
    await producer.send({ acks: -1, messages })
  }
  const word = await apicurio.register('word', { schema: '"string"' })
  const pair = await apicurio.register('pair', {
    schema: '{"type":"record","name":"Pair","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"bytes"}]}',
  })
  const of = (id: number, hex: string) => `00${id.toString(16).padStart(8, '0')}${hex}`
  const avro = { ...spec, schemaRegistry: { url } }
  const first = serveInHarness(kafka, avro)
  await send(1, of(word, '0261'))
  await first.until(({ emitted }) => emitted.length === 1, 20_000)
  proxy.faults.refuse = true
  proxy.cut()
  await send(0, of(pair, '0202023c'), '7b7d', null, of(pair, '0000'))
  await first.until(({ conditions }) => /schema registry: .* wait since /.test(`${conditions.at(-1)}`), 20_000)
  await send(1, of(word, '0262'))
  await first.until(({ emitted }) => emitted.length === 2, 20_000)
  assert.equal(await first.stop(), undefined)
  assert.deepEqual(bodies(first), ['a', 'b'])
  const position = first.emitted.at(-1)!.position!
  assert.deepEqual(position.offsets, { 0: 0, 1: 2 })
  const next = serveInHarness(kafka, avro, { resume: position })
  await next.until(({ conditions }) => /schema registry: /.test(`${conditions.at(-1)}`), 20_000)
  proxy.faults.refuse = false
  await next.until(({ emitted }) => emitted.length === 3, 20_000)
  await next.until(({ conditions }) => conditions.at(-1) === null, 20_000)
  await next.stop()
  assert.deepEqual(bodies(next), [{ a: { int: 1 }, b: '<' }, null, { a: null, b: '' }])
  assert.match(next.emitted[0]!.text, /"body":\{"a":\{"int":1\},"b":"\\u003c"\}/)
  assert.match(next.skipped.join(), /^offset 1 of partition 0 of avro: the value is no Avro[^,]*$/)
})

test('TLS with each login; a wrong password and a missing topic are said', { skip }, async () => {
  const { send, spec } = await topicOf('secure', 1)
  await send('1')
  const { secure, ca } = await broker()
  const secret = (key: string) => ({ name: 's', key })
  const secrets = { 's/ca': ca, 's/user': KAFKA_USER, 's/password': KAFKA_PASSWORD, 's/wrong': 'wrong' }
  const secured = (mechanism: string, passwordSecret = secret('password')) => ({
    ...spec,
    url: secure,
    tls: { caCertSecret: secret('ca') },
    sasl: { mechanism, userSecret: secret('user'), passwordSecret },
  })
  for (const mechanism of ['', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const consumerGroup = { groupName: `secure${mechanism}`, oldest: true }
    const harness = serveInHarness(kafka, { ...secured(mechanism), consumerGroup }, { secrets })
    await harness.until(({ emitted }) => emitted.length === 1, 20_000)
    await harness.stop()
  }
  const ended = (raw: unknown) =>
    new Promise<string>((resolve) => {
      serveInHarness(kafka, raw, { secrets }).onEnd((error) => resolve((error as Error).message))
    })
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-512'])
    assert.match(await ended(secured(mechanism, secret('wrong'))), /authentication: the broker refuses/)
  const { tls: _, ...plain } = secured('')
  assert.match(await ended(plain), /TLS: .*the broker speaks TLS at this port, and no tls is set: set it/)
  assert.match(await ended({ ...spec, topic: 'missing' }), /topic missing does not exist/)
})

test('mutual TLS: the client shows its certificate', { skip }, async () => {
  const { send, spec } = await topicOf('mutual', 1)
  await send('1')
  const { mutual, ca, client } = await broker()
  const secrets = { 's/ca': ca, 's/cert': client.cert, 's/key': client.key }
  const caCertSecret = { name: 's', key: 'ca' }
  const shown = { clientCertSecret: { name: 's', key: 'cert' }, clientKeySecret: { name: 's', key: 'key' } }
  const harness = serveInHarness(kafka, { ...spec, url: mutual, tls: { caCertSecret, ...shown } }, { secrets })
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
  await harness.stop()
  const error = await endOf(serveInHarness(kafka, { ...spec, url: mutual, tls: { caCertSecret } }, { secrets }))
  assert.match(error.message, /TLS: .*certificate/)
})

test('AWS IAM: the token is that of the default chain, renewed while messages come; refused and missing credentials are said', {
  skip: skip || (javac() === null && 'javac is not there: install a JDK'),
}, async (t) => {
  const { send, spec } = await topicOf('iam', 1)
  const { iam, ca } = await broker()
  const environment = { ...process.env }
  t.after(() => {
    process.env = environment
  })
  const { region, accessKeyId, secretAccessKey, sessionToken } = KAFKA_IAM
  process.env = {
    ...environment,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  }
  const secrets = { 's/ca': ca }
  const tls = { caCertSecret: { name: 's', key: 'ca' } }
  const harness = serveInHarness(kafka, { ...spec, url: iam, tls, awsMskIamAuth: { region } }, { secrets })
  const began = performance.now()
  let sent = 0
  for (; performance.now() - began < 4 * KAFKA_REAUTH_MS; sent++) {
    await send(String(sent))
    await sleep(100)
  }
  await harness.until(({ emitted }) => emitted.length === sent, 30_000)
  await harness.stop()
  assert.deepEqual(
    bodies(harness),
    Array.from({ length: sent }, (_, i) => i),
  )
  t.diagnostic(`${sent} messages; conditions: ${harness.conditions.filter((one) => one !== null)}`)
  const ended = (awsMskIamAuth: { region: string }, more: object = { tls }) =>
    endOf(serveInHarness(kafka, { ...spec, url: iam, awsMskIamAuth, ...more }, { secrets })).then(
      (error) => error.message,
    )
  assert.match(await ended({ region }, {}), /TLS: .*certificate/)
  assert.match(await ended({ region: 'us-east-1' }), /the broker refuses the AWS credentials/)
  process.env.AWS_SECRET_ACCESS_KEY = 'another'
  assert.match(await ended({ region }), /the broker refuses the AWS credentials/)
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) delete process.env[name]
  Object.assign(process.env, { HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true' })
  assert.match(await ended({ region }), /^AWS credentials: /)
})
