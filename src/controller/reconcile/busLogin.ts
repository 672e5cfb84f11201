/**
 * Which login the Pods of an EventSource get at their bus. Its own, as soon as the servers know it with all that its entries need: no Pod is started with a login that is
 * refused. Until then it is waited, for the kubelets bring a changed Secret to the servers within a minute or two.
 */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import type { BusConfig } from '../busConfig.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition, type DatedCondition, warning } from '../conditions.ts'
import { secretNames, valuesIn } from '../eventBus/credentials.ts'
import { covers, readAuth, userSecretName } from '../eventBus/users.ts'
import type { PlannedBus } from '../eventBus.ts'
import { objectText } from '../eventSource.ts'
import { selectorOf } from '../objects.ts'
import { mounts, permissionsOf, podSpecOf, servedBy, withOwnLogin } from '../ownLogin.ts'
import { userNameOf } from './busUsers.ts'

/** So long is waited for the servers, milliseconds: kubelets look each minute or so. */
const PATIENCE_MS = 180_000
/** How soon to look again meanwhile, and after that. */
const SOON_MS = 3_000
const LATER_MS = 15_000
const NOT_KNOWN = 'whether the servers know its login cannot be found out'
const WAITS = 'WaitsForLogin'
/** Condition of an EventSource: `Unknown` since it waits, `True` when it goes on without what it should have. */
const BUS_LOGIN = 'BusLogin'

export type BusLogin =
  /** What its Pods are told; `afterMs`: when to look again. */
  | { bus: BusConfig; warning?: Condition; afterMs?: number; waits?: never }
  /** Nothing is to be changed yet. */
  | { waits: Condition[]; afterMs: number; bus?: never }

/**
 * @param object the EventSource. @param planned its bus, which can be used. @param deployment the one that there is
 * Never throws: what cannot be found out is waited for as well.
 */
export async function busLogin(
  cluster: Cluster,
  object: KubeObject,
  source: EventSource,
  planned: Pick<PlannedBus, 'ours' | 'ownLogins'>,
  deployment: KubeObject | undefined,
): Promise<BusLogin> {
  const shared = planned.ours!
  if (!planned.ownLogins) return { bus: shared }
  const own = withOwnLogin(shared, source)
  const running = deployment === undefined ? {} : podSpecOf(deployment)
  const hasOwn = mounts(running, userSecretName(source.eventBusName, source.name))
  const { object: served, image } = servedBy(running)
  // What was true when it was made so is so still.
  if (hasOwn && served === objectText(source) && image === cluster.settings().image) return { bus: own }
  const waited = waitedIn(object, cluster.clock.now())
  const lacks = await whatLacks(cluster, source, waited >= PATIENCE_MS).catch(
    (error) => `${NOT_KNOWN}: ${messageOf(error)}`,
  )
  if (lacks === null) return { bus: own }
  if (waited < PATIENCE_MS) {
    const text = `${lacks}; a changed Secret gets to the servers within a minute or two`
    return { waits: ['Deployed', BUS_LOGIN].map((type) => condition(type, 'Unknown', WAITS, text)), afterMs: SOON_MS }
  }
  const outcome = hasOwn
    ? warning(BUS_LOGIN, 'NotYetKnown', `what is new of its entries may be refused by the bus: ${lacks}`)
    : warning(BUS_LOGIN, 'Shared', `its Pods have the login that all share: ${lacks}`)
  return { bus: hasOwn ? own : shared, warning: outcome, afterMs: LATER_MS }
}

/** How long its status says that it waits, milliseconds; for ever: it has been given up. */
function waitedIn({ status }: KubeObject, now: number): number {
  const { conditions = [] } = (status ?? {}) as { conditions?: DatedCondition[] }
  const found = conditions.find(({ type }) => type === BUS_LOGIN)
  if (found === undefined) return 0
  return found.status === 'True' ? Number.POSITIVE_INFINITY : now - Date.parse(found.lastTransitionTime)
}

/** Why its login would be refused; null: it is not. @param impatient servers that cannot be asked count as if they had answered well */
async function whatLacks(cluster: Cluster, source: EventSource, impatient: boolean): Promise<string | null> {
  const { namespace, name, eventBusName } = source
  const bus = `EventBus "${eventBusName}"`
  const secret = await cluster.client.get(resources.secrets, { namespace, name: secretNames(eventBusName).server })
  const { users } = readAuth(valuesIn(secret)?.auth ?? '')
  const user = users.find((one) => one.user === userNameOf(source, name))
  if (user === undefined) return `${bus} has not made its login yet: see its conditions`
  if (!covers(user.permissions, await permissionsOf(source))) return `${bus} does not let it do all that it needs yet`
  return await unknownTo(cluster, source, user.since, impatient)
}

/** Which server that runs has not read the file of this revision; null: all have, or start with it. */
async function unknownTo(
  { client, readUsers }: Cluster,
  { namespace, eventBusName }: EventSource,
  since: number,
  impatient: boolean,
): Promise<string | null> {
  const labelSelector = selectorOf({ kind: 'EventBus', namespace, name: eventBusName })
  const found = await client.list(resources.pods, { namespace, labelSelector }).catch((error) => {
    if (impatient) return { items: [] }
    throw error
  })
  const answers = await Promise.all(
    found.items.map(async ({ metadata, status }) => {
      const { phase, podIP } = (status ?? {}) as { phase?: string; podIP?: string }
      const startsWithIt = Date.parse(metadata.creationTimestamp ?? '') >= since
      if (startsWithIt || podIP === undefined || phase !== 'Running' || metadata.deletionTimestamp !== undefined)
        return null
      const read = await readUsers(podIP)
      if (typeof read === 'string')
        return impatient ? null : `${metadata.name} does not say whether it knows its login: ${read}`
      return read >= since ? null : `${metadata.name} does not know its login yet`
    }),
  )
  return answers.find((one) => one !== null) ?? null
}
