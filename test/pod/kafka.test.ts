/**
 * `vedette eventsource-service` with all that the controller gives it for an EventBus on Kafka: it elects by a Kubernetes Lease, with the
 * rights of the controller's own Role, and logs in with the mounted Secrets. On a real kube-apiserver and a real broker.
 */

import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import type { Bus } from '../../src/bus/bus.ts'
import { openKafkaBus } from '../../src/buses/kafka/open.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { readAll, until } from '../contract/bus.ts'
import { median } from '../faults/rig.ts'
import { assertTermsRise } from '../faults/terms.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { KAFKA_PASSWORD, KAFKA_USER, type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, type PolicyRule, startKubernetes } from '../servers/kubernetes.ts'
import { allReady, anyLeader, killLeaders, lastLink, leaderOf, linesOf, type Pod, startPod } from './pods.ts'
import { renderedPod } from './rendered.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('Kafka', kafkaJars())

/** Of a tick in each 100 ms. */
const ticks = { namespace: 'default', entry: 'tick', everyMs: 100 }
const lease = { namespace: 'default', name: 'eventsource-clock' }
const PATIENCE_MS = 60_000

const manifestOf = (url: string, topic: string) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec:
  kafka:
    url: ${url}
    topic: ${topic}
    tls: { caCertSecret: { name: kafka-ca, key: ca.crt } }
    sasl:
      mechanism: SCRAM-SHA-512
      userSecret: { name: kafka-login, key: user }
      passwordSecret: { name: kafka-login, key: password }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: clock }
spec:
  replicas: 3
  calendar:
    tick: { interval: 100ms }
`

suite('Pods on Kafka, elected by a Kubernetes Lease', { skip, timeout: 600_000 }, () => {
  let cluster: Kubernetes
  let kafka: KafkaServer
  before(async () => {
    ;[cluster, kafka] = await Promise.all([startKubernetes({ controllers: false }), startKafka()])
  })
  after(() => Promise.all([cluster?.stop(), kafka?.close()]))

  const holder = async () => (await cluster.client.get<Lease>(resources.leases, lease))?.spec.holderIdentity

  /** Three Pods, once one of them leads; each test with a topic and a Lease of its own. */
  async function pods(t: TestContext, topic: string) {
    await cluster.client.delete(resources.leases, lease)
    const secrets = {
      'kafka-ca': { 'ca.crt': kafka.ca },
      'kafka-login': { user: KAFKA_USER, password: KAFKA_PASSWORD },
    }
    const all = await Promise.all(
      ['clock-a', 'clock-b', 'clock-c'].map(async (name) => {
        const { objects, env, files } = await renderedPod(manifestOf(kafka.secure, topic), secrets, name)
        const rules = objects.find(({ kind }) => kind === 'Role')!.rules as PolicyRule[]
        const KUBECONFIG = cluster.kubeconfigFor(await cluster.account('default', 'eventsource', rules), 'default')
        return await startPod(t, { name, env: { ...env, KUBECONFIG }, files })
      }),
    )
    const bus = await reader(t, kafka, topic)
    await anyLeader(all, PATIENCE_MS)
    return {
      all,
      leader: async () => (await leaderOf(all)) as Pod,
      linked: (leading: Pod) =>
        until(
          'the standbys have found the leader',
          () => all.every((pod) => pod === leading || lastLink(pod) === leading.name),
          PATIENCE_MS,
        ),
      /** Waits for another leader, whom the Lease then names. */
      async next(gone: Pod): Promise<Pod> {
        const next = await anyLeader(
          all.filter((pod) => pod !== gone),
          PATIENCE_MS,
        )
        assert.equal(await holder(), next.name)
        return next
      },
      /** Waits until ticks are committed that came after the call. */
      async goesOn(): Promise<void> {
        const before = (await linesOf(bus, 'clock', 'tick')).length
        await until('it ticks on', async () => (await linesOf(bus, 'clock', 'tick')).length > before + 5, PATIENCE_MS)
      },
      /** Every tick so far is committed, once, and no older term wrote after a newer one. @returns how many, and how many terms */
      async check(): Promise<{ ticks: number; terms: number }> {
        const terms = assertTermsRise(await readAll(bus, { eventSource: 'clock' })).size
        return { ticks: assertEveryTickOnce(await linesOf(bus, 'clock', 'tick'), ticks), terms }
      },
    }
  }

  const kills = FULL ? 10 : 2
  test(`${kills} times kill -9 of the leader: the Lease moves to the next, every tick on the topic once`, async (t) => {
    const { leader, linked, next, goesOn, check } = await pods(t, 'killed')
    await goesOn()
    const gaps = await killLeaders(kills, { leader, linked, next })
    await goesOn()
    const found = await check()
    t.diagnostic(
      `${found.ticks} ticks of ${found.terms} terms; kill to next leader: median ${median(gaps).toFixed(0)} ms, max ${Math.max(...gaps).toFixed(0)} ms`,
    )
    assert.ok(found.terms > kills, 'each leader wrote')
  })

  test('SIGTERM: the leader ends with 0, and the next one leads by the Lease', async (t) => {
    const { leader, linked, next, goesOn, check } = await pods(t, 'ended')
    const leading = await leader()
    await linked(leading)
    await goesOn()
    leading.child.kill('SIGTERM')
    assert.equal(await leading.exited(), 0)
    await next(leading)
    await goesOn()
    await check()
  })

  if (!FULL) return
  test('the broker is killed and starts again: no Pod ends, and every tick is on the topic once', async (t) => {
    const { all, goesOn, check } = await pods(t, 'restarted')
    await goesOn()
    await kafka.crash()
    await allReady(all, 60_000)
    await goesOn()
    for (const pod of all) assert.equal(pod.child.exitCode, null)
    await check()
  })
})

type Lease = KubeObject & { spec: { holderIdentity?: string } }

/** Reads the topic without encryption or login. */
async function reader(t: TestContext, { broker }: KafkaServer, topic: string): Promise<Bus> {
  const place = { namespace: 'default', name: 'default', session: 'test' }
  const secrets = { secret: async () => '' }
  const bus = openKafkaBus({ url: broker, topic }, { ...place, secrets, clock: systemClock, log: silentLogger })
  t.after(() => bus.close())
  await until('the topic can be read', () => bus.status().connected, PATIENCE_MS)
  return bus
}
