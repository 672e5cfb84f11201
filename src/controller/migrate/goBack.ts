/** Carries the way back out. Every part looks first at what is there, so it may be interrupted and begun again. */
import { isVedetteError } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import { persistenceOf } from './back.ts'
import { BACKUP } from './backup.ts'
import { imageOf, ourInstalls, upstreamInstalls } from './found.ts'
import { isLeft, problemOf } from './left.ts'
import type { Snapshot } from './snapshot.ts'
import { ownedBy, policiesOfOurs } from './sources.ts'
import { nameOf } from './steps.ts'
import { put, remove, resourceFor, rolledOut, SCALER, scale, type Work, waitFor } from './work.ts'

export interface BackTarget {
  home: string
  /** Only this namespace is looked after. */
  namespaced: boolean
  /** Argo Events' objects; null: what was put aside. */
  manifest: readonly KubeObject[] | null
  /** What our install has applied. */
  objects: readonly KubeObject[]
}

/** @throws STALLED when a step does not get on; as the client */
export async function goBack(work: Work, snapshot: Snapshot, target: BackTarget): Promise<void> {
  const { home, namespaced, manifest, objects } = target
  const ours = ourInstalls(snapshot.deployments)
  for (const deployment of ours) await scale(work, deployment, 0)
  await writePersistence(work, snapshot)
  const images = new Set(ours.map(imageOf))
  await releaseDeployments(work, snapshot, images)
  for (const deployment of ours) {
    await remove(work, deployment)
    work.tell(nameOf(deployment), 'our controller is removed')
  }
  await removeOurs(work, objects, manifest ?? snapshot.backup?.objects ?? [])
  for (const object of manifest ?? []) await put(work, object)
  if (manifest === null) await restore(work, snapshot.backup?.objects ?? [])
  await rollOut(work, snapshot, images, namespaced ? { namespace: home } : {})
  await removeLeftovers(work, snapshot)
  await work.client.delete(resources.configmaps, { namespace: home, name: BACKUP })
}

/** A disk that we gave a bus by default must stand in the object, or Argo Events wants a StatefulSet without. */
async function writePersistence({ client, tell }: Work, { eventBuses, statefulSets }: Snapshot): Promise<void> {
  for (const bus of eventBuses) {
    const { jetstream } = bus.spec as { jetstream?: { persistence?: unknown } }
    const live = ownedBy(statefulSets, bus)
    const persistence = live === undefined ? null : persistenceOf(live)
    if (jetstream === undefined || jetstream.persistence !== undefined || persistence === null) continue
    await client.update(resources.eventbus, {
      ...bus,
      spec: { ...(bus.spec as object), jetstream: { ...jetstream, persistence } },
    })
    tell(nameOf(bus), 'its persistence is written down')
  }
}

/** Their Pods go on; Argo Events' own Deployment takes them over. */
async function releaseDeployments(
  work: Work,
  snapshot: Snapshot,
  images: ReadonlySet<string | undefined>,
): Promise<void> {
  for (const source of snapshot.eventSources) {
    const deployment = ownedBy(snapshot.deployments, source)
    if (deployment === undefined || !images.has(imageOf(deployment))) continue
    await remove(work, deployment, 'Orphan')
    work.tell(nameOf(deployment), 'removed; its Pods go on')
  }
}

/** What would judge or hold objects without us. What Argo Events brings under the same name takes its place; rights are left. */
async function removeOurs(work: Work, objects: readonly KubeObject[], theirs: readonly KubeObject[]): Promise<void> {
  const names = new Set(theirs.map(nameOf))
  const hinders = ['ValidatingWebhookConfiguration', 'Service', 'PodDisruptionBudget']
  for (const object of objects)
    if (hinders.includes(object.kind) && !names.has(nameOf(object)) && (await remove(work, object)))
      work.tell(nameOf(object), 'removed')
}

/** What was put aside, exactly: whatever we have added to it is gone. */
async function restore(work: Work, objects: readonly KubeObject[]): Promise<void> {
  const { client, tell } = work
  // The controllers begin when all they need is there.
  const order = [...objects].sort((a, b) => Number(a.kind === 'Deployment') - Number(b.kind === 'Deployment'))
  for (const object of order) {
    const resource = resourceFor(object)
    const live = await client.get(resource, object.metadata)
    if (live === null) await create(work, object)
    else if (object.kind === 'Deployment' && upstreamInstalls([live]).length > 0) await again(work, object)
    else if (['Service', 'ValidatingWebhookConfiguration', 'RoleBinding', 'ClusterRoleBinding'].includes(object.kind)) {
      await remove(work, live)
      await create(work, object)
    } else {
      const { resourceVersion, uid } = live.metadata
      await client.update(resource, {
        ...object,
        metadata: { ...object.metadata, resourceVersion: resourceVersion!, uid: uid! },
      })
    }
    tell(nameOf(object), 'as it was')
  }
}

async function again(
  { client }: Work,
  { apiVersion, kind, metadata: { name, namespace }, spec }: KubeObject,
): Promise<void> {
  const { replicas = 1 } = spec as { replicas?: number }
  const object: KubeObject = { apiVersion, kind, metadata: { name, namespace: namespace! }, spec: { replicas } }
  await client.apply(resources.deployments, object, { manager: SCALER })
}

/** With the address that it had, if nobody else has that now. */
async function create({ client }: Work, object: KubeObject): Promise<void> {
  const resource = resourceFor(object)
  try {
    await client.create(resource, object)
  } catch (error) {
    if (object.kind !== 'Service' || !isVedetteError(error, 'KUBERNETES_INVALID')) throw error
    const { clusterIP: _, clusterIPs: __, ...spec } = object.spec as Record<string, unknown>
    await client.create(resource, { ...object, spec })
  }
}

async function rollOut(
  work: Work,
  { eventSources }: Snapshot,
  ours: ReadonlySet<string | undefined>,
  selection: { namespace?: string },
): Promise<void> {
  const { client, tell } = work
  const { items } = await client.list(resources.deployments, selection)
  for (const { deployment } of upstreamInstalls(items)) {
    await waitFor(work, nameOf(deployment), async () => {
      const live = await client.get(resources.deployments, deployment.metadata)
      return live === null ? 'it is not there' : rolledOut(live)
    })
    tell(nameOf(deployment), 'runs')
  }
  for (const source of eventSources) {
    const { namespace, name } = source.metadata
    const labelSelector = `controller=eventsource-controller,eventsource-name=${name}`
    let none: string | null = null
    await waitFor(work, nameOf(source), async () => {
      const live = ownedBy((await client.list(resources.deployments, { namespace, labelSelector })).items, source)
      if (live !== undefined && !ours.has(imageOf(live))) return rolledOut(live)
      const object = live === undefined ? await client.get(resources.eventsources, source.metadata) : null
      none = object !== null && isLeft(object) ? (problemOf(object) ?? 'no controller could make one') : null
      return none !== null ? true : 'Argo Events has not made its Deployment'
    })
    tell(nameOf(source), none === null ? "every Pod is Argo Events' and available" : `has no Deployment: ${none}`)
  }
}

/** When no Pod of ours needs them any more. */
async function removeLeftovers(work: Work, snapshot: Snapshot): Promise<void> {
  const { eventSources, budgets, roles, roleBindings } = snapshot
  const ofSources = [...budgets, ...roleBindings, ...roles].filter((object) =>
    eventSources.some((source) => ownedBy([object], source) !== undefined),
  )
  for (const object of [...ofSources, ...policiesOfOurs(snapshot)])
    if (await remove(work, object)) work.tell(nameOf(object), 'removed')
}
