/** What the exchange does to each EventSource and Sensor. Pure. */
import { configOf, kindsIn } from '../../buses/index.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import { membersOf } from '../../manifest/tree.ts'
import { guaranteeOf } from '../../source.ts'
import type { LoadSource } from '../cluster.ts'
import { deploymentName, eventSourceObjects, serviceAccountOf, usesLease } from '../eventSource.ts'
import { refusedPods, refusedText } from '../podRules.ts'
import { readObject, sayError } from '../reconcile/read.ts'
import { missingTypes } from '../render.ts'
import type { Settings } from '../settings.ts'
import { imageOf, replicasOf } from './found.ts'
import { lossOf } from './handover.ts'
import type { Snapshot } from './snapshot.ts'
import { nameOf, type Step } from './steps.ts'

export async function sourceSteps(snapshot: Snapshot, settings: Settings, load: LoadSource): Promise<Step[]> {
  const steps = await Promise.all(snapshot.eventSources.map((object) => stepsOf(object, snapshot, settings, load)))
  return steps.flat()
}

async function stepsOf(object: KubeObject, snapshot: Snapshot, settings: Settings, load: LoadSource): Promise<Step[]> {
  const { source, errors } = await readObject(object)
  const step = { object: nameOf(object) }
  if (source === null || errors.length > 0) {
    const why = errors.map(sayError).join('; ') || 'it cannot be read'
    const refusal = { reason: 'invalid', why, remedy: 'mend it first: vedette validate' }
    return [{ ...step, fate: 'left', what: `not valid: what is deployed stays as it is (${why})`, refusal }]
  }
  const missing = missingTypes(source)
  if (missing.length > 0) {
    const why = `${missing.join(', ')} is not in this version: what is deployed stays as it is, and no controller brings changes about`
    const remedy = 'keep it on Argo Events, in a namespace of its own'
    return [{ ...step, fate: 'left', what: why, refusal: { reason: 'types', why, remedy } }]
  }
  const why = refusedOf(source, settings)
  if (why !== null) {
    const remedy = 'mend it, or exchange with --pod-security as-written'
    return [{ ...step, fate: 'left', what: why, refusal: { reason: 'pod-security', why, remedy } }]
  }
  const deployment = ownedBy(snapshot.deployments, object)
  const service = ownedBy(snapshot.services, object)
  const bus = snapshot.eventBuses.find(
    ({ metadata }) => metadata.namespace === source.namespace && metadata.name === source.eventBusName,
  )
  const [kind] = kindsIn(membersOf(bus?.spec))
  const lease = usesLease(source, kind === undefined ? {} : { [configOf(kind)]: {} })
  const loses = await lossesOf(source, load)
  return [
    {
      ...step,
      fate: 'taken over',
      what: `${typesOf(source)}; elects by ${lease ? 'its Lease, the same as theirs' : "the bus: a leader of ours waits while Argo Events' leader is heard"}; account ${serviceAccountOf(source)}${letGo(object)}`,
      ...(loses === '' ? {} : { loses }),
    },
    {
      object:
        deployment === undefined ? `Deployment ${source.namespace}/${deploymentName(source)}` : nameOf(deployment),
      ...(deployment === undefined
        ? { fate: 'replaced' as const, what: 'is made: there is none yet' }
        : {
            fate: 'changed' as const,
            what: `its name stays; ${replicasOf(deployment)} Pods of ${imageOf(deployment)} are replaced by ours one after another, each when its successor is ready${asRoot(source)}`,
          }),
      takes: `about ${Math.max(1, source.replicas) * 5} s`,
    },
    ...(service === undefined ? [] : [serviceStep(service)]),
  ]
}

/** Why our controller would not make its Pods; null: it would. */
function refusedOf(source: EventSource, settings: Settings): string | null {
  const objects = eventSourceObjects({ source, bus: { jetstream: { url: '' } }, settings })
  const refused = refusedPods(objects, settings.pods)
  return refused.length === 0 ? null : refusedText(refused, settings.pods)
}

function serviceStep(service: KubeObject): Step {
  const { clusterIP = 'none' } = (service.spec ?? {}) as { clusterIP?: string }
  return { object: nameOf(service), fate: 'taken over', what: `stays, with its address ${clusterIP}` }
}

/** Sensors are Argo Events' and stay so. */
export function sensorSteps({ sensors, deployments }: Snapshot, { sensorImage }: Settings): Step[] {
  return sensors.map((sensor) => {
    const deployment = ownedBy(deployments, sensor)
    const image = imageOf(deployment)
    if (sensorImage === null) return { object: nameOf(sensor), fate: 'left', what: 'left alone (SENSORS=false)' }
    const other = image !== undefined && image !== sensorImage ? `, of ${sensorImage} instead of ${image}` : ''
    return {
      object: nameOf(sensor),
      fate: 'taken over',
      what: `its Deployment gets the environment that we write, with Argo Events' image: its Pods are replaced once${other}`,
      loses: 'what a Pod is working on when it ends is delivered again',
    }
  })
}

/** What upstream or we have made for `owner`. */
export function ownedBy(objects: readonly KubeObject[], owner: KubeObject): KubeObject | undefined {
  return objects.find(
    ({ metadata: { ownerReferences = [], namespace } }) =>
      namespace === owner.metadata.namespace &&
      ownerReferences.some(({ uid, controller }) => controller === true && uid === owner.metadata.uid),
  )
}

/** The NetworkPolicies that our controller has made. */
export function policiesOfOurs({ networkPolicies, eventSources, eventBuses }: Snapshot): KubeObject[] {
  return networkPolicies.filter((one) => [...eventSources, ...eventBuses].some((owner) => ownedBy([one], owner)))
}

function typesOf({ entries }: EventSource): string {
  const counts = new Map<string, number>()
  for (const { type } of entries) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts].map(([type, count]) => (count === 1 ? type : `${count} ${type}`)).join(', ') || 'no entries'
}

async function lossesOf({ entries }: EventSource, load: LoadSource): Promise<string> {
  const losses = new Map<string, string>()
  for (const { type, spec } of entries) {
    const definition = await load(type)
    if (definition === null) continue
    const loss = lossOf({ type, strategy: definition.strategy, guarantee: guaranteeOf(definition, spec) })
    if (loss !== undefined) losses.set(type, loss)
  }
  return [...losses].map(([type, loss]) => `${type}: ${loss}`).join('; ')
}

const letGo = ({ metadata: { finalizers = [] } }: KubeObject) =>
  finalizers.includes('eventsource-controller')
    ? '; its finalizer stays only if an entry has something at a provider'
    : ''

/** Argo Events' Pods may be root, ours are only when they are told to. */
function asRoot({ spec, entries }: EventSource): string {
  const { securityContext } = (spec.template ?? {}) as { securityContext?: { runAsUser?: number; fsGroup?: number } }
  const reads = entries.some(({ needs }) => needs?.includes('files'))
  if (!reads || securityContext?.runAsUser !== undefined || securityContext?.fsGroup !== undefined) return ''
  return '. They do not run as root: files that only root may read need template.securityContext'
}
