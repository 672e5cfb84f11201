/** Brings what an EventSource needs into being, and says in its status how that stands. Level-based: it looks at what is there now. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { Diagnostic, EventSource } from '../../manifest/manifest.ts'
import { accountWarning } from '../accounts.ts'
import type { Applier, Contested } from '../apply.ts'
import type { BusConfig } from '../busConfig.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition, warning } from '../conditions.ts'
import { eventSourceObjects, serviceAccountOf } from '../eventSource.ts'
import { limitsWarning } from '../handedOn.ts'
import { sourcePolicyName } from '../networkPolicy.ts'
import { selectorOf } from '../objects.ts'
import { podRefusal } from '../podRules.ts'
import { missingTypes } from '../render.ts'
import { statusOf, wantedOf } from '../rollout.ts'
import { type StatusOf, writeStatus } from '../status.ts'
import type { Turn } from '../turns.ts'
import { availability, deploymentOf } from './availability.ts'
import { findBus } from './bus.ts'
import { type BusLogin, busLogin } from './busLogin.ts'
import { type Lead, leadOf } from './lead.ts'
import { readObject, sayError } from './read.ts'
import { mayRollOut, TURN_MS, waitsForTurn } from './turn.ts'

/**
 * @returns when to look again, since something may change unseen
 * @throws what could not be done, to be tried again; the status says it already
 */
export async function reconcileEventSource(
  cluster: Cluster,
  applier: Applier,
  object: KubeObject,
  turn: Turn,
): Promise<{ afterMs: number } | undefined> {
  const write = (status: StatusOf) => writeStatus(cluster, resources.eventsources, object, status)
  const { source, errors } = await readObject(object)
  const refused = whyRefused(object, source, errors)
  if (refused !== null || source === null) {
    const deployed = await deployedOf(cluster, object, deploymentOf(cluster, object))
    await write({ ...asBefore(object), ...deployed.status, conditions: [refused!, condition('Deployed', 'Unknown')] })
    return deployed.again
  }
  const provided = sourcesProvided(source)
  const strategy = await strategyOf(cluster, source)
  const { login, trouble } = await usableBus(cluster, object, source)
  if (trouble !== undefined) {
    const deployed = await deployedOf(cluster, object, deploymentOf(cluster, object))
    await write({ ...asBefore(object), ...deployed.status, conditions: [provided, ...trouble.conditions], strategy })
    return sooner(deployed.again, trouble.afterMs)
  }
  const { bus } = login
  const objects = objectsOf(cluster, object, source, bus)
  if (!mayRollOut(deploymentOf(cluster, object), objects, turn)) {
    const deployed = await deployedOf(cluster, object, deploymentOf(cluster, object))
    await write({ ...asBefore(object), ...deployed.status, conditions: [provided, waitsForTurn(turn)], strategy })
    return sooner(deployed.again, TURN_MS)
  }
  const { failed, deployment, contested } = await applyAll(cluster, applier, object, objects)
  turn.look(deployment)
  const deployed = await deployedOf(cluster, object, deployment, [source.spec])
  const account = accountWarning(cluster.home, source.namespace, serviceAccountOf(source))
  const limits = limitsWarning(source.spec.template)
  const { unknown, stranger, ...lead }: Lead = strategy === 'active-active' ? {} : await leadOf(cluster, source, bus)
  await write({
    conditions: [
      ...[provided, failed?.condition ?? condition('Deployed', 'True'), deployed.available],
      ...(unknown === undefined ? [] : [warning('LeaderUnknown', 'LeaderUnknown', unknown)]),
      ...(stranger === undefined ? [] : [warning('LeaseHeld', 'HolderIsNoPod', stranger)]),
      ...(account === null ? [] : [account]),
      ...(limits === null ? [] : [limits]),
      ...(login.warning === undefined ? [] : [login.warning]),
      ...(contested === null ? [] : [warning('Contested', 'Contested', contested.message)]),
    ],
    problem: stranger,
    strategy,
    ...deployed.status,
    ...lead,
  })
  if (failed !== null) throw failed.error
  if (contested !== null) return contested
  const again = sooner(deployed.again, login.afterMs)
  if (stranger !== undefined) return sooner(again, STRANGER_MS)
  return again ?? (strategy === 'active-active' ? undefined : { afterMs: LOOK_MS })
}

