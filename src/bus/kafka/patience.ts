/** What is asked again until it works or a time is over: no try lasts longer than that, and none sends anything once it is given up. */
import type { Clock } from '../../core/clock.ts'
import { within } from '../../core/signals.ts'

/** A try that begins late has so long all the same. */
const LAST_TRY_MS = 2_000

/** One try. @param work told when it is given up. @throws OUTCOME_UNKNOWN then; what `work` throws */
export async function tryUntil<T>(
  deadline: number,
  work: (signal: AbortSignal) => Promise<T>,
  clock: Clock,
): Promise<T> {
  const tried = new AbortController()
  try {
    return await within(work(tried.signal), Math.max(deadline - clock.monotonic(), LAST_TRY_MS), clock)
  } finally {
    tried.abort()
  }
}
