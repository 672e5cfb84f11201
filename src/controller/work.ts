/** The loops: what changes in the cluster puts keys into queues, and each key is brought into order. */
import { isVedetteError, messageOf } from '../core/errors.ts'
import type { Informer } from '../kube/informer.ts'
import { createWorkQueue, type WorkQueue } from '../kube/queue.ts'
import { type KubeObject, keyOf } from '../kube/resources.ts'
import { type Applier, createApplier, RESYNC_MS } from './apply.ts'
import { type Cluster, controllerOf } from './cluster.ts'
import { CONTROLLER_LEASE } from './install/rbac.ts'
import type { ControllerMetrics } from './metrics.ts'
import { createPace } from './pace.ts'
import {
  deleteEventBus,
  deleteEventSource,
  deleteSensor,
  guardEventBus,
  guardEventSource,
  guardSensor,
} from './reconcile/deletion.ts'
import { reconcileEventBus } from './reconcile/eventBus.ts'
import { reconcileEventSource } from './reconcile/eventSource.ts'
import { reconcileSensor } from './reconcile/sensor.ts'
import { createTerritory } from './territory.ts'
import { createTurns, type Turn } from './turns.ts'

/** When to look again; undefined: when something changes. */
type Reconcile = (object: KubeObject, room: Room) => Promise<{ afterMs: number } | undefined>

/** What a loop has of its own: a name in the log, and its view of what it has applied. */
interface Room {
  cluster: Cluster
  applier: Applier
  turn: Turn
}

/** When to look again whether a namespace has a controller of its own still. */
const FOREIGN_MS = 15_000

