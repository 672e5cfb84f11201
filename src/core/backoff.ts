import type { Clock } from './clock.ts'

/** How the pauses between attempts grow. */
export interface BackoffOptions {
  /** First pause, milliseconds. */
  firstMs?: number
  /** No pause is longer than this, milliseconds. */
  maxMs?: number
  /** Multiplier per attempt. */
  factor?: number
  /** Share of each pause that is random, 0 to 1, so that many clients do not return in step. */
  jitter?: number
}

/** The pause before attempt `attempt` (0 = the first retry), milliseconds. */
export function backoffMs(
  attempt: number,
  { firstMs = 100, maxMs = 30_000, factor = 2, jitter = 0.5 }: BackoffOptions = {},
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, firstMs * factor ** Math.min(attempt, 64))
  return full * (1 - jitter) + full * jitter * random()
}

/** Milliseconds that a `Retry-After` header asks to wait, seconds or a date (RFC 9110 §10.2.3); 0 when it is neither or over. */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number {
  if (header == null) return 0
  const seconds = Number(header)
  const wait = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000
  return wait > 0 ? wait : 0
}

/**
 * Repeats `work` until it succeeds, for ever, pausing between attempts; ends only by success or by `signal`.
 * @throws the signal's reason when aborted
 */
export async function retryForEver<T>(
  work: (attempt: number) => Promise<T>,
  {
    clock,
    signal,
    onError,
    ...backoff
  }: BackoffOptions & { clock: Clock; signal: AbortSignal; onError?: (error: unknown, pauseMs: number) => void },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      signal.throwIfAborted()
      const pauseMs = backoffMs(attempt, backoff)
      onError?.(error, pauseMs)
      await clock.sleep(pauseMs, signal)
    }
  }
}
