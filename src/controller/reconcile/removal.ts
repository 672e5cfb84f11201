/**
 * Remote clean-up of an EventSource that is being deleted: its replicas are stopped, then one Job with the Pod's own spec,
 * Secrets and ServiceAccount removes what is at the providers. Bounded: an object is never held for ever.
 */
import { isVedetteError, messageOf } from '../../core/errors.ts'
import { endsNamespace } from '../../kube/failure.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import { type Cluster, MANAGER } from '../cluster.ts'
import { handedOnAgain } from '../handedOn.ts'
import { CLIENT_LABELS } from '../networkPolicy.ts'
import { type Owner, owned } from '../objects.ts'
import { refusedPods, refusedText } from '../podRules.ts'
import { OUR_VARIABLES } from '../template.ts'
import { deploymentOf } from './availability.ts'

/** How long the replicas may take to stop, and the Job to do its work, milliseconds. */
const STOP_MS = 120_000
const JOB_MS = 300_000

export type Removal = 'done' | 'under way' | { left: string }

/** @throws what is to be tried again, until the time is over */
export async function removeRemote(cluster: Cluster, object: KubeObject): Promise<Removal> {
  const { client, clock } = cluster
  const sinceMs = clock.now() - Date.parse(object.metadata.deletionTimestamp!)
  const { namespace, name } = object.metadata
  const deployment = deploymentOf(cluster, object)
  if (sinceMs > STOP_MS + JOB_MS) return { left: `it did not end within ${(STOP_MS + JOB_MS) / 1000} s` }
  const place = { namespace, name: `${name}-eventsource-removal` }
  const job = await client.get(resources.jobs, place)
  if (job !== null) return outcomeOf(job)
  if (deployment === undefined) return { left: 'there is no Deployment whose Pods could do it' }
  const refused = refusedPods([deployment], cluster.settings().pods, cluster.home)
  if (refused.length > 0) return { left: refusedText(refused, cluster.settings().pods) }
  if (!(await stopped(cluster, deployment)) && sinceMs < STOP_MS) return 'under way'
  try {
    await client.create(resources.jobs, removalJob(object, deployment))
  } catch (error) {
    if (endsNamespace(error)) return { left: 'its namespace is being deleted, and no Job can be made in it any more' }
    // What is forbidden, by a Role or a quota, may be permitted yet.
    if (isVedetteError(error, 'KUBERNETES_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'KUBERNETES_FORBIDDEN')) throw error
    if (!isVedetteError(error, 'KUBERNETES_CONFLICT')) return { left: `its Job cannot be made: ${messageOf(error)}` }
  }
  return 'under way'
}

/** A replica that still runs would make anew what is removed. */
async function stopped(
  { client }: Cluster,
  { apiVersion, kind, metadata, spec, status }: KubeObject,
): Promise<boolean> {
  if ((spec as { replicas?: number }).replicas !== 0) {
    const { name, namespace } = metadata
    const none = {
      apiVersion,
      kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      spec: { replicas: 0 },
    }
    // Another manager: what ours holds of the Deployment stays as it is.
    await client.apply(resources.deployments, none, { manager: `${MANAGER}-removal` })
    return false
  }
  return ((status ?? {}) as { replicas?: number }).replicas === undefined
}

type Pod = { containers: Record<string, unknown>[] } & Record<string, unknown>

/** The Job of the Deployment's Pods. */
export function removalJob(object: KubeObject, deployment: KubeObject): KubeObject {
  const { name, namespace = 'default', uid } = object.metadata
  const owner: Owner = { kind: 'EventSource', namespace, name, uid }
  const { spec } = (deployment.spec as { template: { spec: Pod } }).template
  const { affinity: _, topologySpreadConstraints: __, ...pod } = spec
  const containers = spec.containers.map(({ ports, livenessProbe, readinessProbe, startupProbe, ...container }) => ({
    // The Deployment may be of a version that gave on what it was told.
    ...handedOnAgain(container, OUR_VARIABLES),
    args: ['eventsource-removal'],
  }))
  return owned(owner, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${name}-eventsource-removal` },
    spec: {
      backoffLimit: 3,
      activeDeadlineSeconds: JOB_MS / 1000,
      // A native bus lets nobody in without it; the Service and the Deployment go by more labels than that.
      template: { metadata: { labels: CLIENT_LABELS[0] }, spec: { ...pod, containers, restartPolicy: 'Never' } },
    },
  })
}

function outcomeOf(job: KubeObject): Removal {
  const { conditions = [] } = (job.status ?? {}) as {
    conditions?: { type: string; status: string; message?: string }[]
  }
  const holds = (type: string) => conditions.find((one) => one.type === type && one.status === 'True')
  if (holds('Complete') !== undefined) return 'done'
  const failed = holds('Failed')
  return failed === undefined ? 'under way' : { left: `its Job failed: ${failed.message ?? 'see its Pods'}` }
}
