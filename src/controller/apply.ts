/**
 * Brings objects into being by server-side apply, and sends nothing while they are known to be so: what is known ends with any
 * change that others make to what was applied, and after some minutes.
 */
import { fail, isVedetteError } from '../core/errors.ts'
import { type KubeObject, keyOf, type Resource, resourceOf } from '../kube/resources.ts'
import { type Cluster, isOwnedBy, MANAGER, seen } from './cluster.ts'
import { createContests, lastChangedBy } from './contest.ts'
import { HASH_ANNOTATION } from './objects.ts'
import { keepingTheirHash } from './upstreamHash.ts'

export interface Applier {
  /**
   * @returns the object as it is now; null when nothing had to be done
   * @throws SPEC_INVALID for an object of that name that was not made for the same owner; as the client
   */
  apply(object: KubeObject): Promise<KubeObject | null>
  /** Throws what `apply` would, and changes nothing. */
  check(object: KubeObject): Promise<void>
  /** Deletes what we made for `owner` once, and no longer want. */
  remove(resource: Resource, place: { namespace: string; name: string }, ownerUid: string | undefined): Promise<void>
  /** Which of these somebody else changes as often as they are put back, and until when they are left alone. */
  contested(objects: readonly KubeObject[]): Contested | null
}

export interface Contested {
  /** For people: which object, who, and what happens. */
  message: string
  /** When to look again. */
  afterMs: number
}

interface Known {
  hash: string | undefined
  /** Of the live object: changes when somebody changes what was asked for. */
  mark: unknown
  atMs: number
}

/** So often is everything applied anew, also what is not watched. */
export const RESYNC_MS = 600_000

export function createApplier(cluster: Cluster): Applier {
  const { client, clock } = cluster
  const known = new Map<string, Known>()
  const gone = new Map<string, number>()
  const contests = createContests(clock)
  /** Who it was, of those that are fought over. */
  const others = new Map<string, string>()
  const idOf = (kind: string, key: string) => `${kind} ${key}`

  const isKnown = (object: KubeObject, id: string): boolean => {
    const before = known.get(id)
    if (before === undefined || before.hash !== hashOf(object) || clock.monotonic() - before.atMs > RESYNC_MS)
      return false
    const live = seen(cluster, object)
    return live === undefined || (live !== null && markOf(live) === before.mark)
  }

  return {
    async apply(object) {
      const id = idOf(object.kind, keyOf(object))
      if (isKnown(object, id)) return null
      const resource = resourceOf(object)!
      const before = await client.get(resource, object.metadata)
      refuseForeign(object, before)
      if (wasChanged(object, id) && !contests.mayRepair(id)) {
        contend(object, id, before)
        return null
      }
      const made = await withoutUpstreamsHold(await applied(resource, keepingTheirHash(object, before)), resource)
      gone.delete(id)
      if (made !== null) known.set(id, { hash: hashOf(object), mark: markOf(made), atMs: clock.monotonic() })
      return made
    },
    async check(object) {
      if (object.kind === 'Service' || isKnown(object, idOf(object.kind, keyOf(object)))) return
      const resource = resourceOf(object)!
      refuseForeign(object, await client.get(resource, object.metadata))
      await client.apply(resource, object, { manager: MANAGER, dryRun: true })
    },
    async remove(resource, place, ownerUid) {
      const id = idOf(resource.kind, `${place.namespace}/${place.name}`)
      const since = gone.get(id)
      if (since !== undefined && clock.monotonic() - since < RESYNC_MS) return
      const live = await client.get(resource, place)
      if (live !== null && isOwnedBy(live, ownerUid)) await client.delete(resource, place, { uid: live.metadata.uid })
      known.delete(id)
      gone.set(id, clock.monotonic())
    },
    contested(objects) {
      for (const object of objects) {
        const id = idOf(object.kind, keyOf(object))
        const until = contests.contested(id)
        if (until === null) others.delete(id)
        else return { message: sayContested(object, others.get(id)!), afterMs: Math.max(1_000, until - clock.now()) }
      }
      return null
    },
  }

  /** What was applied is wanted still, and is no longer so. */
  function wasChanged(object: KubeObject, id: string): boolean {
    const before = known.get(id)
    const live = seen(cluster, object)
    if (before === undefined || before.hash !== hashOf(object) || live === undefined) return false
    return live === null || markOf(live) !== before.mark
  }

  function contend(object: KubeObject, id: string, live: KubeObject | null): void {
    const by = live === null ? 'somebody who deletes it' : lastChangedBy(live)
    if (others.get(id) === by) return
    others.set(id, by)
    const { namespace, name } = object.metadata
    cluster.log.warn('changed by another as often as it is put back: it is put back more rarely', {
      ...{ namespace, kind: object.kind, name, by },
    })
    const [owner] = object.metadata.ownerReferences ?? []
    if (owner === undefined) return
    const { apiVersion, kind, uid } = owner
    const about = { apiVersion, kind, metadata: { namespace: namespace!, name: owner.name, uid } }
    cluster.recorder.record(about, { type: 'Warning', reason: 'Contested', message: sayContested(object, by) })
  }

  async function applied(resource: Resource, object: KubeObject): Promise<KubeObject> {
    try {
      return await client.apply(resource, object, { manager: MANAGER })
    } catch (error) {
      // A Service's address cannot be changed, only had anew.
      const live =
        object.kind === 'Service' && isVedetteError(error, 'KUBERNETES_INVALID') ? seen(cluster, object) : null
      if (!live || !addressDiffers(live, object)) throw error
      await client.delete(resource, object.metadata, { uid: live.metadata.uid })
      return await client.apply(resource, object, { manager: MANAGER })
    }
  }

  /**
   * Upstream's controller wrote the object by update and holds every field of it: a field that leaves our object would stay.
   * What both have set is ours from here on. @returns null when somebody came between: to be done at the next look
   */
  async function withoutUpstreamsHold(made: KubeObject, resource: Resource): Promise<KubeObject | null> {
    const holds = (made.metadata.managedFields ?? []) as {
      manager?: string
      operation?: string
      subresource?: string
    }[]
    const kept = holds.filter(({ manager, subresource }) => manager !== UPSTREAM || subresource !== undefined)
    if (kept.length === holds.length) return made
    const object = { ...made, metadata: { ...made.metadata, managedFields: kept } }
    try {
      return await client.update(resource, object)
    } catch (error) {
      if (isVedetteError(error, 'KUBERNETES_CONFLICT')) return null
      throw error
    }
  }
}

