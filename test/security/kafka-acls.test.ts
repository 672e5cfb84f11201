/**
 * A principal of a Kafka bus that may do what one EventSource needs, and nothing else (`vedette render --kafka-acls`): its Pods work under it, and whoever has
 * its password fences nobody else's term, takes nobody's lock, and, with a topic of its own, writes nobody's records. Real brokers with the authorizer of KRaft.
 */

import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import type { Bus } from '../../src/bus/bus.ts'
import { transactionalIdOf } from '../../src/bus/kafka/fence.ts'
import { createProducer } from '../../src/bus/kafka/producer.ts'
import { STATE_TOPIC_CONFIG, stateTopicOf } from '../../src/bus/kafka/state.ts'
import { beginTransactions } from '../../src/bus/kafka/transaction.ts'
import { openKafkaBus } from '../../src/buses/kafka/open.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import { kubeConfiguration } from '../../src/kube/configuration.ts'
import { resources } from '../../src/kube/resources.ts'
import { type KafkaAcl, kafkaAcls } from '../../src/runtime/kafkaAcls.ts'
import { busUses } from '../../src/runtime/natsPermissions.ts'
import { withLease } from '../../src/runtime/registrar/lease.ts'
import { keysOf, readRecords, writeRecords } from '../../src/runtime/registrar/records.ts'
import { event, kinds, until } from '../contract/bus.ts'
import { claimOf } from '../contract/jetstream.fixture.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { startCrowd } from '../faults/senders.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { allReady, anyLeader, linesOf, startPod } from '../pod/pods.ts'
import { renderedPod } from '../pod/rendered.ts'
import { without } from '../servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, type PolicyRule, startKubernetes } from '../servers/kubernetes.ts'
import { freePorts } from '../servers/process.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('Kafka', kafkaJars())
const PATIENCE_MS = 60_000
const mine = { namespace: 'default', name: 'clock' }
const theirs = { namespace: 'default', name: 'theirs' }
const entries = [
  { type: 'calendar', name: 'tick' },
  { type: 'webhook', name: 'order' },
  { type: 'github', name: 'hub' },
]
const SHARED = 'events'
const APART = 'apart'
const OF_PODS = 'pods'
/** Principals: of each EventSource on the shared topic, of one with a topic of its own, and those that lack one right each. */
const passwords: Record<string, string> = { clock: 'SecretOfMine', theirs: 'SecretOfTheirs', apart: 'SecretOfApart' }
const LACKING = 7
for (let i = 0; i < LACKING; i++) passwords[`lacks${i}`] = `SecretOfLacking${i}`

