/**
 * Keys to be worked on: each once however often it is added meanwhile, never twice at the same time, again after a failure with
 * growing pauses. What client-go calls a rate-limiting work queue.
 */
import { type BackoffOptions, backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'

export interface WorkQueue {
  /** Wants `key` worked on, `afterMs` milliseconds from now at the latest. */
  add(key: string, afterMs?: number): void
  /** How many keys are waiting, being worked on or put off. */
  readonly size: number
  /** Works until `signal` aborts, then waits for what is under way. Never throws. Once only. */
  run(signal: AbortSignal): Promise<void>
}

export interface WorkQueueOptions {
  clock: Clock
  /** Brings one key into order. Throws: tried again later. `afterMs`: is to be looked at again then. */
  work: (key: string, signal: AbortSignal) => Promise<{ afterMs: number } | undefined>
  onError: (key: string, error: unknown, pauseMs: number) => void
  /** How many keys at once. */
  workers?: number
  backoff?: BackoffOptions
  random?: () => number
}

export function createWorkQueue({
  clock,
  work,
  onError,
  workers = 4,
  backoff = { firstMs: 200, maxMs: 60_000 },
  random = Math.random,
}: WorkQueueOptions): WorkQueue {
  /** In the order of their coming. */
  const ready = new Set<string>()
  const busy = new Set<string>()
  const later = new Map<string, { at: number; cancel: () => void }>()
  const failures = new Map<string, number>()
  let wake = () => {}

  const add = (key: string, afterMs = 0) => {
    const put = later.get(key)
    if (afterMs <= 0) {
      put?.cancel()
      later.delete(key)
      ready.add(key)
      wake()
      return
    }
    const at = clock.monotonic() + afterMs
    if (ready.has(key) || (put !== undefined && put.at <= at)) return
    put?.cancel()
    later.set(key, { at, cancel: clock.after(afterMs, () => add(key)) })
  }

  const one = async (key: string, signal: AbortSignal): Promise<void> => {
    try {
      const again = await work(key, signal)
      failures.delete(key)
      if (again !== undefined) add(key, Math.max(1, again.afterMs))
    } catch (error) {
      if (signal.aborted) return
      const attempt = failures.get(key) ?? 0
      failures.set(key, attempt + 1)
      const pauseMs = backoffMs(attempt, backoff, random)
      onError(key, error, pauseMs)
      add(key, pauseMs)
    } finally {
      busy.delete(key)
      wake()
    }
  }

  return {
    add,
    get size() {
      return new Set([...ready, ...busy, ...later.keys()]).size
    },
    async run(signal) {
      const underWay = new Set<Promise<void>>()
      const stop = () => wake()
      signal.addEventListener('abort', stop, { once: true })
      while (!signal.aborted) {
        for (const key of ready) {
          if (busy.size >= workers) break
          // Added while it is worked on: once more when that is over.
          if (busy.has(key)) continue
          ready.delete(key)
          busy.add(key)
          const working = one(key, signal).finally(() => underWay.delete(working))
          underWay.add(working)
        }
        await new Promise<void>((resolve) => {
          wake = resolve
          if (signal.aborted) resolve()
        })
      }
      signal.removeEventListener('abort', stop)
      for (const { cancel } of later.values()) cancel()
      await Promise.all(underWay)
    },
  }
}