function sayContested({ kind, metadata }: KubeObject, by: string): string {
  const remedy =
    kind === 'Deployment'
      ? 'scale the EventSource, not its Deployment, and let one controller alone look after this namespace'
      : 'let one controller alone look after this namespace'
  return `${kind} "${metadata.name}" is changed by ${by} as often as it is put back, and is put back ever more rarely: ${remedy}`
}

/** @throws SPEC_INVALID when there is an object of the name that belongs to somebody else: applied, it would go with our owner */
export function refuseForeign({ kind, metadata }: KubeObject, live: KubeObject | null): void {
  const [owner] = metadata.ownerReferences ?? []
  if (live === null || owner === undefined || isOwnedBy(live, owner.uid)) return
  const whose = `${owner.kind} "${owner.name}"`
  throw fail(
    'SPEC_INVALID',
    `there is a ${kind} "${metadata.name}" that was not made for ${whose}: delete or rename one of them`,
  )
}

/** The field manager of upstream's controller: the name of its program. */
const UPSTREAM = 'argo-events'

function hashOf({ metadata }: KubeObject): string | undefined {
  const uids = (metadata.ownerReferences ?? []).map(({ uid }) => uid)
  return `${metadata.annotations?.[HASH_ANNOTATION]} ${uids.join()}`
}

function markOf({ metadata }: KubeObject): unknown {
  return metadata.generation ?? metadata.resourceVersion
}

type ServiceSpec = { clusterIP?: string } | undefined

function addressDiffers(live: KubeObject, wanted: KubeObject): boolean {
  const [has, wants] = [(live.spec as ServiceSpec)?.clusterIP, (wanted.spec as ServiceSpec)?.clusterIP]
  return wants === undefined ? has === 'None' : wants !== has
}
