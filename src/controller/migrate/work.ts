/** What both ways of an exchange do to objects, each in a form that may be done again. */
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, type Resource, resourceOf, resources } from '../../kube/resources.ts'
import { nameOf } from './steps.ts'

/** One thing that has been done, or is waited for. */
export type Tell = (object: string, what: string) => void

export interface Work {
  client: KubeClient
  clock: Clock
  tell: Tell
  /** How long one thing may take until it is given up, milliseconds. */
  patienceMs: number
  signal?: AbortSignal | undefined
}

/** Who applies what is installed: `kubectl apply --server-side`, so that the next one by hand goes on from it. */
export const INSTALLER = 'kubectl'
/** Who sets numbers of replicas. */
export const SCALER = 'vedette-migrate'

const LOOK_MS = 500

/** @throws SPEC_INVALID for a kind that is not known here */
export function resourceFor(object: KubeObject): Resource {
  const resource = resourceOf(object)
  if (resource === null)
    throw fail('SPEC_INVALID', `${nameOf(object)}: objects of this kind are not applied: apply it by kubectl`)
  return resource
}

/** @throws STALLED when it is not so in time */
export async function waitFor(
  { clock, patienceMs, signal }: Work,
  object: string,
  condition: () => Promise<true | string>,
): Promise<void> {
  const beganMs = clock.monotonic()
  for (;;) {
    const holds = await condition()
    if (holds === true) return
    if (clock.monotonic() - beganMs > patienceMs)
      throw fail(
        'STALLED',
        `${object}: ${holds} after ${Math.round(patienceMs / 1000)} s. Mend it, then give the same command again: it goes on from here`,
      )
    await clock.sleep(LOOK_MS, signal)
  }
}

/** Scales a Deployment and, if to 0, waits until its last Pod is gone. */
export async function scale(work: Work, { apiVersion, kind, metadata }: KubeObject, replicas: number): Promise<void> {
  const { name, namespace } = metadata
  const place = { name, ...(namespace === undefined ? {} : { namespace }) }
  const object: KubeObject = { apiVersion, kind, metadata: place, spec: { replicas } }
  const live = await work.client.apply(resources.deployments, object, { manager: SCALER })
  if (replicas > 0) return
  const { matchLabels = {} } = (live.spec as { selector: { matchLabels?: Record<string, string> } }).selector
  const labelSelector = Object.entries(matchLabels)
    .map(([key, value]) => `${key}=${value}`)
    .join()
  await waitFor(work, nameOf(live), async () => {
    const { items } = await work.client.list(resources.pods, { namespace, labelSelector })
    const status = (await work.client.get(resources.deployments, place))?.status as { replicas?: number } | undefined
    return items.length === 0 && (status?.replicas ?? 0) === 0
      ? true
      : `${Math.max(1, items.length)} Pods have not ended`
  })
  work.tell(nameOf(live), 'scaled to 0, its Pods are gone')
}

/** Whether every member of `wanted` is in `live`: it was applied already. */
export function includes(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(live) && live.length === wanted.length && wanted.every((item, i) => includes(live[i], item))
  if (typeof wanted !== 'object' || wanted === null) return live === wanted
  if (typeof live !== 'object' || live === null) return false
  return Object.entries(wanted).every(([key, value]) => includes((live as Record<string, unknown>)[key], value))
}

/** Deletes it, if it is there, and waits until it is gone. */
export async function remove(work: Work, object: KubeObject, propagation?: 'Orphan'): Promise<boolean> {
  const resource = resourceFor(object)
  if (!(await work.client.delete(resource, object.metadata, propagation === undefined ? {} : { propagation })))
    return false
  const uid = object.metadata.uid
  await waitFor(work, nameOf(object), async () => {
    const live = await work.client.get(resource, object.metadata)
    return live === null || (uid !== undefined && live.metadata.uid !== uid) ? true : 'it is not gone'
  })
  return true
}

/** Applies it; what cannot be changed in place is made anew. */
export async function put(work: Work, object: KubeObject): Promise<void> {
  const resource = resourceFor(object)
  try {
    await work.client.apply(resource, object, { manager: INSTALLER })
  } catch (error) {
    const fixed = ['RoleBinding', 'ClusterRoleBinding', 'Deployment'].includes(object.kind)
    if (!fixed || !isVedetteError(error, 'KUBERNETES_INVALID')) throw error
    await remove(work, object)
    await work.client.apply(resource, object, { manager: INSTALLER })
  }
  work.tell(nameOf(object), 'applied')
}

interface Rollout {
  observedGeneration?: number
  updatedReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  replicas?: number
  conditions?: { type: string; status: string; message?: string }[]
}

/** @returns true when all its Pods are of the newest generation and available, else how far it is */
export function rolledOut({ metadata, spec, status }: KubeObject): true | string {
  const { replicas: wanted = 1 } = (spec ?? {}) as { replicas?: number }
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = (status ?? {}) as Rollout
  if (observedGeneration < (metadata.generation ?? 0)) return 'its Deployment has not been looked at'
  if (updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= Math.max(wanted, updatedReplicas))
    return true
  const failed = ((status ?? {}) as Rollout).conditions?.find(
    ({ type, status }) => type === 'ReplicaFailure' && status === 'True',
  )
  return `${Math.min(updatedReplicas, availableReplicas)} of ${wanted} Pods are new and available${failed === undefined ? '' : ` (${failed.message})`}`
}

/** The same of a StatefulSet. One whose Pods are replaced only when they are deleted is left to whoever deletes them. */
export function serversRolledOut({ metadata, spec, status }: KubeObject): true | string {
  const { replicas: wanted = 1, updateStrategy } = spec as { replicas?: number; updateStrategy?: { type?: string } }
  if (updateStrategy?.type === 'OnDelete') return true
  const { observedGeneration = 0, updatedReplicas = 0, readyReplicas = 0 } = (status ?? {}) as Rollout
  if (observedGeneration < (metadata.generation ?? 0)) return 'its StatefulSet has not been looked at'
  if (updatedReplicas >= wanted && readyReplicas >= wanted) return true
  return `${Math.min(updatedReplicas, readyReplicas)} of ${wanted} servers are new and ready`
}
