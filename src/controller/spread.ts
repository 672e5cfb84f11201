/** What keeps several replicas from going down together: spread over nodes and zones, and a disruption budget. */
import type { KubeObject } from '../kube/resources.ts'
import { type Owner, owned } from './objects.ts'

const HOST = 'kubernetes.io/hostname'
const ZONE = 'topology.kubernetes.io/zone'

type Labels = Record<string, string>

/** Preferred, never required: a cluster of one node must still run all replicas. @param revisions each revision spreads for itself */
export function topologySpread(matchLabels: Labels, { revisions }: { revisions: boolean }): object[] {
  return [ZONE, HOST].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels },
    ...(revisions ? { matchLabelKeys: ['pod-template-hash'] } : {}),
  }))
}

/** Prefers another node for each replica. */
export function antiAffinity(matchLabels: Labels): object {
  const term = (topologyKey: string) => ({ topologyKey, labelSelector: { matchLabels } })
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: term(HOST) },
        { weight: 50, podAffinityTerm: term(ZONE) },
      ],
    },
  }
}

/** At most one of them may be evicted at a time. */
export function disruptionBudget(owner: Owner, name: string, matchLabels: Labels): KubeObject {
  return owned(owner, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name },
    spec: { maxUnavailable: 1, selector: { matchLabels } },
  })
}
