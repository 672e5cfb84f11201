/** How far a Deployment has got with the generation that is wanted: Pods of older ones serve on meanwhile, and are not counted. Pure. */
import type { KubeObject } from '../kube/resources.ts'
import { canonical } from './objects.ts'
import { isPodReady } from './podTrouble.ts'

export interface Rollout {
  wanted: number
  /** Of the wanted generation. */
  ready: number
  /** Ready Pods of older generations. */
  older: number
  /** Those of the wanted generation. */
  pods: KubeObject[]
}

interface DeploymentStatus {
  observedGeneration?: number
  replicas?: number
  updatedReplicas?: number
  readyReplicas?: number
  conditions?: { type: string; status: string; reason?: string; message?: string }[]
}

export function statusOf({ status }: KubeObject): DeploymentStatus {
  return (status ?? {}) as DeploymentStatus
}

export function wantedOf({ spec }: KubeObject): number {
  return (spec as { replicas?: number }).replicas ?? 1
}

/** Whether the Deployment's own figures say that all is as wanted: then nobody needs to look at Pods. */
export function isComplete(deployment: KubeObject): boolean {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = statusOf(deployment)
  if (observedGeneration < (deployment.metadata.generation ?? 0)) return false
  return updatedReplicas === replicas && readyReplicas >= wantedOf(deployment)
}

const HASH_LABEL = 'pod-template-hash'

type Template = { metadata?: { labels?: Record<string, string> } }

/**
 * @param replicaSets of its namespace, others among them
 * @param pods that its selector finds
 */
export function rolloutOf(
  deployment: KubeObject,
  replicaSets: readonly KubeObject[],
  pods: readonly KubeObject[],
): Rollout {
  const wanted = wantedOf(deployment)
  const hash = hashOfWanted(deployment, replicaSets)
  const isWanted = ({ metadata }: KubeObject) => hash !== undefined && metadata.labels?.[HASH_LABEL] === hash
  const ready = pods.filter(isPodReady)
  return {
    wanted,
    ready: ready.filter(isWanted).length,
    older: ready.filter((pod) => !isWanted(pod)).length,
    pods: pods.filter(isWanted),
  }
}

/** The one that has the Deployment's template, as the Deployment controller finds it; undefined: it is not made yet. */
function hashOfWanted({ metadata, spec }: KubeObject, replicaSets: readonly KubeObject[]): string | undefined {
  const templateOf = (spec: unknown): string => {
    const { template } = spec as { template: Template }
    const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {}
    return canonical({ ...template, metadata: { ...template.metadata, labels } })
  }
  const template = templateOf(spec)
  const found = replicaSets
    .filter((one) => one.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .filter((one) => templateOf(one.spec) === template)
    // The oldest, should there be two.
    .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
  return found[0]?.metadata.labels?.[HASH_LABEL]
}
