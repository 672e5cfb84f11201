/**
 * The exchange there and back on nodes that really run Pods, from the state that Argo Events leaves, under load. NATS, Kubernetes, our image and `vedette
 * migrate` are real; what stands for Argo Events' own program is said in test/controller/theirs/main.ts. Judged by the stream, read at the end.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { type Logged, readStream } from './stream-log.ts'
import { without } from '../servers/cache.ts'
import { electorBinary } from '../servers/client-go.ts'
import { withoutNodes } from '../servers/kubernetes/build.ts'
import type { Kubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'
import type { Golden } from '../controller/argo-events.ts'
import { IMAGE, vedetteAt } from '../controller/exchange-rig.ts'
import type { Plain } from '../controller/rig.ts'
import { followRollouts, makeBus, makeSource, playTheirController, startTheirCluster } from '../controller/theirs/cluster.ts'
import { eventsOf, hooksOf, isOurs, judgeRow, type Load, type Phase, rowOf, startLoad } from '../controller/theirs/load.ts'
import { theirNativeBus } from '../controller/theirs/objects.ts'
import { ACCOUNT, type Kind, RIGHTS, sourcesOf } from '../controller/theirs/sources.ts'

const skip =
  withoutNodes() ||
  without("NATS as Argo Events' latest", natsBinary('argo')) ||
  without("client-go's elector", electorBinary())
const FULL = process.env.VEDETTE_FULL === '1'
const TIMES = FULL ? 3 : 1
const NAMESPACES = FULL ? ['shop', 'depot'] : ['shop']
const SOURCES = FULL ? 10 : 5
/** Of one EventSource, from the change of its Deployment to the last Pod. */
const READY_MS = 30_000

/** What Argo Events' Pods lose when they follow ours: they begin at their own now, once they are elected and have found the bus. */
const MOST_LOST_MS = 10_000

/** A namespace with its bus, its EventSources and what comes in. */
interface Place {
  namespace: string
  files: string
  sources: { kind: Kind; object: KubeObject }[]
}

