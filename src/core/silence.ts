/** Something that should say something now and then. */
import type { Clock } from './clock.ts'

export interface Silence {
  /** Something was heard. */
  broken(): void
  /** No longer watched. */
  end(): void
}

const LOOKS = 10

/**
 * Calls `onSilent` once when nothing was heard for `limitMs`. Counted in turns of this process: while it is frozen or starved itself, what
 * it does not hear proves nothing.
 */
export function watchSilence(clock: Pick<Clock, 'after'>, limitMs: number, onSilent: () => void): Silence {
  let looks = 0
  let cancel = () => {}
  const look = () => {
    if (looks++ === LOOKS) return onSilent()
    cancel = clock.after(limitMs / LOOKS, look)
  }
  look()
  return {
    broken() {
      looks = 1
    },
    end: () => cancel(),
  }
}
