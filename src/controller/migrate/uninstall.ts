/** What goes and what stays when Vedette leaves a cluster, in the order in which nothing hangs. */
import type { KubeObject } from '../../kube/resources.ts'
import { ourInstalls, upstreamInstalls } from './found.ts'
import type { Snapshot } from './snapshot.ts'
import { policiesOfOurs } from './sources.ts'
import { nameOf, type Step } from './steps.ts'
import { remove, resourceFor, scale, type Work, waitFor } from './work.ts'

export interface UninstallOptions {
  /** What the install has applied. */
  objects: readonly KubeObject[]
  /** EventSources, buses and CRDs go too. */
  crds: boolean
}

const OURS = ['eventsource-controller', 'eventbus-controller', 'sensor-controller']

const isHeld = ({ metadata: { finalizers = [] } }: KubeObject) => finalizers.some((one) => OURS.includes(one))

/** Pure. In the order in which it happens. */
export function planUninstall(snapshot: Snapshot, { objects, crds }: UninstallOptions): Step[] {
  const { eventSources, eventBuses, sensors, claims } = snapshot
  const controller = ourInstalls(snapshot.deployments)
  const removed = (object: KubeObject, what: string, refusal?: Step['refusal']): Step => ({
    ...{ object: nameOf(object), fate: 'removed', what },
    ...(refusal === undefined ? {} : { refusal }),
  })
  const left = (object: KubeObject, what: string): Step => ({ object: nameOf(object), fate: 'left', what })
  const hooks = controller.length === 0 ? ', but no controller runs that would remove it: it is left there' : ''
  const gone = [
    ...eventSources.map((one) =>
      removed(
        one,
        isHeld(one) ? `with what it has at providers, by a Job of its own${hooks}` : 'with its Deployment and Service',
      ),
    ),
    ...sensors.map((one) => removed(one, 'with its Deployment', sensorsGo)),
    ...eventBuses.map((one) =>
      removed(one, `with its servers${isHeld(one) ? ' and every event in their claims' : ''}`),
    ),
    ...claims.filter(isOfBus).map((one) => removed(one, 'of a native bus')),
  ]
  const stays = [
    ...[...eventSources, ...sensors].map((one) =>
      left(
        one,
        `its Pods go on, without a controller${isHeld(one) ? '; its finalizer is taken off: what it has at providers is yours to remove then' : ''}`,
      ),
    ),
    ...eventBuses.map((one) =>
      left(
        one,
        `its servers go on${isHeld(one) ? '; its finalizer is taken off: its claims are yours to remove then' : ''}`,
      ),
    ),
    ...claims.filter(isOfBus).map((one) => left(one, 'of a native bus')),
    ...policiesOfOurs(snapshot).map((one) => removed(one, 'nobody would keep it true')),
  ]
  return [
    ...upstreamInstalls(snapshot.deployments).map(({ deployment }) => ({
      ...left(deployment, "Argo Events' controller: it is not ours to remove"),
      ...(crds ? { refusal: { reason: 'argo-events', why: 'it uses the CRDs', remedy: 'without --crds' } } : {}),
    })),
    ...(crds ? gone : stays),
    ...installed(snapshot, objects, crds).map((one) => removed(one, 'of the install')),
    ...(crds ? [] : objects.filter(isCrd).map((one) => left(one, 'all objects of it would go with it: --crds'))),
    ...objects.filter(({ kind }) => kind === 'Namespace').map((one) => left(one, 'other things may be in it')),
  ]
}

const sensorsGo = {
  reason: 'sensors',
  why: 'it is of Argo Events, and goes with the CRD',
  remedy: 'put Argo Events back instead: vedette migrate back',
}

const isCrd = ({ kind }: KubeObject) => kind === 'CustomResourceDefinition'
const isOfBus = ({ metadata: { labels = {} } }: KubeObject) => labels.controller === 'eventbus-controller'

/** The last first, so that the controller works until it goes; the kinds of what is not seen are taken for there. */
function installed(snapshot: Snapshot, objects: readonly KubeObject[], crds: boolean): KubeObject[] {
  const ours = new Set(ourInstalls(snapshot.deployments).map(nameOf))
  return objects
    .filter((one) => one.kind !== 'Namespace' && (crds || !isCrd(one)))
    .filter((one) => one.kind !== 'Deployment' || ours.has(nameOf(one)))
    .filter((one) => one.kind !== 'PriorityClass' || crds)
    .toReversed()
    .sort((a, b) => Number(isCrd(b)) - Number(isCrd(a)))
}

/** May be interrupted and begun again. @throws STALLED; as the client */
export async function uninstall(work: Work, snapshot: Snapshot, options: UninstallOptions): Promise<void> {
  const all = [...snapshot.eventSources, ...snapshot.sensors, ...snapshot.eventBuses]
  const controllers = ourInstalls(snapshot.deployments)
  if (options.crds && controllers.length > 0) await deleteAll(work, all)
  for (const deployment of controllers) await scale(work, deployment, 0)
  for (const object of all) await letGo(work, object)
  if (options.crds) await deleteAll(work, all)
  else await deleteAll(work, policiesOfOurs(snapshot))
  for (const object of installed(snapshot, options.objects, options.crds))
    if (await remove(work, object)) work.tell(nameOf(object), 'removed')
}

/** Each kind after the one that uses it. */
async function deleteAll(work: Work, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) if (await remove(work, object)) work.tell(nameOf(object), 'removed')
}

/** So that its deletion hangs for nobody. */
async function letGo(work: Work, object: KubeObject): Promise<void> {
  const resource = resourceFor(object)
  await waitFor(work, nameOf(object), async () => {
    const live = await work.client.get(resource, object.metadata)
    if (live === null || !isHeld(live)) return true
    const finalizers = live.metadata.finalizers!.filter((one) => !OURS.includes(one))
    await work.client.update(resource, { ...live, metadata: { ...live.metadata, finalizers } }).catch(() => null)
    work.tell(nameOf(object), 'its finalizer is taken off')
    return 'its finalizer is still there'
  })
}
