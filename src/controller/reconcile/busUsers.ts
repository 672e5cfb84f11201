/**
 * The users of a native bus: each EventSource that names it has one, with its own password in its own Secret. A user is there before the Pods that log in as
 * it, may do what any of these Pods still needs, and goes after the last of them.
 */
import { isVedetteError, messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import type { NatsPermissions, NatsUser } from '../../runtime/natsPermissions.ts'
import { refuseForeign } from '../apply.ts'
import { type Cluster, controllerOf, isOwnedBy, MANAGER } from '../cluster.ts'
import { type Condition, warning } from '../conditions.ts'
import { clientAuthOf, loginOf, random, secretObject, valuesIn } from '../eventBus/credentials.ts'
import { type Auth, covers, readAuth, union, userSecretName, withUsers, writeAuth } from '../eventBus/users.ts'
import { objectText } from '../eventSource.ts'
import { type Owner, selectorOf } from '../objects.ts'
import { LOGIN_KEY, mounts, permissionsOf, podSpecOf, servedBy } from '../ownLogin.ts'
import { isComplete } from '../rollout.ts'
import { deploymentOf } from './availability.ts'
import { readObject } from './read.ts'

export interface BusUsers {
  /** `auth.conf`, as the servers are to have it. */
  auth: string
  conditions: Condition[]
  /** Something goes, or comes, as soon as Pods or a Secret have gone, and nothing tells of that. */
  unsettled: boolean
}

/** Of one EventSource. */
interface Made {
  /** Null: it has none. */
  user: NatsUser | null
  trouble?: string
  unsettled?: boolean
}

/** So many Secrets are read at a time. */
const AT_A_TIME = 20
/** Of a password that somebody writes: one that NATS takes as it is (what begins with `$` it does not). */
const PASSWORD = /^[A-Za-z0-9_-]{12,128}$/

/**
 * Makes the Secrets first, and then says which users the servers are to know. What is in a Secret counts: who writes another password into it has changed it.
 * @param bus the EventBus. @param auth as its Secret has it. @throws as the client
 */
export async function ensureUsers(cluster: Cluster, bus: Owner, auth: string): Promise<BusUsers> {
  const before = readAuth(auth)
  const sources = cluster.eventSources.indexed(bus.namespace).filter((one) => busNameOf(one) === bus.name)
  const made: Made[] = []
  for (let i = 0; i < sources.length; i += AT_A_TIME) {
    const some = sources.slice(i, i + AT_A_TIME)
    made.push(...(await Promise.all(some.map((object) => ensureUser(cluster, bus, before, object)))))
  }
  const names = new Set(sources.map(({ metadata }) => userNameOf(bus, metadata.name)))
  const kept: NatsUser[] = []
  for (const user of before.users) if (!names.has(user.user) && (await isUsed(cluster, bus, user))) kept.push(user)
  const wanted = [...made.flatMap(({ user }) => user ?? []), ...kept]
  const known = new Set(before.users.map(({ user }) => user))
  const written = (users: NatsUser[]) => writeAuth(withUsers(before, users, cluster.clock.now()))
  const whole = written(wanted)
  // Where there is no room for all, those that are there are kept in order.
  const fewer = whole ?? written(wanted.filter(({ user }) => known.has(user)))
  return {
    auth: fewer ?? auth,
    conditions: told(made, whole !== null),
    unsettled: kept.length > 0 || made.some(({ unsettled }) => unsettled === true),
  }
}

function told(made: readonly Made[], written: boolean): Condition[] {
  const texts = made.flatMap(({ trouble }) => trouble ?? [])
  if (!written)
    texts.push('"auth" of its Secret is written in another form, or is full: EventSources without a user share a login')
  return texts.length === 0 ? [] : [warning('UsersMissing', 'UsersMissing', texts.join('; '))]
}

async function ensureUser(cluster: Cluster, bus: Owner, before: Auth, object: KubeObject): Promise<Made> {
  const { namespace = 'default', name, uid } = object.metadata
  const user = userNameOf(bus, name)
  const known = before.users.find((one) => one.user === user) ?? null
  const { source, errors } = await readObject(object)
  // What cannot be read is not deployed anew: its Pods go on as they are.
  if (source === null || errors.length > 0) return { user: known }
  const owner: Owner = { kind: 'EventSource', namespace, name, uid }
  const place = { namespace, name: userSecretName(bus.name, name) }
  const live = await cluster.client.get(resources.secrets, place)
  const ours = live === null || isOwnedBy(live, uid)
  const login = ours ? loginOf(valuesIn(live)?.[LOGIN_KEY]) : undefined
  const fits = login?.user === user && PASSWORD.test(login.password)
  const password = fits ? login.password : (known?.password ?? random(32))
  const needs = await needsOf(cluster, object, source, known?.permissions)
  const made = { user: { user, password, permissions: needs.permissions }, unsettled: needs.unsettled }
  if (fits) return made
  const wanted = secretObject(owner, place.name, { [LOGIN_KEY]: clientAuthOf({ user, password }) })
  try {
    refuseForeign(wanted, live)
    await cluster.client.apply(resources.secrets, wanted, { manager: MANAGER })
    return made
  } catch (error) {
    // That of an EventSource of this name that is gone goes too.
    const goes =
      live !== null && !ours && controllerOf(live)?.kind === 'EventSource' && controllerOf(live)?.name === name
    if (goes) return { ...made, unsettled: true }
    if (!isVedetteError(error, 'SPEC_INVALID', 'KUBERNETES_FORBIDDEN', 'KUBERNETES_INVALID')) throw error
    return { user: known, trouble: `EventSource ${name} has no login of its own: ${messageOf(error)}` }
  }
}

/** What it needs, and as long as Pods of before may be there, what these need too. */
async function needsOf(
  cluster: Cluster,
  object: KubeObject,
  source: EventSource,
  has: NatsPermissions | undefined,
): Promise<{ permissions: NatsPermissions; unsettled: boolean }> {
  const wanted = await permissionsOf(source)
  if (has === undefined || covers(wanted, has) || (await isRolledOut(cluster, object, source)))
    return { permissions: wanted, unsettled: false }
  return { permissions: union(wanted, has), unsettled: true }
}

/** Whether every Pod that there is serves the object as it is now. */
async function isRolledOut(cluster: Cluster, object: KubeObject, source: EventSource): Promise<boolean> {
  const text = objectText(source)
  const pods = await podsOf(cluster, source)
  const deployment = deploymentOf(cluster, object)
  if (deployment === undefined) return pods.length === 0
  const { object: served, image } = servedBy(podSpecOf(deployment))
  const isNew = (pod: KubeObject) =>
    pod.metadata.deletionTimestamp === undefined && servedBy(podSpecOf(pod)).object === text
  return served === text && image === cluster.settings().image && isComplete(deployment) && pods.every(isNew)
}

/** Whether any Pod still logs in as the user of an EventSource that is gone, or has gone to another bus. */
async function isUsed(cluster: Cluster, bus: Owner, { user }: NatsUser): Promise<boolean> {
  const { namespace } = bus
  const name = user.slice(namespace.length + 1)
  const secret = userSecretName(bus.name, name)
  const deployments = [...cluster.deployments.values()].filter(({ metadata }) => metadata.namespace === namespace)
  if (deployments.some((one) => mounts(podSpecOf(one), secret))) return true
  return (await podsOf(cluster, { namespace, name })).some((pod) => mounts(podSpecOf(pod), secret))
}

/** Those that run, or may yet; also what is about to end. */
async function podsOf({ client }: Cluster, source: { namespace: string; name: string }): Promise<KubeObject[]> {
  const { namespace, name } = source
  const labelSelector = selectorOf({ kind: 'EventSource', namespace, name })
  const { items } = await client.list(resources.pods, { namespace, labelSelector })
  return items.filter(({ status }) => {
    const { phase } = (status ?? {}) as { phase?: string }
    return phase !== 'Succeeded' && phase !== 'Failed'
  })
}

/** What an EventSource is called by the servers: as `vedette render --nats-permissions` has it. */
export function userNameOf({ namespace }: Pick<Owner, 'namespace'>, source: string): string {
  return `${namespace}/${source}`
}

function busNameOf({ spec }: KubeObject): string {
  return ((spec ?? {}) as { eventBusName?: string }).eventBusName || 'default'
}
