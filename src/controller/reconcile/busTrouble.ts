/** Why servers of a native bus are not up: what the StatefulSet may not make, disks that do not come, and what the Pods say. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, warning } from '../conditions.ts'
import { selectorOf } from '../objects.ts'
import { podTrouble } from '../podTrouble.ts'

/** A warning, and no `False`: a bus of which one server is down can be used, and Argo Events' Sensors ask that every condition be True. */
export const SERVERS_NOT_READY = 'ServersNotReady'

/** Never throws: what cannot be found out is said. @param live the StatefulSet, of which some servers are not ready */
export async function busTrouble(cluster: Cluster, bus: EventBus, live: KubeObject): Promise<Condition[]> {
  try {
    const found = await troubleOf(cluster, bus, live)
    return found === null ? [] : [warning(SERVERS_NOT_READY, found.reason, found.message)]
  } catch (error) {
    return [warning(SERVERS_NOT_READY, 'Unknown', `why servers are not ready is not known: ${messageOf(error)}`)]
  }
}

interface Trouble {
  reason: string
  message: string
}

async function troubleOf({ client, clock }: Cluster, bus: EventBus, live: KubeObject): Promise<Trouble | null> {
  const { namespace, name } = bus
  const selection = { namespace, labelSelector: selectorOf({ kind: 'EventBus', namespace, name }) }
  const { items: pods } = await client.list(resources.pods, selection)
  const { items: claims } = await client.list(resources.persistentvolumeclaims, selection)
  const eventsOf = async ({ metadata: { uid } }: KubeObject) =>
    (await client.list(resources.events, { namespace, fieldSelector: `involvedObject.uid=${uid}` })).items
  const { replicas = 1 } = live.spec as { replicas?: number }
  const making = pods.length < replicas ? refusedIn(await eventsOf(live)) : null
  if (making !== null) return making
  for (const claim of claims) {
    const { phase } = (claim.status ?? {}) as { phase?: string }
    const waiting = phase === 'Bound' ? null : claimTrouble(claim, await eventsOf(claim))
    if (waiting !== null) return waiting
  }
  return podTrouble(pods, clock.now())
}

interface Told {
  reason?: string
  message?: string
  lastTimestamp?: string
  eventTime?: string
  series?: { lastObservedTime?: string }
}

/** The newest of those with one of the reasons. */
function newest(events: readonly KubeObject[], reasons: readonly string[]): Told | undefined {
  const at = ({ series, lastTimestamp, eventTime }: Told) =>
    Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? '') || 0
  return events
    .map((one) => one as Told)
    .filter(({ reason }) => reasons.includes(reason ?? ''))
    .sort((a, b) => at(b) - at(a))
    .at(0)
}

/** Quota, a policy, an admission webhook: only the StatefulSet's events tell. */
export function refusedIn(events: readonly KubeObject[]): Trouble | null {
  const last = newest(events, ['FailedCreate', 'SuccessfulCreate'])
  return last?.reason !== 'FailedCreate'
    ? null
    : { reason: 'FailedCreate', message: short(`servers are refused: ${last.message}`) }
}

/** A claim may also wait for the first Pod: that is no trouble, and the Pod's if it is one. */
export function claimTrouble({ metadata, spec }: KubeObject, events: readonly KubeObject[]): Trouble | null {
  const last = newest(events, ['FailedBinding', 'ProvisioningFailed', 'WaitForFirstConsumer', 'ExternalProvisioning'])
  if (last?.reason !== 'FailedBinding' && last?.reason !== 'ProvisioningFailed') return null
  const { storageClassName } = spec as { storageClassName?: string }
  const remedy = storageClassName
    ? `is StorageClass "${storageClassName}" there, and has it a provisioner?`
    : 'give the cluster a default StorageClass, or name one in persistence.storageClassName'
  return {
    reason: 'ClaimPending',
    message: short(`the disk "${metadata.name}" does not come: ${last.message}; ${remedy}`),
  }
}

const LONGEST = 500

function short(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`
}
