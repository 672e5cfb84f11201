/**
 * What happens before an object may go. Finalizers have upstream's names, so that those it left are let go of, and the other way
 * round.
 */
import { isVedetteError, messageOf } from '../../core/errors.ts'
import { type KubeObject, type Resource, resources } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'
import { condition } from '../conditions.ts'
import { selectorOf } from '../objects.ts'
import { writeStatus } from '../status.ts'
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

/** Only what has something elsewhere to be removed is held back. */
export async function guardEventSource(cluster: Cluster, object: KubeObject): Promise<void> {
  if (await hasRemote(cluster, object)) await hold(cluster, object, 'EventSource')
}

/** A bus is not taken from under those who use it. */
export async function guardEventBus(cluster: Cluster, object: KubeObject): Promise<void> {
  await hold(cluster, object, 'EventBus')
}

export async function deleteEventSource(
  cluster: Cluster,
  object: KubeObject,
): Promise<{ afterMs: number } | undefined> {
  if (!isHeld(object, 'EventSource')) return
  if (await hasRemote(cluster, object)) {
    const outcome = await removeRemote(cluster, object)
    if (outcome === 'under way') return { afterMs: 2_000 }
    if (outcome !== 'done') {
      cluster.log.error('remote clean-up did not succeed: remove by hand what is left', {
        ...nameOf(object),
        error: outcome.left,
      })
      const conditions = [condition('RemoteCleanup', 'False', 'RemoteCleanupFailed', outcome.left)]
      await writeStatus(cluster, resources.eventsources, object, { conditions }).catch((error) =>
        cluster.log.warn('the status cannot be written', { ...nameOf(object), error: messageOf(error) }),
      )
    }
  }
  await letGo(cluster, object, 'EventSource')
}

export async function deleteEventBus(cluster: Cluster, object: KubeObject): Promise<{ afterMs: number } | undefined> {
  if (!isHeld(object, 'EventBus')) return
  const users = {
    EventSources: usersOf(cluster.eventSources.values(), object),
    Sensors: usersOf(cluster.sensors.values(), object),
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
  await deleteClaims(cluster, object)
  await letGo(cluster, object, 'EventBus')
}

/** As upstream does, and only now: a StatefulSet that is deleted by mistake keeps its events. */
async function deleteClaims({ client }: Cluster, { metadata: { namespace = '', name } }: KubeObject): Promise<void> {
  const labelSelector = selectorOf({ kind: 'EventBus', namespace, name })
  const { items } = await client.list(resources.persistentvolumeclaims, { namespace, labelSelector })
  for (const { metadata } of items) await client.delete(resources.persistentvolumeclaims, metadata)
}

/** We hold no Sensor back, but upstream did. */
export async function deleteSensor(cluster: Cluster, object: KubeObject): Promise<void> {
  if (isHeld(object, 'Sensor')) await letGo(cluster, object, 'Sensor')
}

function usersOf(objects: Iterable<KubeObject>, { metadata }: KubeObject): string[] {
  return [...objects]
    .filter(({ metadata: { namespace }, spec }) => {
      const { eventBusName } = (spec ?? {}) as { eventBusName?: string }
      return namespace === metadata.namespace && (eventBusName || 'default') === metadata.name
    })
    .map(({ metadata: { name } }) => name)
}

/** Whether any of its types has something at a provider that goes with the object. */
async function hasRemote({ load }: Cluster, { spec }: KubeObject): Promise<boolean> {
  for (const type of Object.keys((spec ?? {}) as object)) {
    const definition = await load(type)
    if (definition?.hooks !== undefined || definition?.remove !== undefined) return true
  }
  return false
}

function isHeld({ metadata }: KubeObject, kind: Kind): boolean {
  return metadata.finalizers?.includes(FINALIZERS[kind]) === true
}

async function hold(cluster: Cluster, object: KubeObject, kind: Kind): Promise<void> {
  if (isHeld(object, kind)) return
  await setFinalizers(cluster, object, kind, [...(object.metadata.finalizers ?? []), FINALIZERS[kind]])
}

async function letGo(cluster: Cluster, object: KubeObject, kind: Kind): Promise<void> {
  const others = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZERS[kind])
  await setFinalizers(cluster, object, kind, others)
}

/** As it is now, not as a view had it a moment ago: nothing else of the object may change. */
async function setFinalizers({ client }: Cluster, object: KubeObject, kind: Kind, finalizers: string[]): Promise<void> {
  try {
    await client.update(resourceOfKind[kind], { ...object, metadata: { ...object.metadata, finalizers } })
  } catch (error) {
    // The watch brings what came between, and with it the next try.
    if (!isVedetteError(error, 'KUBERNETES_CONFLICT')) throw error
  }
}

function nameOf({ metadata: { namespace, name } }: KubeObject): {
  namespace: string | undefined
  eventSourceName: string
} {
  return { namespace, eventSourceName: name }
}
