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
  now: () => performance.timeOrigin + performance.now() + skew(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS))
    return () => clearTimeout(timer)
  },
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
}

/**
 * `performance.timeOrigin + performance.now()` has microseconds but never follows a wall clock that is set
 * while the process runs; `Date.now()` follows it but has only milliseconds. Their difference, when it is more than
 * rounding, is the step that was made.
 */
function skew(): number {
  const difference = Date.now() - (performance.timeOrigin + performance.now())
  return Math.abs(difference) < 2 ? 0 : difference
}
