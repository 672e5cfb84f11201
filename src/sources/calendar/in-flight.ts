/** Work handed over and not yet done, bounded; the first failure stops everything. */
export interface InFlight {
  /** Starts `work` as soon as there is room; resolves once it is started. @throws the first failure of any */
  add(work: () => Promise<unknown>): Promise<void>
  /** Resolves when nothing is in flight. Never rejects: the failure is in `signal`. */
  settled(): Promise<void>
  /** Aborts with the outer signal, or with the first failure as its reason. */
  readonly signal: AbortSignal
}

/** @param limit how many may be in flight at a time */
export function inFlight(limit: number, outer: AbortSignal): InFlight {
  const failed = new AbortController()
  const signal = AbortSignal.any([outer, failed.signal])
  const running = new Set<Promise<void>>()
  return {
    signal,
    async add(work) {
      while (running.size >= limit && !failed.signal.aborted) await Promise.race(running)
      failed.signal.throwIfAborted()
      signal.throwIfAborted()
      const one: Promise<void> = work().then(
        () => void running.delete(one),
        (error: unknown) => {
          running.delete(one)
          failed.abort(error)
        },
      )
      running.add(one)
    },
    async settled() {
      while (running.size > 0) await Promise.race(running)
    },
  }
}
