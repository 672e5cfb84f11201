/** Brings a native bus into being; of the others it says only whether they can be used. */
import { isNative } from '../../buses/index.ts'
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import type { Applier, Contested } from '../apply.ts'
import type { NatsConfig } from '../busConfig.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition, warning } from '../conditions.ts'
import { type Remembered, runningIn } from '../eventBus/chosen.ts'
import { type Plan, statefulSetName } from '../eventBus/jetstream.ts'
import type { Present } from '../eventBus/present.ts'
import { textOf } from '../eventBus/quantity.ts'
import { CHANGE_REFUSED, type PlannedBus, refusals } from '../eventBus.ts'
import { busPolicyName } from '../networkPolicy.ts'
import { writeStatus } from '../status.ts'
import { planOfObject } from './bus.ts'
import { type Ensured, ensureSecrets } from './busSecrets.ts'
import { busTrouble, SERVERS_NOT_READY } from './busTrouble.ts'
import { clearAway, dropClaims, growClaims, lookAt } from './look.ts'
import { turnToOnDelete } from './strategy.ts'

/** Upstream's reasons. */
const reasons: Record<string, string> = {
  ConfigMap: 'JetStreamConfigMapFailed',
  Service: 'JetStreamServiceFailed',
  StatefulSet: 'JetStreamStatefulSetFailed',
  PodDisruptionBudget: 'JetStreamBudgetFailed',
  NetworkPolicy: 'JetStreamNetworkPolicyFailed',
}

/** So soon is a bus looked at again of which servers are not up, or a change is not carried out: nothing tells when that has passed. */
const LOOK_MS = 8_000

/** @returns when to look again. @throws what could not be done, to be tried again; the status says it already */
export async function reconcileEventBus(
  cluster: Cluster,
  applier: Applier,
  object: KubeObject,
): Promise<{ afterMs: number } | undefined> {
  const done = await carryOut(cluster, applier, object)
  const { bus, objects, config, conditions, failed, contested = null, usersUnsettled = false } = done
  const { access = null } = done
  const all = failed === null ? conditions : [...conditions.filter(({ type }) => type !== 'Deployed'), failed.condition]
  const known = all.some(({ type }) => type === 'Deployed') ? all : [...all, condition('Deployed', 'Unknown')]
  const native = bus !== null && isNative(bus)
  const servers = native ? serversOf(cluster, bus) : null
  const troubles = servers?.live && servers.ready < servers.wanted ? await busTrouble(cluster, bus!, servers.live) : []
  const isUp = servers !== null && servers.ready > 0 && servers.ready >= servers.wanted
  const stream = access !== null && isUp ? await streamTrouble(cluster, config?.jetstream, access) : []
  const loud = [...known, ...troubles].find(({ type }) => type === SERVERS_NOT_READY || type === CHANGE_REFUSED)
  await writeStatus(cluster, resources.eventbus, object, {
    conditions: [...known, ...troubles, ...stream],
    problem: loud?.message,
    kind: bus?.kind,
    ready: servers === null ? undefined : `${servers.ready}/${servers.wanted}`,
    ...(native ? remembered(objects, object) : {}),
    // What runs goes on with the last one while a change of the spec cannot be carried out.
    config: (failed === null ? config : null) ?? (object.status as { config?: object } | undefined)?.config,
  })
  if (failed !== null) throw failed.error
  if (contested !== null) return contested
  const unsettled = usersUnsettled || loud !== undefined || known.some(({ type }) => type === DISKS_GROW)
  return unsettled || (servers !== null && (servers.ready < servers.wanted || !servers.live))
    ? { afterMs: LOOK_MS }
    : undefined
}

interface Done extends Pick<PlannedBus, 'objects' | 'config' | 'conditions'> {
  bus: EventBus | null
  failed: Failed | null
  contested?: Contested | null
  /** See {@link Ensured}. */
  usersUnsettled?: boolean
  access?: Ensured['access']
}

interface Failed {
  condition: Condition
  error: unknown
}

/** Disks first: a server may store as much as they have, and no more. */
async function carryOut(cluster: Cluster, applier: Applier, object: KubeObject): Promise<Done> {
  let present: Present | undefined
  let set: KubeObject | undefined
  try {
    const planned = await planOfObject(cluster, object, async (bus, live) => {
      set = live
      present = await lookAt(cluster, bus, live)
      return present
    })
    const { bus, plan } = planned
    if (bus === null || !isNative(bus) || planned.config === null) return { ...planned, failed: null }
    if (plan === undefined) return await asTheyRun(cluster, applier, object, bus, planned)
    if (plan.disks?.remake && set !== undefined) {
      await clearAway(cluster, bus, set)
      return { ...planned, failed: null }
    }
    const stuck = plan.disks === null ? null : await growClaims(cluster, bus, plan.disks)
    const conditions = [
      ...planned.conditions.filter(({ type }) => type !== CHANGE_REFUSED),
      ...refusals(stuck === null ? plan.refused : [...plan.refused, stuck]),
      ...growing(plan),
    ]
    if (set !== undefined) await turnToOnDelete(cluster, set, planned.objects)
    const found = present
    const drop = async () => {
      if (found !== undefined) await dropClaims(cluster, bus, found, plan.replicas)
    }
    const { failed = null, told = [], unsettled, access } = await applyAll(cluster, applier, object, bus, planned, drop)
    const contested = applier.contested(planned.objects)
    const fought = contested === null ? [] : [warning('Contested', 'Contested', contested.message)]
    const all = [...conditions, ...told, ...fought]
    return {
      ...planned,
      conditions: all,
      failed,
      contested,
      usersUnsettled: unsettled === true,
      access: access ?? null,
    }
  } catch (error) {
    const planned = await planOfObject(cluster, object)
    return {
      ...planned,
      failed: { condition: condition('Deployed', 'False', 'ClaimsFailed', messageOf(error)), error },
    }
  }
}

