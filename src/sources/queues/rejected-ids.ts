/** Ids of what was rejected, and comes again until its origin moves it away: it counts once. The oldest are forgotten. */
export interface Rejected {
  has(id: string): boolean
  add(id: string): void
}

const MOST = 10_000

export function rejectedIds(most = MOST): Rejected {
  const ids = new Set<string>()
  return {
    has: (id) => ids.has(id),
    add(id) {
      ids.add(id)
      for (const oldest of ids) {
        if (ids.size <= most) return
        ids.delete(oldest)
      }
    },
  }
}
