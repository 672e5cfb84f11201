/**
 * A neighbour writes where Pods on Kafka keep their terms and positions, takes their producer's epoch, and writes the Lease by which they elect. Beside it
 * ticks and requests go on: none is lost or stored twice, somebody leads again, and what is forged is a line in the log, not an error of ours.
 */

import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { Producer } from '@platformatic/kafka'
import type { Bus } from '../../src/bus/bus.ts'
import { createProducer } from '../../src/bus/kafka/producer.ts'
import { beginTransactions } from '../../src/bus/kafka/transaction.ts'
import { openKafkaBus } from '../../src/buses/kafka/open.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { readAll, until } from '../contract/bus.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { startCrowd } from '../faults/senders.ts'
import { assertTermsRise } from '../faults/terms.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { allReady, anyLeader, leaderOf, linesOf, objectOf, type Pod, startPods } from '../pod/pods.ts'
import { without } from '../servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('Kafka', kafkaJars())
const PATIENCE_MS = 30_000
const often = { namespace: 'default', entry: 'tick', everyMs: 200 }
const place = { namespace: 'default', name: 'eventsource-clock' }
const MOST = Number.MAX_SAFE_INTEGER
const INT32 = 2 ** 31 - 1

const clock = (port: number) =>
  objectOf('clock', {
    replicas: 2,
    calendar: { tick: { schedule: '', interval: `${often.everyMs}ms` } },
    webhook: { order: { endpoint: '/orders', method: 'POST', port: String(port), url: '' } },
  })

/** Short, so that the test is. */
const env = {
  LEADER_ELECTION: 'k8s',
  LEADER_ELECTION_LEASE_DURATION: '2s',
  LEADER_ELECTION_RENEW_DEADLINE: '1s',
  LEADER_ELECTION_RETRY_PERIOD: '250ms',
}

interface Forged {
  topic: 'events' | 'state'
  key: string | null
  value: string | Buffer | null
  headers?: Record<string, string>
}

const term = (record: unknown): Forged => ({
  topic: 'state',
  key: 'term/default/clock',
  value: typeof record === 'string' ? record : JSON.stringify(record),
})
const position = (value: string | Buffer | null): Forged => ({
  topic: 'state',
  key: 'position/default/clock/tick',
  value,
})
const mallory = { term: 7, holder: 'mallory', nonce: 'n' }

/** By kind: records that a neighbour adds without an epoch. */
const records: Record<string, Forged> = {
  'a term: nothing': term(''),
  'a term: no JSON': term('{"term":'),
  'a term: a list': term('[]'),
  'a term: negative': term({ ...mallory, term: -5 }),
  'a term: text': term({ ...mallory, term: '7' }),
  'a term: the largest': term({ ...mallory, term: MOST }),
  'a term: 2^64-1': term(JSON.stringify(mallory).replace(':7', ':18446744073709551615')),
  'a term: a holder of 900 kB': term({ ...mallory, holder: 'm'.repeat(900_000) }),
  'a term: taken away': { ...term(''), value: null },
  'a term: well made': term(mallory),
  'a position: nothing': position(''),
  'a position: no JSON': position('\u0000{{{'),
  'a position: more parts than there can be': position(`\u00019999`),
  'a position: parts that are not there': position('\u00013'),
  'a position: far ahead': position(`\u0000${JSON.stringify({ f: '', p: { last: '2099-01-01T00:00:00Z' } })}`),
  'a position: taken away': position(null),
  'a snapshot that is none': { topic: 'state', key: 'snapshot/default/clock/tick', value: Buffer.alloc(1_000, 0xff) },
  'a key of 500 kB': { topic: 'state', key: `position/default/clock/${'x'.repeat(500_000)}`, value: '\u0000{}' },
  'an event without a key': { topic: 'events', key: null, value: 'x' },
  'an event that is none': { topic: 'events', key: 'clock.other', value: Buffer.alloc(100, 0xff) },
  'an event of a term to come': {
    ...{ topic: 'events', key: 'clock.other', value: '{}' },
    headers: { 'vedette-namespace': 'default', 'vedette-eventsource': 'clock', 'vedette-term': '18446744073709551615' },
  },
  'an event of a name that is none': {
    ...{ topic: 'events', key: 'x', value: '{}' },
    headers: { 'vedette-namespace': '', 'vedette-eventsource': `${'y'.repeat(500)}`, 'vedette-id': '' },
  },
}