/** Of servers that go on since their change is refused: EventSources come and go all the same, and with them their logins. */
async function asTheyRun(
  cluster: Cluster,
  applier: Applier,
  object: KubeObject,
  bus: EventBus,
  planned: PlannedBus,
): Promise<Done> {
  const {
    failed = null,
    told = [],
    unsettled,
    access,
  } = await applyAll(cluster, applier, object, bus, planned, dropNothing)
  const conditions = [...planned.conditions, ...told]
  return { ...planned, bus, conditions, failed, usersUnsettled: unsettled === true, access: access ?? null }
}

const dropNothing = async () => {}

const DISKS_GROW = 'DisksGrow'

/** The file system is made larger by the node, some of them only when the Pod is made anew. */
function growing({ disks }: Plan): Condition[] {
  const [one] = disks?.growing ?? []
  if (one === undefined || one.has === null) return []
  const message = `the disk "${one.name}" has ${textOf(one.has)} of ${textOf(one.asked)}: a server stores no more than the smallest disk holds`
  return [warning(DISKS_GROW, 'Resizing', message)]
}

async function applyAll(
  cluster: Cluster,
  applier: Applier,
  { metadata: { uid } }: KubeObject,
  bus: EventBus,
  { objects, ownLogins }: Pick<PlannedBus, 'objects' | 'ownLogins'>,
  drop: () => Promise<void>,
): Promise<{ failed?: Failed } & Partial<Ensured>> {
  let reason = 'JetStreamAuthSecretsFailed'
  try {
    const owner = { kind: 'EventBus', namespace: bus.namespace, name: bus.name, uid } as const
    const ensured = await ensureSecrets(cluster, owner, ownLogins)
    // What the API server would refuse is not begun: servers are never configured for what they then do not get.
    for (const one of objects) {
      reason = reasons[one.kind]!
      await applier.check(one)
    }
    reason = 'ClaimsFailed'
    await drop()
    for (const one of objects) {
      reason = reasons[one.kind]!
      await applier.apply(one)
    }
    if (cluster.settings().networkPolicies === 'off') {
      reason = reasons.NetworkPolicy!
      await applier.remove(resources.networkpolicies, { namespace: bus.namespace, name: busPolicyName(bus) }, uid)
    }
    return ownLogins ? ensured : { ...ensured, access: null }
  } catch (error) {
    return { failed: { condition: condition('Deployed', 'False', reason, messageOf(error)), error } }
  }
}

/** Only advice: Pods make a stream that is not there, and go on with one that is. */
async function streamTrouble(
  cluster: Cluster,
  config: NatsConfig | undefined,
  access: NonNullable<Ensured['access']>,
): Promise<Condition[]> {
  if (config === undefined) return []
  const { url, streamConfig = '' } = config
  const trouble = await cluster.prepareStream({ url, streamConfig, ...access })
  if (trouble === null) return []
  const text = `the controller cannot see to the stream (port 4222 of the servers): ${trouble}; one that lacks allow_atomic is fenced message by message`
  return [warning('StreamUnseen', 'StreamUnseen', text)]
}

/** What there will be no other way to know once the StatefulSet is gone, and its disks are not. */
function remembered(objects: KubeObject[], { status }: KubeObject): Remembered {
  const made = objects.find(({ kind }) => kind === 'StatefulSet')
  const { natsImage, encryption } = made === undefined ? ((status ?? {}) as Remembered) : runningIn(made, {})!
  return { ...(natsImage === undefined ? {} : { natsImage }), ...(encryption === undefined ? {} : { encryption }) }
}

function serversOf(cluster: Cluster, bus: EventBus): { live: KubeObject | undefined; ready: number; wanted: number } {
  const live = cluster.statefulSets.get(`${bus.namespace}/${statefulSetName(bus)}`)
  const { readyReplicas = 0 } = (live?.status ?? {}) as { readyReplicas?: number }
  return { live, ready: readyReplicas, wanted: (live?.spec as { replicas?: number } | undefined)?.replicas ?? 0 }
}
