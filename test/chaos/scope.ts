/** What a run has started, ended with it: as a test does, outside of one. */
export interface Scope {
  /** What is to be done at the end; the last first. After it at once. */
  after(end: () => unknown): void
  /** Ends everything. @returns what could not be ended */
  end(): Promise<string[]>
}

export function newScope(): Scope {
  const ends: (() => unknown)[] = []
  let ended = false
  return {
    after(end) {
      // What was still being started then is ended as soon as it is there.
      if (ended) void end()
      else ends.push(end)
    },
    async end() {
      ended = true
      const failed: string[] = []
      for (const end of ends.splice(0).reverse()) {
        try {
          await end()
        } catch (error) {
          failed.push((error as Error).message)
        }
      }
      return failed
    },
  }
}
