/** Carries the exchange out. Every part looks first at what is there, so it may be interrupted and begun again. */
import { type KubeObject, resources } from '../../kube/resources.ts'
import { OWN_HASH_ANNOTATION } from '../upstreamHash.ts'
import { asMade, type Backup, backupObject } from './backup.ts'
import { mergedConfig } from './config.ts'
import { type Install, imageOf, replicasOf, upstreamInstalls } from './found.ts'
import { configsOf, MADE_ANEW, type Target, takenNames } from './installs.ts'
import { isLeft, problemOf } from './left.ts'
import type { Snapshot } from './snapshot.ts'
import { ownedBy } from './sources.ts'
import { nameOf } from './steps.ts'
import { INSTALLER, includes, put, remove, rolledOut, scale, serversRolledOut, type Work, waitFor } from './work.ts'

/** @throws STALLED when a step does not get on; as the client */
export async function applyExchange(work: Work, snapshot: Snapshot, target: Target): Promise<void> {
  const installs = upstreamInstalls(snapshot.deployments)
  const theirs = snapshot.backup ?? { objects: [] }
  const backup = withNew(theirs, putAside(installs, snapshot, target))
  if (backup.objects.length > theirs.objects.length) {
    await work.client.apply(resources.configmaps, backupObject(target.home, backup), { manager: INSTALLER })
    work.tell(`ConfigMap ${target.home}/vedette-migrate-backup`, `${backup.objects.length} objects are put aside`)
  }
  for (const { deployment } of installs.filter(({ replicas }) => replicas > 0)) await scale(work, deployment, 0)
  const objects = withTheirConfig(target.objects, backup, installs, snapshot)
  await makeRoom(work, objects, installs)
  for (const object of objects) await put(work, object)
  await rollOutController(work, objects)
  await rollOutSources(work, snapshot, imageOf(controllerIn(objects))!)
  await rollOutBuses(work, snapshot)
}

/** All that is stopped or taken the name of. What is there already in our form is not theirs any more. */
function putAside(installs: Install[], snapshot: Snapshot, target: Target): KubeObject[] {
  const stopped = installs.filter(({ replicas }) => replicas > 0).map(({ deployment }) => deployment)
  const taken = takenNames(snapshot, target).filter(({ kind }) => kind !== 'Deployment')
  // An exchange that has begun has put these aside before it changed anything.
  return snapshot.backup === null && installs.length > 0 ? [...stopped, ...taken] : stopped
}

function withNew({ objects }: Backup, more: readonly KubeObject[]): Backup {
  const known = new Set(objects.map(nameOf))
  return { objects: [...objects, ...more.filter((one) => !known.has(nameOf(one))).map(asMade)] }
}

function withTheirConfig(
  objects: readonly KubeObject[],
  backup: Backup,
  installs: readonly Install[],
  snapshot: Snapshot,
): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'ConfigMap') return object
    const saved = backup.objects.find((one) => nameOf(one) === nameOf(object))
    const theirs = [...configsOf(installs, snapshot.configMaps), ...(saved === undefined ? [] : [saved])]
    return theirs.reduce((ours, one) => mergedConfig(one, ours).object, object)
  })
}

/** Takes away what stands under our names and cannot become ours without a rest of theirs. */
async function makeRoom(work: Work, objects: readonly KubeObject[], installs: readonly Install[]): Promise<void> {
  const ends = new Set(installs.map(({ deployment }) => nameOf(deployment)))
  for (const object of objects.filter(({ kind }) => MADE_ANEW.includes(kind))) {
    const live = await work.client.get(resourceOfKind[object.kind]!, object.metadata)
    const isTheirs = object.kind === 'Deployment' ? ends.has(nameOf(object)) : !includes(live, object)
    if (live === null || !isTheirs) continue
    await remove(work, live)
    work.tell(nameOf(object), "Argo Events' is removed")
  }
}

const resourceOfKind: Record<string, (typeof resources)[keyof typeof resources]> = {
  Deployment: resources.deployments,
  Service: resources.services,
  ValidatingWebhookConfiguration: resources.validatingwebhookconfigurations,
}

const controllerIn = (objects: readonly KubeObject[]) => objects.find(({ kind }) => kind === 'Deployment')!

async function rollOutController(work: Work, objects: readonly KubeObject[]): Promise<void> {
  const deployment = controllerIn(objects)
  await waitFor(work, nameOf(deployment), async () => {
    const live = await work.client.get(resources.deployments, deployment.metadata)
    return live === null ? 'it is not there' : rolledOut(live)
  })
  work.tell(nameOf(deployment), `our controller runs, ${replicasOf(deployment)} replicas`)
}

/** Waits for the Pods of each EventSource that ours has taken over. */
async function rollOutSources(work: Work, { eventSources }: Snapshot, image: string): Promise<void> {
  const { client, clock } = work
  const beganMs = clock.monotonic()
  for (const source of eventSources) {
    const { namespace } = source.metadata
    await waitFor(work, nameOf(source), async () => {
      const object = await client.get(resources.eventsources, source.metadata)
      if (object === null || isLeft(object)) return true
      const { items } = await client.list(resources.deployments, { namespace, labelSelector: labelOf(source) })
      const deployment = ownedBy(items, object)
      if (deployment === undefined) return problemOf(object) ?? 'it has no Deployment yet'
      if (imageOf(deployment) !== image) return problemOf(object) ?? 'its Deployment is not ours yet'
      const state = rolledOut(deployment)
      return state === true ? true : `${state}${problemOf(object) === undefined ? '' : `: ${problemOf(object)}`}`
    })
    work.tell(
      nameOf(source),
      `every Pod is ours and ready, ${Math.round((clock.monotonic() - beganMs) / 1000)} s after the controller`,
    )
  }
}

/** Servers that Argo Events made run on; those that somebody changes at the same time are waited for. */
async function rollOutBuses(work: Work, { eventBuses, statefulSets }: Snapshot): Promise<void> {
  const { client, tell } = work
  for (const bus of eventBuses) {
    const servers = ownedBy(statefulSets, bus)
    if (servers === undefined) continue
    await waitFor(work, nameOf(servers), async () => {
      const object = await client.get(resources.eventbus, bus.metadata)
      const live = await client.get(resources.statefulsets, servers.metadata)
      if (object === null || live === null || isLeft(object)) return true
      if (live.metadata.annotations?.[OWN_HASH_ANNOTATION] === undefined)
        return problemOf(object) ?? 'it is not ours yet'
      return serversRolledOut(live)
    })
    tell(nameOf(servers), `ours; ${replicasOf(servers)} servers run`)
  }
}

const labelOf = ({ metadata: { name } }: KubeObject) => `controller=eventsource-controller,eventsource-name=${name}`