type Lease = KubeObject & { spec: Record<string, unknown> }

const NOTE = 'vedette.dev/holder'
const spec =
  (changed: object) =>
  (lease: Lease): Lease => ({ ...lease, spec: { ...lease.spec, ...changed } })
/** The annotation, with what the holder wrote changed. */
const note =
  (changed: (note: Record<string, unknown>) => unknown) =>
  (lease: Lease): Lease => {
    const before = JSON.parse(lease.metadata.annotations![NOTE]!) as Record<string, unknown>
    const after = changed(before)
    const text = typeof after === 'string' ? after : JSON.stringify(after)
    return { ...lease, metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, [NOTE]: text } } }
  }
const PAST = '1970-01-01T00:00:00.000000Z'
const FUTURE = '9999-12-31T23:59:59.999999Z'

/** Of the kinds below those that every run tries; each costs a change of leader, and one upon the other they take their time. */
const SHORT = /for ever|largest term|1970|nothing in it|transitions|100 kB|terminal/

/** By kind: what becomes of the Lease. */
const leases: Record<string, (lease: Lease) => Lease> = {
  'a note that is no JSON': note(() => '{{{{'),
  'a note that is null': note(() => 'null'),
  'a note that is a list': note(() => []),
  'a note of the largest term': note((one) => ({ ...one, term: MOST })),
  'a note of a term that is none': note((one) => ({ ...one, term: 1e300 })),
  'a note that lasts for ever': note((one) => ({ ...one, durationMs: 1e308 })),
  'a note of somebody else': note((one) => ({ ...one, holder: 'mallory' })),
  'a note of 200 kB': note((one) => ({ ...one, successor: 's'.repeat(200_000) })),
  'a peer that is not there': note((one) => ({ ...one, peer: { host: '127.0.0.1', port: 1, key: 'k' } })),
  'a peer of a name that is none': note((one) => ({
    ...one,
    peer: { host: `${'x'.repeat(9_000)}\u202e`, port: 9, key: '' },
  })),
  'renewed in the year 9999': spec({ renewTime: FUTURE, acquireTime: FUTURE }),
  'renewed in 1970': spec({ renewTime: PAST, acquireTime: PAST }),
  'nothing in it': (lease) => ({ ...lease, spec: {} }),
  'given back': spec({ holderIdentity: '' }),
  'more transitions than can be counted': spec({ leaseTransitions: INT32, holderIdentity: '' }),
  'held by a stranger for a second': spec({ holderIdentity: 'mallory', leaseDurationSeconds: 1 }),
  'held by a stranger of 100 kB': spec({ holderIdentity: 'm'.repeat(100_000), leaseDurationSeconds: 1 }),
  'held by what steers a terminal': spec({ holderIdentity: '\u009b2J\u202e\n', leaseDurationSeconds: 1 }),
  'held by a stranger from the year 9999': spec({
    ...{ holderIdentity: 'mallory', leaseDurationSeconds: 1 },
    ...{ renewTime: FUTURE, acquireTime: FUTURE },
  }),
}

