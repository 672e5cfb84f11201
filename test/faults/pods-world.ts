/**
 * What a fault happens to in Kubernetes: a cluster whose nodes really run Pods, Vedette installed in it as shipped, and for each row an
 * EventSource in a namespace of its own, on a nats-server of its own, whose entries tick ten times a second and take webhooks by
 * its Service. Judged by the stream, as every row.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { install } from '../../src/controller/install/install.ts'
import { leadIn } from '../../src/controller/podMetrics.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { definitions, resourceFor } from '../controller/rig.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { vedetteImage } from '../servers/kubernetes/images.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { startNats } from '../servers/nats.ts'
import { endsOf } from './load.ts'
import { followPods, type PodSeen, processIn } from './pods-seen.ts'
import { type Crowd, startCrowd } from './senders.ts'
import { readStream } from './stream-log.ts'
import type { Ticking } from './ticks.ts'
import type { Verdict } from './verdict.ts'
import { judgeLog } from './world.ts'

/** Two names of one image: what runs, and what it is updated to. */
export const IMAGES = ['localhost/vedette:test', 'localhost/vedette:next'] as const

export interface Cluster extends Kubernetes {
  /** The real one, as the administrator. @returns what it printed */
  kubectl(...args: string[]): Promise<string>
  /** Installs Vedette, or updates it to another image, and waits until the controller is of it. */
  install(image: string): Promise<void>
}

/** Two nodes with Vedette installed. */
export async function startCluster(dir: string): Promise<Cluster> {
  const kubernetes = await startKubernetes({ nodes: 2, images: [await vedetteImage(dir, ...IMAGES)] })
  const binary = join(kubernetesBinaries(['kubectl'])!, 'kubectl')
  const cluster: Cluster = {
    ...kubernetes,
    async kubectl(...args) {
      const { stdout } = await promisify(execFile)(binary, ['--kubeconfig', kubernetes.kubeconfig, ...args])
      return stdout
    },
    async install(image) {
      for (const object of install({ definitions: await definitions(), image }))
        await kubernetes.client.apply(resourceFor(object), object, { manager: 'installer' })
      await cluster.kubectl('-n', 'argo-events', 'rollout', 'status', 'deployment/controller-manager', '--timeout=120s')
    },
  }
  try {
    await cluster.install(IMAGES[0])
    return cluster
  } catch (error) {
    await kubernetes.stop()
    throw error
  }
}

export interface PodLeader extends PodSeen {
  term: number
}

export type Lease = KubeObject & { spec: { holderIdentity?: string; renewTime?: string } }

export interface PodsWorld {
  readonly cluster: Cluster
  readonly namespace: string
  readonly nc: NatsConnection
  readonly crowd: Crowd
  /** `kubectl` in the world's namespace. */
  kubectl(...args: string[]): Promise<string>
  /** Those that have not been told to end. */
  pods(): PodSeen[]
  /** Resolves when so many Pods are there and ready, and no other is left. */
  settled(replicas: number, timeoutMs?: number): Promise<void>
  /** Who serves the calendar, by its own metrics; waits for it. */
  leader(): Promise<PodLeader>
  /** By `performance.now`, when the first event of a term newer than this one was stored; waits for it. */
  firstAfter(term: number): Promise<number>
  /** Signals the process in the Pod's container. */
  signal(pod: PodSeen, signal: NodeJS.Signals): void
  /** Of this Pod's containers one may end other than with 0. */
  mayDie(pod: PodSeen): void
  /** Ends of containers that nobody wanted, each with its code. */
  unwantedEnds(): string[]
  /** Waits until ticks and webhooks are stored that came after the call. */
  goesOn(timeoutMs?: number): Promise<void>
  lease(): Promise<Lease | null>
}

export const LEASE = 'eventsource-clock'
const METRICS_PORT = 7777
const WEBHOOK_PORT = 12_000
const ENTRIES = 8

