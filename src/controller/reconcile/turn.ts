/** What an EventSource or Sensor says and does whose Pods are to be replaced when others are done. */
import type { KubeObject } from '../../kube/resources.ts'
import { type Condition, condition } from '../conditions.ts'
import { replacesPods, type Turn } from '../turns.ts'

/** When to look again at the latest, milliseconds: its turn comes sooner, unless those before it never get ready. */
export const TURN_MS = 15_000

/** @param live its Deployment @param objects what is to be applied */
export function mayRollOut(live: KubeObject | undefined, objects: readonly KubeObject[], turn: Turn): boolean {
  const wanted = objects.find(({ kind }) => kind === 'Deployment')
  return wanted === undefined || !replacesPods(live, wanted) || turn.take()
}

export function waitsForTurn({ before }: Turn): Condition {
  const others = before === 0 ? '' : `, ${before} more wait before this one`
  const text = `its Pods are replaced when others are (--rollouts of the controller)${others}; those that run serve on`
  return condition('Deployed', 'Unknown', 'RollOutWaits', text)
}