suite('forged records on Kafka, and a forged Lease', { skip, timeout: 900_000 }, () => {
  let cluster: Kubernetes
  let kafka: KafkaServer
  before(async () => {
    ;[cluster, kafka] = await Promise.all([startKubernetes({ controllers: false }), startKafka()])
  })
  after(() => Promise.all([cluster?.stop(), kafka?.close()]))

  /** Two Pods of which one leads, with a topic and a Lease of their own, and senders to both. */
  async function served(t: TestContext, topic: string) {
    await cluster.client.delete(resources.leases, place)
    const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] }]
    const KUBECONFIG = cluster.kubeconfigFor(await cluster.account('default', 'eventsource', rules), 'default')
    const bus = { kafka: { url: kafka.broker, topic } }
    const pods = await startPods(t, ['clock-a', 'clock-b'], { object: clock, bus, env: { ...env, KUBECONFIG } })
    await allReady(pods, PATIENCE_MS)
    await anyLeader(pods, PATIENCE_MS)
    const reader: Bus = openKafkaBus(bus.kafka, {
      ...{ namespace: 'default', name: 'default', session: 'test' },
      ...{ secrets: { secret: () => assert.fail() }, clock: systemClock, log: silentLogger },
    })
    t.after(() => reader.close())
    await until('the topic is read', () => reader.status().connected, PATIENCE_MS)
    const crowds = pods.map(({ port, name }) =>
      startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 1, pauseMs: 20, name }),
    )
    const count = async () => (await linesOf(reader, 'clock', 'tick')).length
    return {
      pods,
      /** Ticks are stored that came after the call, and one of ours leads. */
      async goesOn(after: string) {
        const before = await count()
        await until(`it ticks on after ${after}`, async () => (await count()) > before, PATIENCE_MS)
      },
      async judge() {
        await allReady(pods, PATIENCE_MS)
        await Promise.all(crowds.map((crowd) => crowd.stop()))
        const ticks = await readAll(reader, { eventSource: 'clock', entry: 'tick' })
        const terms = assertTermsRise(ticks).size
        assertEveryTickOnce(await linesOf(reader, 'clock', 'tick'), often)
        const acknowledged = crowds.flatMap((crowd) => crowd.acknowledged)
        assertAcknowledgedOnce(await linesOf(reader, 'clock', 'order'), acknowledged)
        for (const pod of pods) assert.equal(pod.child.exitCode, null, pod.name)
        const lines = pods.flatMap((pod) => pod.log())
        const odd = lines.filter((line) => /TypeError|SyntaxError|RangeError|BUG|Cannot /.test(JSON.stringify(line)))
        assert.deepEqual(odd, [])
        t.diagnostic(`${ticks.length} ticks of ${terms} terms, ${acknowledged.length} requests, ${lines.length} lines`)
        return lines
      },
    }
  }

  test('records of every kind on both topics, by who needs no epoch', async (t) => {
    const { pods, goesOn, judge } = await served(t, 'forged')
    const send = await neighbour(t, kafka.broker, 'forged')
    for (const [kind, record] of Object.entries(records)) {
      await send(record)
      // Whoever claims next reads it.
      const leading = (await leaderOf(pods)) as Pod | undefined
      if (/a term|a position/.test(kind) && leading !== undefined) await takeEpoch(t, kafka.broker, 'forged')
      await goesOn(kind)
    }
    const lines = await judge()
    assert.ok(
      lines.some(({ msg }) => /passed over/.test(String(msg))),
      'what cannot be read is said',
    )
  })

  test('the Lease, changed in every way', async (t) => {
    const { pods, goesOn, judge } = await served(t, 'leased')
    const ours = async () => {
      const holder = (await leaseOf(cluster))?.spec.holderIdentity
      return pods.some(({ name }) => name === holder)
    }
    for (const [kind, change] of Object.entries(leases)) {
      if (!FULL && !SHORT.test(kind)) continue
      await forge(cluster, change)
      await until(`one of ours holds it again after: ${kind}`, ours, PATIENCE_MS)
      await anyLeader(pods, PATIENCE_MS)
      await goesOn(kind)
    }
    await judge()
  })

  test('one who writes the annotation too, as a replica of ours would: said as soon as he is silent for a lease', async (t) => {
    const { pods, goesOn, judge } = await served(t, 'disguised')
    await forge(cluster, (lease) =>
      spec({ holderIdentity: 'mallory' })(
        note((one) => ({ ...one, holder: 'mallory', durationMs: 1e308, peer: undefined }))(lease),
      ),
    )
    const says = async (pod: Pod) =>
      /not served: tick \(calendar\): mallory holds the Lease .* and does not renew it; .* taken at \S+Z unless renewed/.test(
        (await pod.get('/readyz')).text,
      )
    await until('it is said', async () => (await Promise.all(pods.map(says))).every(Boolean), PATIENCE_MS)
    await cluster.client.delete(resources.leases, place)
    await goesOn('it was taken from him')
    await judge()
  })

  test('a stranger who holds the Lease for 68 years: said, and over once it is taken from him', async (t) => {
    const { pods, goesOn, judge } = await served(t, 'held')
    await forge(cluster, spec({ holderIdentity: 'mallory', leaseDurationSeconds: INT32 }))
    await until('nobody of ours leads', async () => (await leaderOf(pods)) === undefined, PATIENCE_MS)
    const fencing = async (pod: Pod) => /vedette_fencing_lease_only\{.*\} 1/.test((await pod.get('/metrics')).text)
    await until('it is said', async () => (await Promise.all(pods.map(fencing))).every(Boolean), PATIENCE_MS)
    const at = Date.now()
    for (const pod of pods) {
      const { text } = await pod.get('/readyz')
      const [, since, until] =
        /^not served: tick \(calendar\): mallory holds the Lease default\/eventsource-clock since (\S+Z) .* taken at (\S+Z) unless renewed$/m.exec(
          text,
        ) ?? assert.fail(text)
      assert.ok(Math.abs(Date.parse(since!) - at) < PATIENCE_MS, text)
      // What the record says is 68 years; nobody waits for more than ten minutes.
      assert.ok(Math.abs(Date.parse(until!) - at - 600_000) < PATIENCE_MS, text)
    }
    assert.match(JSON.stringify(pods.flatMap((pod) => pod.log())), /mallory/)
    await cluster.client.delete(resources.leases, place)
    await goesOn('it was taken from him')
    await judge()
  })
})

