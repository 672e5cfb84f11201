/** The way back as a plan: what only Vedette has, what hinders Argo Events' controller, and what is brought back. Pure. */
import type { KubeObject } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import type { LoadSource } from '../cluster.ts'
import { secretNames } from '../eventBus/credentials.ts'
import { statefulSetName } from '../eventBus/jetstream.ts'
import { readObject } from '../reconcile/read.ts'
import { theirHashOf } from '../upstreamHash.ts'
import { imageOf, ourInstalls, upstreamInstalls } from './found.ts'
import type { Snapshot } from './snapshot.ts'
import { ownedBy, policiesOfOurs } from './sources.ts'
import { nameOf, type Step } from './steps.ts'

export interface BackOptions {
  /** Argo Events' manifests, when the user gives them. */
  manifest: readonly KubeObject[] | null
  load: LoadSource
}

/** In the order in which it happens. */
export async function planBack(snapshot: Snapshot, { manifest, load }: BackOptions): Promise<Step[]> {
  const sources = await Promise.all(snapshot.eventSources.map((object) => sourceSteps(object, snapshot, load)))
  const policies = policiesOfOurs(snapshot).map((one) => ({
    ...{
      object: nameOf(one),
      fate: 'removed' as const,
      what: "when the Pods are Argo Events': nobody would keep it true",
    },
  }))
  return [
    ...ourInstalls(snapshot.deployments).map((deployment) => ({
      object: nameOf(deployment),
      fate: 'stopped' as const,
      what: 'our controller: scaled to 0 before Argo Events begins',
    })),
    ...restoredSteps(snapshot, manifest),
    ...snapshot.eventBuses.flatMap((object) => busSteps(object, snapshot)),
    ...sources.flat(),
    ...policies,
    ...snapshot.sensors.map((sensor) => ({
      object: nameOf(sensor),
      fate: 'left' as const,
      what: "Argo Events' Pods already",
    })),
  ]
}

function restoredSteps({ backup, deployments }: Snapshot, manifest: readonly KubeObject[] | null): Step[] {
  if (manifest !== null) {
    const refusal = {
      reason: 'nothing-to-restore',
      why: 'there is no controller of Argo Events in the manifest that you give',
      remedy: "give Argo Events' own install.yaml",
    }
    const has = upstreamInstalls(manifest.filter(({ kind }) => kind === 'Deployment')).some(
      ({ role }) => role === 'controller',
    )
    return [
      ...manifest.map(
        (object): Step => ({ object: nameOf(object), fate: 'restored', what: 'from the manifest that you give' }),
      ),
      ...(has ? [] : [{ object: "Argo Events' controller", fate: 'left' as const, what: refusal.why, refusal }]),
    ]
  }
  if (backup !== null)
    return backup.objects.map((object) => ({
      object: nameOf(object),
      fate: 'restored',
      what: 'as it was before the exchange',
    }))
  const others = upstreamInstalls(deployments)
  const why =
    others.length === 0
      ? "nothing of Argo Events' was put aside"
      : `nothing was put aside; ${others.map(({ deployment }) => nameOf(deployment)).join(', ')} is there`
  const refusal = {
    reason: 'nothing-to-restore',
    why,
    remedy: "give Argo Events' own install.yaml: --manifest FILE or URL",
  }
  return [{ object: "Argo Events' controller", fate: 'left', what: why, refusal }]
}

/** The newest NATS whose store the one that Argo Events ships reads. */
const READABLE: readonly [number, number] = [2, 11]

function busSteps(object: KubeObject, { statefulSets }: Snapshot): Step[] {
  const { namespace, name } = object.metadata
  const spec = (object.spec as { jetstream?: { version?: string; persistence?: unknown } }).jetstream
  const live = statefulSets.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === statefulSetName({ name }),
  )
  if (spec === undefined || live === undefined) return [{ object: nameOf(object), fate: 'left', what: 'as it is' }]
  const refusal = storeTooNew(imageOf(live), spec.version)
  const claim = (live.spec as { volumeClaimTemplates?: unknown[] }).volumeClaimTemplates?.[0]
  const persistence =
    claim !== undefined && spec.persistence === undefined
      ? 'its persistence is written into the object: without it Argo Events wants a StatefulSet without disks, and Kubernetes refuses that change. Elsewhere (git) you write it too'
      : null
  const servers =
    theirHashOf(live) === null
      ? 'as it is; Argo Events writes its StatefulSet, so its Pods are replaced one after another'
      : "as it is, and so are its servers: they have Argo Events' hash. What you have changed in the object meanwhile is carried out"
  return [
    {
      object: nameOf(object),
      fate: persistence === null ? 'left' : 'changed',
      what: persistence ?? servers,
      ...(refusal === undefined ? {} : { refusal }),
    },
    {
      object: `Secret ${namespace}/${secretNames(name).server}`,
      fate: 'left',
      what: 'as it is: Argo Events takes the certificates that are there',
    },
  ]
}

