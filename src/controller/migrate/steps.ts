/** What an exchange does to the objects of a cluster, one step for each. */
import type { KubeObject } from '../../kube/resources.ts'

/** What becomes of an object. */
export type Fate = 'taken over' | 'changed' | 'left' | 'stopped' | 'removed' | 'replaced' | 'restored'

/** Why a step is not taken unless the user accepts it by this word. */
export interface Refusal {
  reason: string
  why: string
  /** What to do instead. */
  remedy: string
}

export interface Step {
  /** `Deployment argo-events/controller-manager` */
  object: string
  fate: Fate
  /** What happens, and why. */
  what: string
  /** What it may lose or double. */
  loses?: string
  /** How long. */
  takes?: string
  refusal?: Refusal
}

export function nameOf({ kind, metadata: { namespace, name } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
}

/** Refusals whose reason is not among those accepted. */
export function refusedOf(steps: readonly Step[], accepted: readonly string[]): (Refusal & { object: string })[] {
  return steps.flatMap(({ object, refusal }) =>
    refusal === undefined || accepted.includes(refusal.reason) ? [] : [{ object, ...refusal }],
  )
}