const leaseOf = (cluster: Kubernetes) => cluster.client.get<Lease>(resources.leases, place)

/** Its annotation is one of Vedette's, for who holds it. */
function isWritten({ metadata, spec }: Lease): boolean {
  try {
    return JSON.parse(metadata.annotations?.[NOTE] ?? '').holder === spec.holderIdentity
  } catch {
    return false
  }
}

async function forge(cluster: Kubernetes, change: (lease: Lease) => Lease): Promise<void> {
  await until(
    'the Lease is changed',
    async () => {
      const lease = await leaseOf(cluster)
      // What was forged before is still there.
      if (lease === null || !isWritten(lease)) return false
      // Refused is only what somebody else came before with.
      return cluster.client.update(resources.leases, change(lease)).then(
        () => true,
        (error: Error & { code: string }) => {
          if (error.code === 'KUBERNETES_CONFLICT') return false
          throw error
        },
      )
    },
    PATIENCE_MS,
  )
}

/** Somebody with a login of the brokers, who writes as any client does. */
async function neighbour(t: TestContext, broker: string, topic: string) {
  const producer = new Producer({ clientId: 'mallory', bootstrapBrokers: [broker] })
  t.after(() => producer.close())
  return async ({ topic: to, key, value, headers = {} }: Forged) => {
    const bytes = (text: string | Buffer | null) => (text === null ? null : Buffer.from(text as string))
    const message = {
      topic: to === 'events' ? topic : `${topic}-vedette`,
      partition: 0,
      key: bytes(key) as Buffer,
      value: bytes(value) as Buffer,
      headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
    }
    await producer.send({ acks: -1, messages: [message] })
  }
}

/** Takes the epoch of whoever leads, as a claim does: that one is fenced, and claims anew. */
async function takeEpoch(t: TestContext, broker: string, topic: string): Promise<void> {
  const client = await connectKafka({ brokers: [broker], clientId: 'mallory' })
  t.after(() => client.close())
  // Brokers are known once a topic was asked for.
  await client.topic(topic)
  const producer = await createProducer(
    client,
    () => 1,
    async () => {},
    systemClock,
  )
  await beginTransactions(producer, `${topic}-vedette/default/clock`)
}
