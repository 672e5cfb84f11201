/** Bounds on work that others cause: so many pieces at once, so many waiting. */

export interface Gate {
  /** Does the work once there is room. @returns null, without doing it, when too many wait already */
  through<T>(work: () => Promise<T>): Promise<T> | null
}

/** @param atOnce pieces of work at a time @param waiting pieces that may wait, first come first served */
export function createGate(atOnce: number, waiting: number): Gate {
  const queue: (() => void)[] = []
  let running = 0
  const leave = () => {
    const next = queue.shift()
    if (next === undefined) running--
    else next()
  }
  return {
    through(work) {
      if (running < atOnce) {
        running++
        return work().finally(leave)
      }
      if (queue.length >= waiting) return null
      return new Promise<void>((resolve) => queue.push(resolve)).then(work).finally(leave)
    },
  }
}
