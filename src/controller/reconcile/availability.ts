/** Whether the Pods of an EventSource or Sensor are up as they are wanted, and if not, which is not, and why. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, type Resource, resources } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition } from '../conditions.ts'
import { labelSelector } from '../objects.ts'
import { type PodTrouble, podTrouble } from '../podTrouble.ts'
import { type Reference, referencesIn } from '../references.ts'
import { isComplete, type Rollout, rolloutOf, statusOf, wantedOf } from '../rollout.ts'

const TYPE = 'Available'

/** How soon to look again while Pods are on their way, and while it is known what keeps them: nothing tells of it, milliseconds. */
const SOON_MS = 3_000
const KNOWN_MS = 15_000

export interface Availability {
  condition: Condition
  /** Ready replicas of the wanted generation. */
  ready: number
  /** When to look again; undefined: when something changes. */
  afterMs?: number | undefined
}

export function deploymentOf({ deployments }: Cluster, { metadata: { uid } }: KubeObject): KubeObject | undefined {
  return uid === undefined ? undefined : deployments.indexed(uid)[0]
}

/** @param specs where Secrets and ConfigMaps are referred to; looked at only when Pods are not ready */
export async function availability(
  cluster: Cluster,
  deployment: KubeObject | undefined,
  specs: unknown[],
): Promise<Availability> {
  if (deployment === undefined) {
    return { condition: condition(TYPE, 'Unknown', 'NoDeployment', 'there is no Deployment yet'), ready: 0 }
  }
  if (isComplete(deployment)) return { condition: condition(TYPE, 'True'), ready: wantedOf(deployment) }
  try {
    const rollout = await lookAtPods(cluster, deployment)
    return { ready: rollout.ready, ...(await judged(cluster, deployment, rollout, specs)) }
  } catch (error) {
    const unknown = condition(TYPE, 'Unknown', 'PodsUnknown', `what its Pods do cannot be seen: ${messageOf(error)}`)
    return { condition: unknown, ready: 0, afterMs: KNOWN_MS }
  }
}

async function lookAtPods({ client }: Cluster, deployment: KubeObject): Promise<Rollout> {
  const { namespace } = deployment.metadata
  const { matchLabels } = (deployment.spec as { selector: { matchLabels: Record<string, string> } }).selector
  const selection = { namespace, labelSelector: labelSelector(matchLabels) }
  const [replicaSets, pods] = await Promise.all([
    client.list(resources.replicasets, selection),
    client.list(resources.pods, selection),
  ])
  return rolloutOf(deployment, replicaSets.items, pods.items)
}

async function judged(
  cluster: Cluster,
  deployment: KubeObject,
  rollout: Rollout,
  specs: unknown[],
): Promise<Pick<Availability, 'condition' | 'afterMs'>> {
  const { wanted, ready, older } = rollout
  if (ready >= wanted) return { condition: condition(TYPE, 'True'), afterMs: SOON_MS }
  const text = `${ready} of ${wanted} replicas are ready${older === 0 ? '' : `, ${older} of an older generation serve on`}`
  const failed = (reason: string, why: string) => ({
    condition: condition(TYPE, 'False', reason, `${why}; ${text}`),
    afterMs: KNOWN_MS,
  })
  const missing = await missingValues(cluster, deployment.metadata.namespace!, specs)
  if (missing.length > 0) return failed('SecretNotFound', `Pods cannot start: ${missing.join('; ')}`)
  const { conditions = [], observedGeneration = 0 } = statusOf(deployment)
  const refused = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (refused !== undefined) return failed(refused.reason ?? 'ReplicaFailure', `Pods are refused: ${refused.message}`)
  const trouble = podTrouble(rollout.pods, cluster.clock.now())
  if (trouble !== null) return failed(trouble.reason, await withItsWords(cluster, rollout, trouble))
  if (observedGeneration < (deployment.metadata.generation ?? 0)) {
    const waits = `the cluster's controller of Deployments has not taken the change up yet; ${text}`
    return { condition: condition(TYPE, 'Unknown', 'Progressing', waits), afterMs: SOON_MS }
  }
  const stuck = conditions.find(({ type, status }) => type === 'Progressing' && status === 'False')
  if (stuck !== undefined) return failed('PodsNotReady', stuck.message ?? 'the roll-out stands still')
  return { condition: condition(TYPE, 'Unknown', 'Progressing', text), afterMs: SOON_MS }
}

/** What our own Pod says of why it is not ready. */
async function withItsWords({ podReadiness }: Cluster, { pods }: Rollout, trouble: PodTrouble): Promise<string> {
  if (trouble.reason !== 'NotReady' && trouble.reason !== 'NotStarted') return trouble.message
  const pod = pods.find(({ metadata }) => metadata.name === trouble.pod)
  const { podIP } = (pod?.status ?? {}) as { podIP?: string }
  const words = podIP === undefined ? null : await podReadiness(podIP)
  return words === null ? trouble.message : `${trouble.message}. It says: ${words}`
}

async function missingValues({ client }: Cluster, namespace: string, specs: unknown[]): Promise<string[]> {
  const { secrets, configMaps } = referencesIn(...specs)
  const look = async (resource: Resource, [name, { keys, optional }]: [string, Reference]): Promise<string[]> => {
    if (optional) return []
    try {
      const found = (await client.get(resource, { namespace, name })) as { data?: object; binaryData?: object } | null
      if (found === null) return [`${resource.kind} "${name}" is missing`]
      const there = { ...found.data, ...found.binaryData }
      return keys
        .filter((key) => !Object.hasOwn(there, key))
        .map((key) => `${resource.kind} "${name}" has no key "${key}"`)
    } catch (error) {
      return [`${resource.kind} "${name}": ${messageOf(error)}`]
    }
  }
  const found = await Promise.all([
    ...[...secrets].map((one) => look(resources.secrets, one)),
    ...[...configMaps].map((one) => look(resources.configmaps, one)),
  ])
  return found.flat()
}
