/** Log lines that somebody else may set off as often as he likes: one at once, then at most one in each pause, which says how many were left out. */
import type { Clock } from './clock.ts'

const PAUSE_MS = 10_000

/**
 * @returns a function that says a thing unless it, or another through the same function, was said within the pause. `leftOut`: fields for the line, how many
 * were not said since the last one; none when there were none
 */
export function seldom(
  clock: Pick<Clock, 'monotonic'>,
  pauseMs = PAUSE_MS,
): (say: (leftOut: { leftOut?: number }) => void) => void {
  let saidAt = Number.NEGATIVE_INFINITY
  let leftOut = 0
  return (say) => {
    const now = clock.monotonic()
    if (now - saidAt < pauseMs) {
      leftOut++
      return
    }
    const fields = leftOut === 0 ? {} : { leftOut }
    saidAt = now
    leftOut = 0
    say(fields)
  }
}