/** Works as long as this process leads. Informers run elsewhere, on standbys too. Never throws. */
export async function runLoops(cluster: Cluster, metrics: ControllerMetrics, signal: AbortSignal): Promise<void> {
  const territory = createTerritory(cluster)
  const pace = createPace(cluster.clock)
  const turns = createTurns({
    clock: cluster.clock,
    atOnce: () => cluster.settings().rollouts,
    next(id) {
      const [loop, key] = id.split(' ') as [string, string]
      const queue = loop === 'sensor-controller' ? loops.Sensor : loops.EventSource
      queue.add(key)
    },
  })
  /** Before whom, by object. */
  const stoodBack = new Map<string, string>()
  const { eventSources, eventBuses, sensors, deployments, statefulSets, services } = cluster
  const loops = {
    EventSource: loop('eventsource-controller', eventSources, async (object, { cluster, applier, turn }) => {
      if (isDeleted(object)) return await deleteEventSource(cluster, object)
      await guardEventSource(cluster, object)
      return await reconcileEventSource(cluster, applier, object, turn)
    }),
    EventBus: loop('eventbus-controller', eventBuses, async (object, { cluster, applier }) => {
      if (isDeleted(object)) return await deleteEventBus(cluster, object)
      await guardEventBus(cluster, object)
      return await reconcileEventBus(cluster, applier, object)
    }),
    Sensor: loop('sensor-controller', sensors, async (object, { cluster, applier, turn }) => {
      if (isDeleted(object)) return await deleteSensor(cluster, object)
      await guardSensor(cluster, object)
      return await reconcileSensor(cluster, applier, object, turn)
    }),
  }

  function loop(name: string, informer: Informer, reconcile: Reconcile): WorkQueue {
    const log = cluster.logOf(name)
    const own: Cluster = { ...cluster, log }
    const applier = createApplier(own)
    return createWorkQueue({
      clock: cluster.clock,
      async work(key) {
        const object = informer.get(key)
        if (object === undefined) {
          turns.of(`${name} ${key}`).end()
          return
        }
        const holder = await territory(object.metadata.namespace!)
        if (holder !== null && stoodBack.get(`${name} ${key}`) !== holder) standBack(own, object, holder)
        if (holder === null) stoodBack.delete(`${name} ${key}`)
        else {
          stoodBack.set(`${name} ${key}`, holder)
          return { afterMs: FOREIGN_MS }
        }
        const waitMs = pace(`${name} ${key}`)
        if (waitMs > 0) return { afterMs: waitMs }
        const turn = turns.of(`${name} ${key}`)
        const again = await metrics
          .timed(name, () => reconcile(object, { cluster: own, applier, turn }))
          .finally(() => turn.end())
        return again ?? { afterMs: RESYNC_MS * (0.9 + 0.2 * Math.random()) }
      },
      onError(key, error, pauseMs) {
        const fields = { namespace: key.split('/')[0], name: key.split('/')[1], retryInMs: Math.round(pauseMs) }
        // Somebody else was faster: what he wrote comes by the watch.
        if (isVedetteError(error, 'KUBERNETES_CONFLICT')) log.debug('changed meanwhile', fields)
        else log.error(`${name}: cannot be brought into order`, { ...fields, error: messageOf(error) })
      },
    })
  }

  /** Of an EventSource, by key: what its user on a native bus depends on. */
  const users = new Map<string, string>()
  const undo = [
    eventSources.onChange((key) => {
      loops.EventSource.add(key)
      const changed = isOtherUser(key)
      // A bus that is being deleted waits for the last who uses it.
      for (const bus of inNamespace(eventBuses, key)) if (changed || isDeleted(bus)) loops.EventBus.add(keyOf(bus))
    }),
    eventBuses.onChange((key) => {
      loops.EventBus.add(key)
      addUsers(key)
    }),
    sensors.onChange((key) => loops.Sensor.add(key)),
    ...[deployments, statefulSets, services].map((informer) =>
      informer.onChange((key) => addOwner(informer.get(key), key)),
    ),
  ]

  /** Not by each word in its status. */
  function isOtherUser(key: string): boolean {
    const object = eventSources.get(key)
    const { uid, generation } = object?.metadata ?? {}
    const before = users.get(key)
    if (object === undefined) users.delete(key)
    else users.set(key, `${uid} ${generation}`)
    return users.get(key) !== before
  }

  function addUsers(bus: string): void {
    for (const object of inNamespace(eventSources, bus)) if (busOf(object) === bus) loops.EventSource.add(keyOf(object))
    for (const object of inNamespace(sensors, bus)) if (busOf(object) === bus) loops.Sensor.add(keyOf(object))
  }

  /** What is gone tells no owner any more: then all of the namespace are looked at. */
  function addOwner(object: KubeObject | undefined, key: string): void {
    const owner = object === undefined ? undefined : controllerOf(object)
    const namespace = key.split('/')[0]
    if (owner !== undefined) {
      if (Object.hasOwn(loops, owner.kind)) loops[owner.kind as keyof typeof loops].add(`${namespace}/${owner.name}`)
      // Whether a bus has volumes of its own decides about it and is known only now.
      if (owner.kind === 'EventBus') addUsers(`${namespace}/${owner.name}`)
      return
    }
    for (const one of inNamespace(eventSources, key)) loops.EventSource.add(keyOf(one))
    for (const one of inNamespace(eventBuses, key)) loops.EventBus.add(keyOf(one))
    for (const one of inNamespace(sensors, key)) loops.Sensor.add(keyOf(one))
  }

  for (const [informer, queue] of [
    [eventBuses, loops.EventBus],
    [eventSources, loops.EventSource],
    [sensors, loops.Sensor],
  ] as const) {
    for (const object of informer.values()) queue.add(keyOf(object))
  }
  metrics.watchQueues({
    'eventsource-controller': loops.EventSource,
    'eventbus-controller': loops.EventBus,
    'sensor-controller': loops.Sensor,
  })
  await Promise.all(Object.values(loops).map((queue) => queue.run(signal)))
  for (const step of undo) step()
}

function standBack({ log, recorder }: Cluster, object: KubeObject, holder: string): void {
  const { namespace, name } = object.metadata
  const message = `the namespace has a controller of its own, "${holder}" (Lease ${CONTROLLER_LEASE}): this one stands back`
  log.info(message, { namespace, kind: object.kind, name })
  recorder.record(object, { type: 'Normal', reason: 'StandsBack', message })
}

function isDeleted({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

/** Those of the namespace that the object of this key is in. */
function inNamespace(informer: Informer, key: string): KubeObject[] {
  return informer.indexed(key.split('/')[0]!)
}

/** The key of the EventBus that an EventSource or Sensor names. */
function busOf({ metadata, spec }: KubeObject): string {
  return `${metadata.namespace}/${(spec as { eventBusName?: string } | undefined)?.eventBusName || 'default'}`
}
