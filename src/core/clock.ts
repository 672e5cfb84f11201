/**
 * Time as a thing that is handed in, so that production and the seeded simulation run the same code.
 * Wall time (`now`) is for what people read; every interval is measured with `monotonic`, which no NTP step moves.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch, fractional (microseconds where the platform has them). */
  now(): number
  /** Monotonic milliseconds since some fixed moment, fractional. */
  monotonic(): number
  /** Calls `fn` once after `ms` milliseconds (clamped to what a timer can hold). Returns the cancel function. */
  after(ms: number, fn: () => void): () => void
  /** Calls `fn` when what has just arrived, and every promise chain that it set off, is through: so what comes together can go together. */
  soon(fn: () => void): void
  /** Resolves after `ms` milliseconds; rejects with the signal's reason if it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** `sleep` on top of `after`; shared by every clock. */
export function sleepOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const aborted = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    })
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: wallNow,
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS))
    return () => clearTimeout(timer)
  },
  soon: (fn) => void setImmediate(fn),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
}

/**
 * `performance.timeOrigin + performance.now()` has microseconds but never follows a wall clock that is set
 * while the process runs; `Date.now()` follows it but has only milliseconds. So the first, unless the second says that a step
 * was made. The second is read between two of the first: when the process is descheduled in the middle, that is no step.
 */
function wallNow(): number {
  const before = performance.timeOrigin + performance.now()
  const wall = Date.now()
  const after = performance.timeOrigin + performance.now()
  return wall > before - 2 && wall < after + 2 ? after : wall
}
