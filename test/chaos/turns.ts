/** Acts that hold the same take turns, also when one takes longer than was drawn: a server that starts slowly is not killed while it starts. */
export interface Turns {
  /** Runs `work` when nobody has `key`; null: at once. */
  take<T>(key: string | null, work: () => Promise<T>): Promise<T>
  /** Whether something goes on, or did until a moment ago, beside whoever asks. */
  quiet(): boolean
}

/** @param quietMs how long nothing may have gone on */
export function newTurns(quietMs: number): Turns {
  const last = new Map<string, Promise<unknown>>()
  let underway = 0
  let endedMs = Number.NEGATIVE_INFINITY
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    underway++
    try {
      return await work()
    } finally {
      underway--
      endedMs = performance.now()
    }
  }
  return {
    take(key, work) {
      if (key === null) return counted(work)
      const before = last.get(key) ?? Promise.resolve()
      const turn = before.then(
        () => counted(work),
        () => counted(work),
      )
      last.set(
        key,
        turn.catch(() => {}),
      )
      return turn
    },
    quiet: () => underway <= 1 && performance.now() - endedMs >= quietMs,
  }
}