function sooner(again: { afterMs: number } | undefined, afterMs: number | undefined): { afterMs: number } | undefined {
  if (again === undefined || afterMs === undefined) return again ?? (afterMs === undefined ? undefined : { afterMs })
  return { afterMs: Math.min(again.afterMs, afterMs) }
}

/** What stays as it is while nothing is deployed anew: the Pods go on. */
function asBefore({ status }: KubeObject): Pick<StatusOf, 'strategy' | 'leader' | 'failovers' | 'term'> {
  const { strategy, leader, failovers, term } = (status ?? {}) as StatusOf
  return { strategy, leader, failovers, term }
}

/** Of those whose leader changes unseen, milliseconds. */
const LOOK_MS = 30_000
/** Of those whose Lease is held by a stranger: a Pod that was deleted without its leave is followed within seconds. */
const STRANGER_MS = 5_000

interface Deployed {
  /** Also while nothing is deployed anew: an autoscaler reads it. */
  status: Pick<StatusOf, 'ready' | 'replicas' | 'selector'>
  available: Condition
  again: { afterMs: number } | undefined
}

/** @param specs see {@link availability} */
async function deployedOf(
  cluster: Cluster,
  { metadata: { namespace = 'default', name } }: KubeObject,
  deployment: KubeObject | undefined,
  specs: unknown[] = [],
): Promise<Deployed> {
  const { condition: available, ready, afterMs } = await availability(cluster, deployment, specs)
  return {
    status: {
      ready: `${ready}/${deployment === undefined ? 0 : wantedOf(deployment)}`,
      replicas: deployment === undefined ? 0 : (statusOf(deployment).replicas ?? 0),
      selector: selectorOf({ kind: 'EventSource', namespace, name }),
    },
    available,
    again: afterMs === undefined ? undefined : { afterMs },
  }
}

/** The condition of an object for which nothing is deployed; what is there already stays as it is. Null: it can be. */
function whyRefused(object: KubeObject, source: EventSource | null, errors: Diagnostic[]): Condition | null {
  const refused = (reason: string, message: string) => condition('SourcesProvided', 'False', reason, message)
  if (source === null || errors.length > 0) {
    return refused('InvalidEventSource', invalidText(object.metadata.name, errors))
  }
  const missing = missingTypes(source)
  if (missing.length === 0) return null
  return refused('TypeNotSupported', `not in this version: ${missing.join(', ')}. What is deployed is left alone.`)
}

/** What its Pods may be told of the bus, or why none are made. */
async function usableBus(
  cluster: Cluster,
  object: KubeObject,
  source: EventSource,
): Promise<
  | { login: Extract<BusLogin, { bus: BusConfig }>; trouble?: never }
  | { login?: never; trouble: { conditions: Condition[]; afterMs?: number } }
> {
  const { planned, trouble } = await findBus(cluster, source.namespace, source.eventBusName)
  if (trouble !== undefined) return { trouble: { conditions: [trouble] } }
  // Whichever login they get.
  const refusal = podRefusal(objectsOf(cluster, object, source, planned.ours!), cluster.settings().pods, cluster.home)
  if (refusal !== null) return { trouble: { conditions: [refusal] } }
  const login = await busLogin(cluster, object, source, planned, deploymentOf(cluster, object))
  return login.bus === undefined ? { trouble: { conditions: login.waits, afterMs: login.afterMs } } : { login }
}

/** Upstream's words, then ours. */
function invalidText(name: string, errors: Diagnostic[]): string {
  const [first] = errors
  if (first === undefined) return 'it cannot be read'
  const entry = first.path[0] === 'spec' && first.path.length >= 3 ? `Invalid spec: ${name} - ${first.path[2]}. ` : ''
  const upstreams = /^more than one "/.test(first.message) ? '' : entry
  return `${upstreams}${errors.slice(0, 10).map(sayError).join('; ')}`
}

