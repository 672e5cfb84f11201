/** Work whose outcome many want, as of a moment after they asked. */

/**
 * Never twice at a time. Who asks while it runs shares the run after that with all who have: so nobody waits for more than two, however many ask and
 * however long each takes.
 * @param work is given what tells those who wait that it gets on
 */
export function sharedRuns<T>(work: (heard: () => void) => Promise<T>): (heard?: () => void) => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: { done: Promise<T>; heard: Set<() => void> } | null = null
  return (heard) => {
    if (next === null) {
      const listeners = new Set<() => void>()
      const done = running
        .catch(() => {})
        .then(() => {
          running = done
          next = null
          return work(() => {
            for (const tell of listeners) tell()
          })
        })
      next = { done, heard: listeners }
    }
    if (heard !== undefined) next.heard.add(heard)
    return next.done
  }
}
