/**
 * What happens before an object may go. Finalizers have upstream's names, so that those it left are let go of, and the other way
 * round.
 */
import { isVedetteError, messageOf } from '../../core/errors.ts'
import type { Informer } from '../../kube/informer.ts'
import { type KubeObject, type Resource, resources } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'
import { condition } from '../conditions.ts'
import { selectorOf } from '../objects.ts'
import { type StatusOf, writeStatus } from '../status.ts'
import { removeRemote } from './removal.ts'

const FINALIZERS = {
  EventSource: 'eventsource-controller',
  EventBus: 'eventbus-controller',
  Sensor: 'sensor-controller',
}

type Kind = keyof typeof FINALIZERS

const resourceOfKind: Record<Kind, Resource> = {
  EventSource: resources.eventsources,
  EventBus: resources.eventbus,
  Sensor: resources.sensors,
}

/*
 * What is held hangs at its deletion where no controller is left, and with it its namespace and the CRD: so nothing is held that
 * needs no work, and what upstream, or an older version, has held for nothing is let go of at sight.
 */

/** Held: what has something elsewhere to be removed. */
export async function guardEventSource(cluster: Cluster, object: KubeObject): Promise<void> {
  await setHold(cluster, object, 'EventSource', await hasRemote(cluster, object))
}

/** Held: what has events of its own. They go with it, and not from under those who use it. */
export async function guardEventBus(cluster: Cluster, object: KubeObject): Promise<void> {
  await setHold(cluster, object, 'EventBus', isNative(object))
}

/** Nothing of a Sensor is left by Kubernetes itself. */
export async function guardSensor(cluster: Cluster, object: KubeObject): Promise<void> {
  if (cluster.settings().sensorImage !== null) await setHold(cluster, object, 'Sensor', false)
}

export async function deleteEventSource(
  cluster: Cluster,
  object: KubeObject,
): Promise<{ afterMs: number } | undefined> {
  if (!isHeld(object, 'EventSource')) return
  if (await hasRemote(cluster, object)) {
    const failed: Failing = { kind: 'EventSource', type: 'RemoteCleanup', reason: 'RemoteCleanupFailed' }
    const outcome = await saying(cluster, object, failed, () => removeRemote(cluster, object))
    if (outcome === 'under way') return { afterMs: 2_000 }
    if (outcome !== 'done') {
      cluster.log.error('remote clean-up did not succeed: remove by hand what is left', {
        ...nameOf(object),
        error: outcome.left,
      })
      await sayFailed(cluster, object, failed, outcome.left)
    }
  }
  await letGo(cluster, object, 'EventSource')
}

export async function deleteEventBus(cluster: Cluster, object: KubeObject): Promise<{ afterMs: number } | undefined> {
  if (!isHeld(object, 'EventBus')) return
  const users = {
    EventSources: usersOf(cluster.eventSources, object),
    Sensors: usersOf(cluster.sensors, object),
  }
  for (const [kind, names] of Object.entries(users)) {
    if (names.length === 0) continue
    const message = `can not delete an EventBus with ${names.length} ${kind} connected: ${names.slice(0, 10).join(', ')}`
    await writeStatus(cluster, resources.eventbus, object, {
      ...((object.status ?? {}) as object),
      conditions: [condition('Configured', 'True'), condition('Deployed', 'False', 'InUse', message)],
    })
    return { afterMs: 10_000 }
  }
  const failed: Failing = { kind: 'EventBus', type: 'Deployed', reason: 'ClaimsFailed' }
  await saying(cluster, object, failed, () => deleteClaims(cluster, object))
  await letGo(cluster, object, 'EventBus')
}

/** As upstream does, and only now: a StatefulSet that is deleted by mistake keeps its events. */
async function deleteClaims(cluster: Cluster, object: KubeObject): Promise<void> {
  for (const { metadata } of await claimsOf(cluster, object))
    await cluster.client.delete(resources.persistentvolumeclaims, metadata)
}

async function claimsOf({ client }: Cluster, { metadata }: KubeObject): Promise<KubeObject[]> {
  const { namespace = '', name } = metadata
  const labelSelector = selectorOf({ kind: 'EventBus', namespace, name })
  return (await client.list(resources.persistentvolumeclaims, { namespace, labelSelector })).items
}

