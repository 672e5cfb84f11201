/** An exchange to be: namespaces as Argo Events leaves them, each with a bus, EventSources of every kind and a Sensor. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type KubeObject, resources } from '../../../src/kube/resources.ts'
import { until } from '../../contract/bus.ts'
import { type Logged, readStream } from '../../faults/stream-log.ts'
import type { Kubernetes } from '../../servers/kubernetes.ts'
import type { Golden } from '../argo-events.ts'
import type { Plain } from '../rig.ts'
import { makeBus, makeSource, playTheirController, startTheirCluster } from './cluster.ts'
import { eventsOf, isOurs, type Load, startLoad } from './load.ts'
import { theirNativeBus } from './objects.ts'
import { ACCOUNT, type Kind, RIGHTS, sourcesOf } from './sources.ts'

export interface Place {
  namespace: string
  /** A folder of the machine that all Pods see. */
  files: string
  sources: { kind: Kind; object: KubeObject }[]
}

export interface Exchanged {
  readonly kubernetes: Kubernetes
  readonly places: readonly Place[]
  /** Webhook senders, files and objects, in each namespace. */
  load(t: Pick<TestContext, 'after'>): Promise<ReadonlyMap<Place, Load>>
  /** Waits until each entry has told of some more by the ones or the others. @param slower than on a machine with little to do */
  served(by: 'ours' | 'theirs', slower?: number): Promise<void>
  /** The whole stream. */
  eventsIn(place: Place): Promise<Logged[]>
  /** Addresses of Services and Sensors as they are: nothing of it changes. */
  lasting(): Promise<object>
  /** The Pods of the buses, and how often their containers were started anew. */
  servers(): Promise<object>
  /** What Pods are there and how they are, for people. */
  troubles(): Promise<string>
  stop(): Promise<void>
}

/** Resolves when the servers of every bus are up. @param count EventSources in each namespace */
export async function startExchange(namespaces: readonly string[], count: number): Promise<Exchanged> {
  const undo: (() => unknown)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-exchange-'))
    chmodSync(dir, 0o755)
    undo.push(() => rmSync(dir, { recursive: true, force: true }))
    const kubernetes = await startTheirCluster(dir)
    undo.push(() => kubernetes.stop())
    const goldens: Golden[] = []
    const places: Place[] = []
    for (const namespace of namespaces) {
      const files = join(dir, namespace)
      mkdirSync(files)
      const place = { namespace, files, sources: sourcesOf(namespace, count, files) }
      goldens.push(...(await furnish(kubernetes, place)))
      places.push(place)
    }
    undo.push(playTheirController(kubernetes.client, goldens))
    for (const { namespace } of places)
      await until(`the servers of ${namespace} are up`, () => serversUp(kubernetes, namespace), 240_000)
    return exchangeIn(kubernetes, places, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

/** @returns what their controller makes of it all */
async function furnish(kubernetes: Kubernetes, { namespace, sources }: Place): Promise<Golden[]> {
  const { client } = kubernetes
  await kubernetes.namespace(namespace)
  await kubernetes.account(namespace, ACCOUNT, RIGHTS)
  const bus = theirNativeBus(namespace)
  await makeBus(client, bus)
  const goldens: Golden[] = [bus]
  for (const { object } of sources) goldens.push(await makeSource(client, object, bus))
  await client.apply(resources.sensors, sensorIn(namespace), { manager: 'user' })
  return goldens
}

const sensorIn = (namespace: string): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Sensor',
  metadata: { name: 'orders', namespace },
  spec: {
    dependencies: [{ name: 'order', eventSourceName: 'hooks', eventName: 'order' }],
    triggers: [{ template: { name: 'log', log: {} } }],
  },
})

const STATEFUL_SET = 'eventbus-default-js'

async function serversUp({ client }: Kubernetes, namespace: string): Promise<boolean> {
  const live = (await client.get(resources.statefulsets, { namespace, name: STATEFUL_SET })) as Plain | null
  return live?.status?.readyReplicas === 3
}

function exchangeIn(kubernetes: Kubernetes, places: readonly Place[], stop: () => Promise<void>): Exchanged {
  const { client } = kubernetes
  const hooksIn = async ({ namespace, sources }: Place) => {
    const names = sources.filter(({ kind }) => kind === 'hooks').map(({ object }) => object.metadata.name)
    return await Promise.all(
      names.map(async (name) => {
        const service = await client.get(resources.services, { namespace, name: `${name}-eventsource-svc` })
        return [name, (service as Plain | null)?.spec.clusterIP as string | undefined] as const
      }),
    )
  }
  const eventsIn = async (place: Place): Promise<Logged[]> => {
    const nc = await connectTo(kubernetes, place)
    try {
      return (await readStream(nc)).events
    } finally {
      await nc.close()
    }
  }
  return {
    ...{ kubernetes, places, eventsIn, stop },
    async load(t) {
      const all = new Map<Place, Load>()
      for (const place of places) {
        await until('the Services are made', async () => (await hooksIn(place)).every(([, address]) => address), 60_000)
        const hooks = (await hooksIn(place)) as [string, string][]
        all.set(place, startLoad(t, client, { ...place, hooks }))
      }
      return all
    },
    async served(by, slower = 1) {
      for (const place of places) {
        const before = new Map<string, number>()
        const more = async () => {
          await pause(1_000)
          const events = (await eventsIn(place).catch(() => [])).filter((one) => isOurs(one) === (by === 'ours'))
          return place.sources.every(({ object: { metadata } }) => {
            const now = eventsOf(events, metadata.name).length
            if (!before.has(metadata.name)) before.set(metadata.name, now)
            return now >= before.get(metadata.name)! + 5
          })
        }
        await until(`${by} serve all of ${place.namespace}`, more, 120_000 * slower)
      }
    },
    async lasting() {
      const addresses = await Promise.all(places.map(hooksIn))
      const { items } = await client.list(resources.sensors)
      const sensors = items.map(({ metadata: { uid, generation, finalizers }, spec }) => ({
        uid,
        generation,
        finalizers,
        spec,
      }))
      return { addresses, sensors }
    },
    async servers() {
      const { items } = await client.list(resources.pods, { labelSelector: 'controller=eventbus-controller' })
      return items
        .map(({ metadata: { namespace, name, uid }, status }) => {
          const { containerStatuses = [] } = status as Plain
          return [namespace, name, uid, ...containerStatuses.map(({ restartCount }: Plain) => restartCount)].join(' ')
        })
        .sort()
    },
    troubles: () => troublesOf(kubernetes),
  }
}

/** As the account of events, straight to the servers. */
async function connectTo({ client }: Kubernetes, { namespace }: Place): Promise<NatsConnection> {
  const { items } = await client.list(resources.pods, { namespace, labelSelector: 'eventbus-name=default' })
  const servers = items.flatMap(({ status }) => {
    const { podIP } = status as { podIP?: string }
    return podIP === undefined ? [] : [`${podIP}:4222`]
  })
  const tls = { rejectUnauthorized: false } as object
  return await connect({ servers, user: 'u', pass: 'p', ignoreClusterUpdates: true, tls })
}

async function troublesOf({ client }: Kubernetes): Promise<string> {
  const { items } = await client.list(resources.pods)
  return items
    .map(({ metadata, status }) => {
      const { phase, containerStatuses = [] } = status as Plain
      const states = (containerStatuses as Plain[]).map(({ name, ready, restartCount, state, lastState }) =>
        JSON.stringify({ name, ready, restartCount, ...state, last: lastState }),
      )
      return `${metadata.namespace}/${metadata.name} ${phase} ${states.join(' ')}\n`
    })
    .join('')
}