/** True also when some entries are not served: the others are. */
function sourcesProvided({ entries }: EventSource): Condition {
  const refused = entries.filter((entry) => entry.refused !== undefined)
  if (refused.length === 0) return condition('SourcesProvided', 'True')
  const message = refused.map(({ name, refused }) => `${name} is not served: ${refused}`).join('; ')
  return condition('SourcesProvided', 'True', 'SomeNotServed', message)
}

async function strategyOf({ load }: Cluster, { entries }: EventSource): Promise<string | undefined> {
  const strategies = new Set<string>()
  for (const { type } of entries) {
    const definition = await load(type)
    if (definition !== null) strategies.add(definition.strategy)
  }
  return strategies.size > 1 ? 'mixed' : [...strategies][0]
}

interface Failed {
  condition: Condition
  error: unknown
}

type Words = [reason: string, message: string]

/** What could not be made or changed, by kind. Upstream's words where it has any. */
const notApplied: Record<string, Words> = {
  Deployment: ['UpdateDeploymentFailed', 'Failed to update existing deployment'],
  Service: ['CreateServiceFailed', 'Failed to create a service'],
  PodDisruptionBudget: ['ApplyBudgetFailed', 'Failed to apply the PodDisruptionBudget'],
  Role: ['ApplyRoleFailed', 'Failed to apply the Role for the Lease'],
  RoleBinding: ['ApplyRoleFailed', 'Failed to apply the RoleBinding for the Lease'],
  NetworkPolicy: ['ApplyNetworkPolicyFailed', 'Failed to apply the NetworkPolicy'],
}
const notCreated: Words = ['CreateDeploymentFailed', 'Failed to create a deployment']
/** What is no longer wanted and could not be deleted. */
const notDeleted: Record<string, Words> = {
  Service: ['DeleteServiceFailed', 'Failed to delete existing service'],
  PodDisruptionBudget: ['DeleteBudgetFailed', 'Failed to delete the PodDisruptionBudget'],
  Role: ['DeleteRoleFailed', 'Failed to delete the Role for the Lease'],
  RoleBinding: ['DeleteRoleFailed', 'Failed to delete the RoleBinding for the Lease'],
  NetworkPolicy: ['DeleteNetworkPolicyFailed', 'Failed to delete the NetworkPolicy'],
}

function objectsOf(cluster: Cluster, object: KubeObject, source: EventSource, bus: BusConfig): KubeObject[] {
  const { uid } = object.metadata
  const deploymentName = deploymentOf(cluster, object)?.metadata.name
  return eventSourceObjects({ source, uid, bus, settings: cluster.settings(), deploymentName })
}

async function applyAll(
  cluster: Cluster,
  applier: Applier,
  object: KubeObject,
  objects: KubeObject[],
): Promise<{ failed: Failed | null; deployment: KubeObject | undefined; contested: Contested | null }> {
  const { uid, name, namespace = 'default' } = object.metadata
  const existing = deploymentOf(cluster, object)
  let failed: Failed | null = null
  let deployment = existing
  const attempt = async ([reason, text]: Words, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      failed ??= { condition: condition('Deployed', 'False', reason, `${text}: ${messageOf(error)}`), error }
    }
  }
  for (const one of objects) {
    const isNew = one.kind === 'Deployment' && existing === undefined
    await attempt(isNew ? notCreated : notApplied[one.kind]!, async () => {
      const made = await applier.apply(one)
      // The view of it comes later.
      if (one.kind === 'Deployment' && made !== null) deployment = made
    })
  }
  const unwanted = [
    [resources.services, `${name}-eventsource-svc`],
    [resources.poddisruptionbudgets, `${name}-eventsource-pdb`],
    [resources.rolebindings, `${name}-eventsource-lease`],
    [resources.roles, `${name}-eventsource-lease`],
    ...(cluster.settings().networkPolicies === 'off'
      ? ([[resources.networkpolicies, sourcePolicyName({ name })]] as const)
      : []),
  ] as const
  for (const [resource, name] of unwanted) {
    if (objects.some(({ kind }) => kind === resource.kind)) continue
    await attempt(notDeleted[resource.kind]!, () => applier.remove(resource, { namespace, name }, uid))
  }
  return { failed, deployment, contested: applier.contested(objects) }
}