suite('the exchange on nodes', { skip, timeout: FULL ? 2_400_000 : 600_000 }, () => {
  let kubernetes: Kubernetes
  const undo: (() => unknown)[] = []
  const places: Place[] = []

  before(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-exchange-'))
    chmodSync(dir, 0o755)
    undo.push(() => rmSync(dir, { recursive: true, force: true }))
    kubernetes = await startTheirCluster(dir)
    undo.push(() => kubernetes.stop())
    const { client } = kubernetes
    const goldens: Golden[] = []
    for (const namespace of NAMESPACES) {
      await kubernetes.namespace(namespace)
      await kubernetes.account(namespace, ACCOUNT, RIGHTS)
      const files = join(dir, namespace)
      mkdirSync(files)
      const bus = theirNativeBus(namespace)
      await makeBus(client, bus)
      const sources = sourcesOf(namespace, SOURCES, files)
      goldens.push(bus)
      for (const { object } of sources) goldens.push(await makeSource(client, object, bus))
      await client.apply(resources.sensors, sensorIn(namespace), { manager: 'user' })
      places.push({ namespace, files, sources })
    }
    undo.push(playTheirController(client, goldens))
    for (const place of places)
      await until(`the servers of ${place.namespace} are up`, () => busSettled(place), 180_000)
  })
  after(async () => {
    for (const step of undo.reverse()) await step()
  })

  const busSettled = async ({ namespace }: Place) => {
    const place = { namespace, name: 'eventbus-default-js' }
    const live = await kubernetes.client.get(resources.statefulsets, place)
    const { readyReplicas = 0, updateRevision, currentRevision } = ((live as Plain | null)?.status ?? {}) as Plain
    return readyReplicas === 3 && updateRevision === currentRevision
  }

  /** As the administrator of the bus, straight to its servers. */
  const connectTo = async ({ namespace }: Place): Promise<NatsConnection> => {
    const { items } = await kubernetes.client.list(resources.pods, {
      namespace,
      labelSelector: 'eventbus-name=default',
    })
    const servers = items.map(({ status }) => `${(status as Plain).podIP}:4222`)
    return await connect({
      servers,
      user: 'u',
      pass: 'p',
      ignoreClusterUpdates: true,
      tls: { rejectUnauthorized: false } as object,
    })
  }
  const eventsIn = async (place: Place): Promise<Logged[]> => {
    const nc = await connectTo(place)
    try {
      return (await readStream(nc)).events
    } finally {
      await nc.close()
    }
  }

  /** Waits until each entry has told of some more, all by the one or the other. */
  const told = async (ours: boolean) => {
    for (const place of places) {
      const before = new Map<string, number>()
      const count = (events: Logged[], name: string) =>
        eventsOf(events, name).filter((one) => isOurs(one) === ours).length
      await until(
        `all of ${place.namespace} is served by ${ours ? 'ours' : 'theirs'}`,
        async () => {
          await pause(1_000)
          const events = await eventsIn(place).catch(() => [])
          return place.sources.every(({ object: { metadata } }) => {
            const now = count(events, metadata.name)
            if (!before.has(metadata.name)) before.set(metadata.name, now)
            return now >= before.get(metadata.name)! + 5
          })
        },
        120_000,
      )
    }
  }

  const addressOf = async (namespace: string, name: string) =>
    ((await kubernetes.client.get(resources.services, { namespace, name: `${name}-eventsource-svc` })) as Plain | null)
      ?.spec.clusterIP as string | undefined
  const addresses = async () => {
    const all: Record<string, string | undefined> = {}
    for (const { namespace, sources } of places)
      for (const { kind, object } of sources)
        if (kind === 'hooks')
          all[`${namespace}/${object.metadata.name}`] = await addressOf(namespace, object.metadata.name)
    return all
  }
  const sensors = async () =>
    (await kubernetes.client.list(resources.sensors)).items.map(({ metadata, spec }) => ({
      ...{ uid: metadata.uid, generation: metadata.generation, finalizers: metadata.finalizers, spec },
    }))
  const loadOf = async (t: TestContext): Promise<Map<Place, Load>> => {
    const all = new Map<Place, Load>()
    for (const place of places) {
      const hooks = await Promise.all(
        place.sources
          .filter(({ kind }) => kind === 'hooks')
          .map(
            async ({ object: { metadata } }) =>
              [metadata.name, (await addressOf(place.namespace, metadata.name))!] as const,
          ),
      )
      all.set(place, startLoad(t, kubernetes.client, { ...place, hooks }))
    }
    return all
  }

  test(`there and back, ${TIMES} times: nothing lost, nothing doubled, addresses stay`, async (t) => {
    t.after(async () => t.passed || process.stderr.write(await troubles(kubernetes)))
    const vedette = vedetteAt(kubernetes)
    const cluster = ['--image', IMAGE, '--timeout', '240']
    await until(
      'their Pods have made the Services',
      async () => Object.values(await addresses()).every(Boolean),
      60_000,
    )
    const load = await loadOf(t)
    await told(false)
    const lasting = { addresses: await addresses(), sensors: await sensors() }
    const phases: Phase[] = []

    for (let i = 0; i < TIMES; i++) {
      const plan = await vedette('migrate', 'plan', ...cluster, '--json')
      assert.equal(plan.code, 0, plan.err)
      const { steps } = JSON.parse(plan.out) as { steps: { object: string }[] }
      const planned = new Set(steps.map(({ object }) => object))
      for (const { namespace, sources } of places) {
        assert.ok(planned.has(`StatefulSet ${namespace}/eventbus-default-js`))
        assert.ok(planned.has(`Sensor ${namespace}/orders`))
        for (const { object } of sources) assert.ok(planned.has(`EventSource ${namespace}/${object.metadata.name}`))
      }

      const rollouts = followRollouts(kubernetes.client, IMAGE)
      const there = performance.now()
      const fromMs = Date.now()
      const { code, err } = await vedette('migrate', 'apply', ...cluster)
      t.diagnostic(`apply took ${((performance.now() - there) / 1_000).toFixed(0)} s`)
      await rollouts.stop()
      assert.equal(code, 0, err)
      await told(true)
      phases.push({ name: 'there', fromMs, toMs: Date.now() })
      for (const [name, tookMs] of rollouts.took) {
        t.diagnostic(`${name}: every Pod ours and ready after ${(tookMs / 1_000).toFixed(1)} s`)
        assert.ok(tookMs <= READY_MS, `${name} took ${tookMs} ms`)
      }
      assert.equal(rollouts.took.size, places.length * SOURCES)
      for (const place of places) await until('the servers are all replaced', () => busSettled(place), 300_000)
      t.diagnostic(`and the servers of the bus after ${((performance.now() - there) / 1_000).toFixed(0)} s`)
      assert.deepEqual({ addresses: await addresses(), sensors: await sensors() }, lasting)

      const backMs = Date.now()
      const back = await vedette('migrate', 'back', ...cluster)
      t.diagnostic(`back took ${((Date.now() - backMs) / 1_000).toFixed(0)} s`)
      assert.equal(back.code, 0, back.err)
      await told(false)
      phases.push({ name: 'back', fromMs: backMs, toMs: Date.now() })
      assert.deepEqual({ addresses: await addresses(), sensors: await sensors() }, lasting)
      for (const place of places) await until('the servers are settled', () => busSettled(place), 300_000)
    }

    for (const place of places) {
      const { crowds, stop } = load.get(place)!
      const made = await stop()
      const events = await eventsIn(place)
      for (const { kind, object } of place.sources) {
        const { name } = object.metadata
        const say = (text: string) => t.diagnostic(`${place.namespace}/${name}: ${text}`)
        if (kind === 'hooks') {
          const { acknowledged, lost, doubled, repeated } = hooksOf(events, name, crowds.get(name)!)
          say(`${acknowledged} requests, ${repeated} attempts repeated, ${doubled.length} there twice`)
          assert.deepEqual(lost, [])
          assert.ok(doubled.length <= repeated, `${doubled}`)
          continue
        }
        const times = kind === 'drop' || kind === 'maps' ? made[kind] : null
        const row = rowOf(events, kind, name, times === null ? undefined : times.length - 1)
        const atMs = (n: number) => times?.[n] ?? n * 1_000
        say(JSON.stringify(row).slice(0, 500))
        say(judgeRow(row, { phases, atMs, mostMs: MOST_LOST_MS, retells: kind === 'maps' }))
      }
    }
  })
})

const sensorIn = (namespace: string): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Sensor',
  metadata: { name: 'orders', namespace, finalizers: ['sensor-controller'] },
  spec: {
    dependencies: [{ name: 'order', eventSourceName: 'hooks', eventName: 'order' }],
    triggers: [{ template: { name: 'log', log: {} } }],
  },
})

/** For whoever wants to know why it failed. */
async function troubles({ client }: Kubernetes): Promise<string> {
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
