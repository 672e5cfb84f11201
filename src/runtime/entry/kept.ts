/** The warm connection that a standby leaves to the next lead of its replica: one at most, taken once. */
import type { Closable } from '../../source.ts'

export interface Kept {
  /** Closes what was kept before. */
  keep(connection: Closable): void
  take(): Closable | null
  close(): void
}

export function createKept(): Kept {
  let kept: Closable | null = null
  const take = () => {
    const taken = kept
    kept = null
    return taken
  }
  const close = () => {
    const left = take()
    if (left !== null) void Promise.resolve(left.close()).catch(() => {})
  }
  return {
    take,
    close,
    keep(connection) {
      close()
      kept = connection
    },
  }
}
