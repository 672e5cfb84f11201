/** When a leader for whom the bus does nothing had better give the lead up. */
import type { ElectionConfig } from './standing.ts'
import type { Election } from './state.ts'

/** Appends that fail for this long while the lock can be reached: somebody else may reach the bus better. */
export const FAILING_MS = 5_000
/** Nobody is likely to, when the lock is on the bus; but a replica that is ill in some other way is not to lead for ever. */
const FAILING_ON_BUS_MS = 60_000

/** Whether the bus has been of no use since then though the lock can be reached, so long that the lead is better given up. */
export function othersMayDoBetter(
  { failures, reachedSince }: Election,
  since: number,
  now: number,
  patienceMs: number,
  { lockOnBus }: ElectionConfig,
): boolean {
  return failures === 0 && now - Math.max(since, reachedSince) > (lockOnBus ? FAILING_ON_BUS_MS : patienceMs)
}