export async function startPodsWorld(
  t: Pick<TestContext, 'after' | 'passed'>,
  cluster: Cluster,
  namespace: string,
  { replicas, senders = 10 }: { replicas: number; senders?: number },
): Promise<PodsWorld> {
  const ends = endsOf(t)
  const nats = await startNats({ host: new URL(cluster.url).hostname })
  ends.push(() => nats.close())
  const nc = await connect({ servers: nats.urls, maxReconnectAttempts: -1 })
  ends.push(() => nc.close())
  let ticks = 0
  /** By term. */
  const firsts = new Map<number, number>()
  nc.subscribe('default.clock.beat0', {
    callback: (_, { headers }) => {
      ticks++
      const term = Number(headers?.get('Vedette-Term'))
      if (!firsts.has(term)) firsts.set(term, performance.now())
    },
  })

  await cluster.namespace(namespace)
  ends.push(() => cluster.kubectl('delete', 'namespace', namespace, '--wait=false'))
  const kubectl = (...args: string[]) => cluster.kubectl('-n', namespace, ...args)
  const seen = followPods(cluster.client, namespace)
  ends.push(() => seen.stop())
  ends.push(async () => t.passed || process.stderr.write(await logsOf(kubectl)))
  const user = { manager: 'user' }
  await cluster.client.apply(resources.eventbus, busIn(namespace, nats.urls[0]!), user)
  await cluster.client.apply(resources.eventsources, clockIn(namespace, replicas), user)

  const settled = (count: number, timeoutMs = 90_000) =>
    until(`${count} Pods are ready and no other is left`, () => seen.settledAt(count), timeoutMs)
  await settled(replicas, 150_000)
  const address = await kubectl('get', 'service', 'clock-eventsource-svc', '-o', 'jsonpath={.spec.clusterIP}')
  const crowd = startCrowd(t, `http://${address}/orders`, { senders, pauseMs: 50 })
  const world: PodsWorld = {
    ...{ cluster, namespace, nc, crowd, kubectl, settled },
    pods: seen.pods,
    mayDie: ({ uid }) => seen.mayDie(uid),
    unwantedEnds: seen.unwantedEnds,
    async leader() {
      let leader: PodLeader | undefined
      const found = async () => {
        for (const pod of seen.pods()) {
          const term = await termLedBy(pod)
          if (term !== null) leader = { ...pod, term }
        }
        return leader !== undefined
      }
      await until('somebody leads', found, 30_000)
      return leader!
    },
    async firstAfter(term) {
      const first = () => [...firsts].find(([of]) => of > term)?.[1]
      await until(`an event of a term after ${term} is stored`, () => first() !== undefined, 30_000)
      return first()!
    },
    signal(pod, signal) {
      if (signal === 'SIGKILL') seen.mayDie(pod.uid)
      process.kill(processIn(pod), signal)
    },
    async goesOn(timeoutMs = 30_000) {
      const [ticked, acknowledged] = [ticks, crowd.acknowledged.length]
      await until('the calendar ticks on', () => ticks > ticked + 10, timeoutMs)
      await until('senders are answered 200', () => crowd.acknowledged.length > acknowledged + 10, timeoutMs)
    },
    lease: () => cluster.client.get<Lease>(resources.leases, { namespace, name: LEASE }),
  }
  await world.leader()
  await world.goesOn()
  // A standby trusts no connection younger than a second.
  await pause(1_100)
  return world
}

/** Ends the load and judges: nothing lost, nothing doubled, nothing of an older term, and nothing ended that was not meant to. */
export async function judgePods(world: PodsWorld): Promise<Verdict> {
  const { namespace, crowd, nc } = world
  await world.goesOn()
  await crowd.stop()
  const beats = entriesOf(namespace)
  const verdict = judgeLog(await readStream(nc), crowd.acknowledged, beats, 'default.clock.order')
  assert.deepEqual(world.unwantedEnds(), [], 'containers ended')
  return verdict
}

const entriesOf = (namespace: string): Ticking[] =>
  Array.from({ length: ENTRIES }, (_, i) => ({ namespace, entry: `beat${i}`, everyMs: 100 }))

const busIn = (namespace: string, url: string): KubeObject => ({
  ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', metadata: { name: 'default', namespace } },
  spec: { jetstreamExotic: { url, streamConfig: 'replicas: 1' } },
})

/** As the seed's: elected by a Lease. Both strategies are in one object, so that a fault hits both. */
const clockIn = (namespace: string, replicas: number): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name: 'clock', namespace, annotations: { 'events.argoproj.io/leader-election': 'k8s' } },
  spec: {
    replicas,
    service: { ports: [{ port: 80, targetPort: WEBHOOK_PORT }] },
    calendar: Object.fromEntries(
      entriesOf(namespace).map(({ entry, everyMs }) => [entry, { interval: `${everyMs}ms` }]),
    ),
    webhook: { order: { port: `${WEBHOOK_PORT}`, endpoint: '/orders', method: 'POST' } },
  },
})

/** The term that this Pod leads with; null: it does not lead, or does not answer. */
async function termLedBy({ ip }: PodSeen): Promise<number | null> {
  const metrics = await metricsOf(ip)
  return leadIn(metrics).leads ? Number(metrics.match(/^vedette_term\{.*\} (\d+)$/m)?.[1]) : null
}

async function metricsOf(ip: string): Promise<string> {
  try {
    const answer = await fetch(`http://${ip}:${METRICS_PORT}/metrics`, { signal: AbortSignal.timeout(1_000) })
    return await answer.text()
  } catch {
    return ''
  }
}

/** For whoever wants to know why it failed. */
async function logsOf(kubectl: PodsWorld['kubectl']): Promise<string> {
  const parts = await Promise.allSettled([
    kubectl('get', 'pods,leases,eventsources,eventbus', '-o', 'wide'),
    kubectl('get', 'events', '--sort-by=.lastTimestamp'),
    kubectl('logs', '-l', 'eventsource-name=clock', '--prefix', '--tail=30'),
  ])
  return parts.map((part) => (part.status === 'fulfilled' ? part.value : String(part.reason))).join('\n')
}