/** Its events are on its own servers; also on those of NATS Streaming, which Argo Events has made. */
function isNative({ spec }: KubeObject): boolean {
  const { jetstream, nats } = (spec ?? {}) as { jetstream?: unknown; nats?: { native?: unknown } }
  return jetstream !== undefined || nats?.native !== undefined
}

/** We hold no Sensor back, but upstream did. */
export async function deleteSensor(cluster: Cluster, object: KubeObject): Promise<undefined> {
  if (isHeld(object, 'Sensor')) await letGo(cluster, object, 'Sensor')
}

function usersOf(objects: Informer, { metadata }: KubeObject): string[] {
  return objects
    .indexed(metadata.namespace!)
    .filter(({ spec }) => (((spec ?? {}) as { eventBusName?: string }).eventBusName || 'default') === metadata.name)
    .map(({ metadata: { name } }) => name)
}

/** Whether any of its entries has something at a provider or an origin that goes with the object. */
async function hasRemote({ load }: Cluster, { spec }: KubeObject): Promise<boolean> {
  for (const [type, entries] of Object.entries((spec ?? {}) as object)) {
    const definition = await load(type)
    if (definition?.hooks !== undefined) return true
    if (definition?.removes === undefined) continue
    const { spec: schema, removes } = definition
    // Of what cannot be read it is not known.
    const remains = (entry: unknown): boolean => {
      const read = schema.safeParse(entry)
      return !read.success || removes(read.data)
    }
    if (Object.values(entries ?? {}).some(remains)) return true
  }
  return false
}

function isHeld({ metadata }: KubeObject, kind: Kind): boolean {
  return metadata.finalizers?.includes(FINALIZERS[kind]) === true
}

async function setHold(cluster: Cluster, object: KubeObject, kind: Kind, wanted: boolean): Promise<void> {
  if (isHeld(object, kind) === wanted) return
  if (!wanted) return await letGo(cluster, object, kind)
  await setFinalizers(cluster, object, kind, [...(object.metadata.finalizers ?? []), FINALIZERS[kind]])
}

async function letGo(cluster: Cluster, object: KubeObject, kind: Kind): Promise<void> {
  const others = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZERS[kind])
  await setFinalizers(cluster, object, kind, others)
}

/** As it is now, not as a view had it a moment ago: nothing else of the object may change. */
async function setFinalizers(cluster: Cluster, object: KubeObject, kind: Kind, finalizers: string[]): Promise<void> {
  const changed = { ...object, metadata: { ...object.metadata, finalizers } }
  await saying(cluster, object, { kind, type: 'Deployed', reason: 'FinalizerFailed' }, async () => {
    try {
      await cluster.client.update(resourceOfKind[kind], changed)
    } catch (error) {
      // The watch brings what came between, and with it the next try.
      if (!isVedetteError(error, 'KUBERNETES_CONFLICT')) throw error
    }
  })
}

/** The condition of an object that cannot be held, or not be let go. */
interface Failing {
  kind: Kind
  type: string
  reason: string
}

/** @throws what `work` throws; the status says it already */
async function saying<T>(cluster: Cluster, object: KubeObject, failing: Failing, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await sayFailed(cluster, object, failing, messageOf(error))
    throw error
  }
}

/** What else the status says stays as it is. */
async function sayFailed(
  cluster: Cluster,
  object: KubeObject,
  { kind, type, reason }: Failing,
  message: string,
): Promise<void> {
  const status = (object.status ?? {}) as Partial<StatusOf>
  const others = (status.conditions ?? []).filter((one) => one.type !== type)
  const conditions = [...others, condition(type, 'False', reason, message)]
  await writeStatus(cluster, resourceOfKind[kind], object, { ...status, conditions }).catch((error) =>
    cluster.log.warn('the status cannot be written', { ...nameOf(object), error: messageOf(error) }),
  )
}

function nameOf({ kind, metadata: { namespace, name } }: KubeObject) {
  return kind === 'EventSource' ? { namespace, eventSourceName: name } : { namespace, kind, name }
}
