/** Whether the Pods of an EventSource or Sensor are up, and if not, why: the Secret or right that is missing. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, type Resource, resources } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition } from '../conditions.ts'
import { type Reference, referencesIn } from '../references.ts'

interface DeploymentStatus {
  readyReplicas?: number
  conditions?: { type: string; status: string; reason?: string; message?: string }[]
}

const TYPE = 'Available'

export function deploymentOf({ deployments }: Cluster, { metadata: { uid } }: KubeObject): KubeObject | undefined {
  return uid === undefined ? undefined : deployments.indexed(uid)[0]
}

export function readyText(deployment: KubeObject | undefined, wanted: number): string {
  return `${(deployment?.status as DeploymentStatus | undefined)?.readyReplicas ?? 0}/${wanted}`
}

/** @param specs where Secrets and ConfigMaps are referred to; looked at only when Pods are not ready */
export async function availability(
  cluster: Cluster,
  deployment: KubeObject | undefined,
  specs: unknown[],
): Promise<Condition> {
  if (deployment === undefined) return condition(TYPE, 'Unknown', 'NoDeployment', 'there is no Deployment yet')
  const wanted = (deployment.spec as { replicas?: number }).replicas ?? 1
  const { readyReplicas = 0, conditions = [] } = (deployment.status ?? {}) as DeploymentStatus
  if (readyReplicas >= wanted) return condition(TYPE, 'True')
  const missing = await missingValues(cluster, deployment.metadata.namespace!, specs)
  if (missing.length > 0) return condition(TYPE, 'False', 'SecretNotFound', `Pods cannot start: ${missing.join('; ')}`)
  const refused = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (refused !== undefined)
    return condition(TYPE, 'False', refused.reason ?? 'ReplicaFailure', `Pods are refused: ${refused.message}`)
  const text = `${readyReplicas} of ${wanted} replicas are ready`
  const stuck = conditions.some(({ type, status }) => type === 'Progressing' && status === 'False')
  return stuck ? condition(TYPE, 'False', 'PodsNotReady', text) : condition(TYPE, 'Unknown', 'Progressing', text)
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