suite('principals of a Kafka bus', { skip, timeout: 600_000 }, () => {
  let kafka: KafkaServer
  let admin: Admin
  let uses: Awaited<ReturnType<typeof busUses>>
  before(async () => {
    kafka = await startKafka({ restricted: passwords })
    admin = new Admin({ clientId: 'admin', bootstrapBrokers: [kafka.broker] })
    uses = await busUses(entries)
    for (const topic of [SHARED, APART, OF_PODS]) {
      const configs = Object.entries(STATE_TOPIC_CONFIG).map(([name, value]) => ({ name, value }))
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
      await admin.createTopics({ topics: [stateTopicOf(topic)], partitions: 1, replicas: 1, configs })
    }
    await allow('clock', kafkaAcls(mine, uses, SHARED))
    await allow('clock', kafkaAcls(mine, uses, OF_PODS))
    await allow('theirs', kafkaAcls(theirs, uses, SHARED))
    await allow('apart', kafkaAcls(mine, uses, APART))
  })
  after(async () => {
    await admin?.close()
    await kafka?.close()
  })

  async function allow(user: string, acls: readonly KafkaAcl[]): Promise<void> {
    const creations = acls.flatMap(({ resource, name, operations }) =>
      operations.map((operation) => ({
        resourceType: resource === 'topic' ? ResourceTypes.TOPIC : ResourceTypes.TRANSACTIONAL_ID,
        resourceName: name,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: `User:${user}`,
        host: '*',
        operation: AclOperations[operation === 'Read' ? 'READ' : 'WRITE'],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    )
    await admin.createAcls({ creations })
  }

  const specOf = (topic: string) => ({
    url: kafka.secure,
    topic,
    tls: { caCertSecret: { name: 'kafka', key: 'ca' } },
    sasl: { userSecret: { name: 'kafka', key: 'user' }, passwordSecret: { name: 'kafka', key: 'password' } },
  })
  const secretsOf = (user: string): Record<string, string> => ({ ca: kafka.ca, user, password: passwords[user]! })

  async function openAs(t: TestContext, user: string, topic: string): Promise<Bus> {
    const secret = async (_: string, { key }: { key: string }) => secretsOf(user)[key]!
    const bus = openKafkaBus(specOf(topic), {
      ...{ namespace: 'default', name: 'default', session: user, clock: systemClock, log: silentLogger },
      secrets: { secret },
    })
    t.after(() => bus.close())
    return bus
  }

  const connected = (bus: Bus) => until('the topic is ready', () => bus.status().connected, PATIENCE_MS)

  /** What one EventSource does on the bus. @throws what it may not */
  async function work(bus: Bus, source: typeof mine): Promise<void> {
    await connected(bus)
    const fence = await bus.claim(source, claimOf('r-0'))
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('a', { entry: 'tick', position: 1 })])), ['stored'])
    assert.deepEqual(kinds(await bus.append(source, [event('b', { entry: 'order' })])), ['stored'])
    assert.equal((await bus.saveSnapshot(fence, 'tick', Buffer.from('x'))).outcome, 'stored')
    await bus.loadSnapshot(source, 'tick')
    await bus.tail(source, 'tick', 2)
    await bus.others(source, 'tick', 2)
    await bus.state()
    const keys = keysOf(source, 'hub')
    await withLease(
      { kv: bus.kv, key: keys.lease, holder: 'r', clock: systemClock },
      AbortSignal.timeout(20_000),
      async () => writeRecords(bus.kv, keys.records, await readRecords(bus.kv, keys.records)),
    )
    for (const key of Object.values(keys)) await bus.kv.delete(key)
  }

  test('it works with exactly these', async (t) => {
    await work(await openAs(t, 'clock', SHARED), mine)
  })

  test('each of them is needed', async (t) => {
    const all = kafkaAcls(mine, uses, SHARED).flatMap(({ operations, ...of }) =>
      operations.map((operation): KafkaAcl => ({ ...of, operations: [operation] })),
    )
    assert.equal(all.length, LACKING)
    for (const [i, lacks] of all.entries()) {
      if (!FULL && i !== 0 && i !== 4) continue
      await allow(
        `lacks${i}`,
        all.filter((one) => one !== lacks),
      )
      const failed = await Promise.race([
        work(await openAs(t, `lacks${i}`, SHARED), mine).then(
          () => null,
          (error: Error) => error.message,
        ),
        // A bus that may not even look never says that it is ready.
        new Promise<string>((resolve) => setTimeout(resolve, 25_000, 'it waits')),
      ])
      assert.notEqual(failed, null, `works without ${lacks.operations} of ${lacks.resource} ${lacks.name}`)
      t.diagnostic(`without ${lacks.operations} of ${lacks.resource} ${lacks.name}: ${failed}`)
    }
  })

  test('a neighbour on the same topics takes neither the term nor a lock, and its leader is not fenced', async (t) => {
    const bus = await openAs(t, 'clock', SHARED)
    await connected(bus)
    const fence = await bus.claim(mine, claimOf('r-1'))
    const neighbour = await openAs(t, 'theirs', SHARED)
    await work(neighbour, theirs)
    await assert.rejects(
      neighbour.claim(mine, claimOf('mallory')),
      /TRANSACTIONAL_ID_AUTHORIZATION_FAILED|not authorized/i,
    )
    for (const key of Object.values(keysOf(mine, 'hub')))
      await assert.rejects(
        neighbour.kv.put(key, Buffer.from('mallory')),
        /TRANSACTIONAL_ID_AUTHORIZATION_FAILED|not authorized/i,
      )
    await assert.rejects(takeEpoch(t, 'theirs', SHARED), /TRANSACTIONAL_ID_AUTHORIZATION_FAILED|not authorized/i)
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('c', { entry: 'tick', position: 2 })])), ['stored'])
    // What the docs say of a shared topic: rights of Kafka go by topic, not by key.
    assert.deepEqual(kinds(await neighbour.append(mine, [event('forged', { entry: 'order' })])), ['stored'])
  })

  test('with a topic of its own it neither writes nor reads the records of others', async (t) => {
    await work(await openAs(t, 'apart', APART), mine)
    const stranger = await openAs(t, 'apart', SHARED)
    await until('it is refused', () => /AUTHORIZATION/i.test(errorOf(stranger)), PATIENCE_MS)
    assert.deepEqual(kinds(await stranger.append(mine, [event('x', { entry: 'order' })])), ['unavailable'])
    await assert.rejects(takeEpoch(t, 'apart', SHARED), /AUTHORIZATION|not authorized/i)
    const other = await openAs(t, 'clock', APART)
    await until('so is the other', () => /AUTHORIZATION/i.test(errorOf(other)), PATIENCE_MS)
  })

  /** The next epoch of the EventSource's transactional id, as a claim takes it, and a record under it. */
  async function takeEpoch(t: TestContext, user: string, topic: string): Promise<void> {
    const client = await connectKafka({
      ...{ brokers: [kafka.secure], clientId: 'mallory', tls: { rejectUnauthorized: true, ca: kafka.ca } },
      sasl: { mechanism: 'PLAIN', username: user, password: passwords[user]! },
    })
    t.after(() => client.close())
    await client.topic(topic)
    const producer = await createProducer(
      client,
      () => 1,
      async () => {},
      systemClock,
    )
    await beginTransactions(producer, transactionalIdOf(stateTopicOf(topic), mine))
  }

  suite('Pods', () => {
    let cluster: Kubernetes
    before(async () => {
      cluster = await startKubernetes({ controllers: false })
    })
    after(() => cluster?.stop())

    test('two of an EventSource serve a calendar and a webhook through kill -9 of the leader; no other account takes its Lease', async (t) => {
      const manifest = (port: number) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec: { kafka: ${JSON.stringify(specOf(OF_PODS))} }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: clock }
spec:
  replicas: 2
  calendar: { tick: { interval: 1000ms } }
  webhook: { order: { endpoint: /orders, method: POST, port: "${port}" } }
`
      const ports = await freePorts(2)
      let rules: PolicyRule[] = []
      const pods = await Promise.all(
        ['clock-a', 'clock-b'].map(async (name, i) => {
          const { objects, env, files } = await renderedPod(manifest(ports[i]!), { kafka: secretsOf('clock') }, name)
          rules = objects.find(({ kind }) => kind === 'Role')!.rules as PolicyRule[]
          const KUBECONFIG = cluster.kubeconfigFor(await cluster.account('default', 'clock', rules), 'default')
          return await startPod(t, { name, env: { ...env, KUBECONFIG }, files })
        }),
      )
      await allReady(pods, PATIENCE_MS)
      const leader = await anyLeader(pods, PATIENCE_MS)
      const crowds = pods.map(({ name }, i) =>
        startCrowd(t, `http://127.0.0.1:${ports[i]}/orders`, { senders: 1, pauseMs: 20, name }),
      )
      const bus = await openAs(t, 'clock', OF_PODS)
      await connected(bus)
      const ticks = async () => await linesOf(bus, 'clock', 'tick')
      await until('it ticks', async () => (await ticks()).length > 0, PATIENCE_MS)
      leader.child.kill('SIGKILL')
      await leader.exited()
      leader.restart()
      const before = (await ticks()).length
      await until('it ticks on', async () => (await ticks()).length > before + 1, PATIENCE_MS)
      await Promise.all(crowds.map((crowd) => crowd.stop()))
      const acknowledged = crowds.flatMap((crowd) => crowd.acknowledged)
      assert.ok(acknowledged.length > 10)
      assertAcknowledgedOnce(await linesOf(bus, 'clock', 'order'), acknowledged)
      t.diagnostic(`${assertEveryTickOnce(await ticks())} ticks, ${acknowledged.length} requests`)
      const refused = pods.flatMap((pod) => pod.log()).filter((line) => /AUTHORIZATION/i.test(JSON.stringify(line)))
      assert.deepEqual(refused, [])

      const others = rules.map((rule) =>
        rule.resourceNames === undefined ? rule : { ...rule, resourceNames: ['eventsource-theirs'] },
      )
      const KUBECONFIG = cluster.kubeconfigFor(await cluster.account('default', 'theirs', others), 'default')
      const client = createKubeClient(await kubeConfiguration({ clock: systemClock, env: { KUBECONFIG } }), systemClock)
      t.after(() => client.close())
      const lease = (await cluster.client.get(resources.leases, { namespace: 'default', name: 'eventsource-clock' }))!
      assert.ok(pods.some(({ name }) => name === (lease.spec as { holderIdentity: string }).holderIdentity))
      const forged = { ...lease, spec: { ...(lease.spec as object), holderIdentity: 'mallory' } }
      await assert.rejects(client.update(resources.leases, forged), { code: 'KUBERNETES_FORBIDDEN' })
    })
  })
})

const errorOf = (bus: Bus): string => {
  const status = bus.status()
  return status.connected ? '' : status.error
}