function storeTooNew(image: string | undefined, version: string | undefined): Step['refusal'] | undefined {
  const [, major, minor] = /:v?(\d+)\.(\d+)/.exec(image ?? '') ?? []
  const newer = Number(major) > READABLE[0] || (Number(major) === READABLE[0] && Number(minor) > READABLE[1])
  if (major === undefined || !newer) return undefined
  return {
    reason: 'bus-upgraded',
    why: `its servers are ${image}: the NATS that Argo Events ships cannot read their store, and the servers would crash`,
    remedy: `add a version with that image to Argo Events' ConfigMap argo-events-controller-config and name it in spec.jetstream.version (now ${version}); or make a new bus and move to it`,
  }
}

/** The claim of a StatefulSet as `spec.jetstream.persistence`. */
export function persistenceOf(statefulSet: KubeObject): object | null {
  const [claim] = (statefulSet.spec as { volumeClaimTemplates?: { spec: Claim }[] }).volumeClaimTemplates ?? []
  if (claim === undefined) return null
  const { accessModes = ['ReadWriteOnce'], storageClassName, resources } = claim.spec
  return {
    accessMode: accessModes[0],
    volumeSize: resources.requests.storage,
    ...(storageClassName === undefined ? {} : { storageClassName }),
  }
}

interface Claim {
  accessModes?: string[]
  storageClassName?: string
  resources: { requests: { storage: string } }
}

async function sourceSteps(object: KubeObject, { deployments, services }: Snapshot, load: LoadSource): Promise<Step[]> {
  const { source } = await readObject(object)
  const only = source === null ? [] : [...onlyOurs(source), ...(await mixed(source, load))]
  const deployment = ownedBy(deployments, object)
  const service = ownedBy(services, object)
  const refusal = {
    reason: 'vedette-only',
    why: `it has what Argo Events lacks: ${only.join('; ')}`,
    remedy: 'take it out first',
  }
  return [
    {
      object: nameOf(object),
      fate: 'left',
      what: only.length === 0 ? 'as it is' : `as it is, but Argo Events ignores or refuses: ${only.join('; ')}`,
      ...(only.length === 0 ? {} : { refusal }),
    },
    ...(deployment === undefined
      ? []
      : [
          {
            object: nameOf(deployment),
            fate: 'removed' as const,
            what: 'without its Pods, which go on: Argo Events makes its own, takes them over and replaces them; in place it would keep our probes, which its Pods do not answer',
          },
        ]),
    ...(service === undefined
      ? []
      : [
          {
            object: nameOf(service),
            fate: 'left' as const,
            what: "as it is, with its address: it has Argo Events' hash",
          },
        ]),
    ...Object.entries({ PodDisruptionBudget: '-pdb', Role: '-lease', RoleBinding: '-lease' }).map(([kind, end]) => ({
      object: `${kind} ${object.metadata.namespace}/${object.metadata.name}-eventsource${end}`,
      fate: 'removed' as const,
      what: "if it is there, when the Pods are Argo Events'",
    })),
  ]
}

/** Fields that upstream does not know, and what it does instead. */
const FIELDS: Record<string, string> = {
  scheduleWithSeconds: 'refused: it wants schedule or interval',
  signature: 'ignored: requests are not checked',
  signingToken: 'ignored: requests are not checked',
  rateLimit: 'ignored',
  useDevelopmentEmulator: 'ignored',
}

function onlyOurs({ entries, replicas, spec }: EventSource): string[] {
  const filters = entries.filter(({ filter }) => filter?.onError === 'publish')
  const fields = entries.flatMap(({ type, name }) => {
    const raw = (spec[type] as Record<string, Record<string, unknown>> | undefined)?.[name] ?? {}
    return Object.keys(FIELDS).flatMap((field) =>
      raw[field] === undefined ? [] : [`${name}.${field} (${FIELDS[field]})`],
    )
  })
  return [
    ...filters.map(({ name }) => `${name}.filter.onError (an event whose filter fails is dropped)`),
    ...fields,
    ...(replicas === 0 ? ['replicas: 0 (acts as 1: it would begin to serve)'] : []),
  ]
}

async function mixed({ entries }: EventSource, load: LoadSource): Promise<string[]> {
  const strategies = new Set<string>()
  for (const { type } of entries) strategies.add((await load(type))?.strategy ?? '')
  return strategies.size > 1 ? ['types of both strategies in one object (refused)'] : []
}
