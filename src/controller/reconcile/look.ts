/** Looks at what runs of a native bus: its disks, and, when the number of servers is to change, what each of them holds. */
import { isVedetteError, messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus, NativeBus } from '../../manifest/manifest.ts'
import { type Cluster, MANAGER } from '../cluster.ts'
import type { Claim, Disks } from '../eventBus/disks.ts'
import { wantedServers } from '../eventBus/jetstream.ts'
import { type Present, presentIn } from '../eventBus/present.ts'
import { bytesOf } from '../eventBus/quantity.ts'
import type { Holding } from '../eventBus/resize.ts'
import { selectorOf } from '../objects.ts'

type Looking = Pick<Cluster, 'client' | 'readServer'>

/** @param live the StatefulSet. @throws as the client */
export async function lookAt(cluster: Looking, bus: NativeBus, live: KubeObject): Promise<Present> {
  const present = presentIn(live)
  const claims = await claimsOf(cluster, bus, present)
  const held = wantedServers(bus) === present.replicas ? undefined : await askServers(cluster, bus, present, claims)
  return { ...present, claims: [...claims.values()], ...(held === undefined ? {} : { held }) }
}

/** Of the servers that are configured, by the server's name. */
async function claimsOf({ client }: Looking, bus: EventBus, present: Present): Promise<Map<string, Claim>> {
  const [template] = present.templates
  if (template === undefined) return new Map()
  const { items } = await client.list(resources.persistentvolumeclaims, selectionOf(bus))
  const byName = new Map(items.map((one) => [one.metadata.name, claimIn(one)]))
  return new Map(
    serversOf(present).flatMap((server) => {
      const claim = byName.get(`${template.metadata.name}-${server}`)
      return claim === undefined ? [] : [[server, claim]]
    }),
  )
}

function claimIn({ metadata, spec, status }: KubeObject): Claim {
  const { storageClassName, resources } = spec as {
    storageClassName?: string
    resources?: { requests?: { storage?: string } }
  }
  const { phase, capacity } = (status ?? {}) as { phase?: string; capacity?: { storage?: string } }
  return {
    name: metadata.name,
    uid: metadata.uid,
    bound: phase !== undefined && phase !== 'Pending',
    storageClass: storageClassName,
    asked: bytesOf(resources?.requests?.storage) ?? 0,
    has: bytesOf(capacity?.storage),
  }
}

async function askServers(
  { client, readServer }: Looking,
  bus: EventBus,
  present: Present,
  claims: ReadonlyMap<string, Claim>,
): Promise<Holding[]> {
  const { items } = await client.list(resources.pods, selectionOf(bus))
  const ask = async (server: string): Promise<Holding> => {
    const pod = items.find(({ metadata }) => metadata.name === server)
    const { phase, podIP } = (pod?.status ?? {}) as { phase?: string; podIP?: string }
    if (podIP !== undefined && phase === 'Running') return await readServer(podIP)
    // A disk that never was, or one that is made with each Pod.
    const never = present.templates.length > 0 ? claims.get(server)?.bound !== true : phase !== 'Running'
    return never ? { streams: [] } : `its Pod ${pod === undefined ? 'is not there' : `is ${phase ?? 'new'}`}`
  }
  return await Promise.all(serversOf(present).map(ask))
}

function serversOf({ name, replicas }: Present): string[] {
  return Array.from({ length: replicas }, (_, ordinal) => `${name}-${ordinal}`)
}

function selectionOf({ namespace, name }: EventBus) {
  return { namespace, labelSelector: selectorOf({ kind: 'EventBus', namespace, name }) }
}

/**
 * Makes the claims ask for more, all or none: each is tried before the first is changed. Whether their class can is the API server's to say.
 * @returns why it cannot be; null: done, or there was nothing to do
 */
export async function growClaims(
  { client }: Looking,
  { namespace }: EventBus,
  { grow }: Disks,
  { dryRun = false } = {},
): Promise<string | null> {
  if (grow === null) return null
  const wish = ({ name, uid }: Claim): KubeObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) },
    spec: { resources: { requests: { storage: grow.size } } },
  })
  try {
    for (const only of dryRun ? [true] : [true, false]) {
      for (const claim of grow.claims) {
        await client.apply(resources.persistentvolumeclaims, wish(claim), { manager: MANAGER, dryRun: only })
      }
    }
    return null
  } catch (error) {
    if (!isVedetteError(error, 'KUBERNETES_FORBIDDEN') && !isVedetteError(error, 'KUBERNETES_INVALID')) throw error
    const { storageClass } = grow.claims[0]!
    const kind = storageClass ? `StorageClass "${storageClass}"` : 'a disk without StorageClass'
    const cannot = /must support resize|dynamically provisioned/.test(error.message)
    const why = cannot
      ? `${kind} does not let disks grow (allowVolumeExpansion); set it there, or make another EventBus`
      : messageOf(error)
    return `persistence.volumeSize ${grow.size}: the disks stay as they are: ${why}`
  }
}

/** Of servers that never had a disk, and so hold nothing. The next look finds nothing, and makes it as it is asked for. */
export async function clearAway(cluster: Looking, bus: EventBus, { metadata }: KubeObject): Promise<void> {
  const { name, namespace, uid } = metadata
  await cluster.client.delete(resources.statefulsets, { namespace, name }, { uid })
  const { items } = await cluster.client.list(resources.persistentvolumeclaims, selectionOf(bus))
  for (const claim of items) {
    // Between the two looks it may have got one after all.
    if (claimIn(claim).bound) continue
    await cluster.client.delete(resources.persistentvolumeclaims, claim.metadata, { uid: claim.metadata.uid })
  }
}

/** Those of servers that go: they are empty, and a server that comes later under the same name must not find what they were. */
export async function dropClaims(
  { client }: Looking,
  bus: EventBus,
  { name, replicas, templates }: Present,
  kept: number,
): Promise<void> {
  const [template] = templates
  if (template === undefined) return
  for (let ordinal = kept; ordinal < replicas; ordinal++) {
    const claim = `${template.metadata.name}-${name}-${ordinal}`
    await client.delete(resources.persistentvolumeclaims, { namespace: bus.namespace, name: claim })
  }
}
