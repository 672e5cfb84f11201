/** A token bucket: so much at once, and so much a second after it. */
import type { Clock } from './clock.ts'

export interface Rate {
  requestsPerSecond: number
  burst: number
}

/** @returns takes a token: 0 when there was one, else the milliseconds until there is */
export function createBucket({ requestsPerSecond, burst }: Rate, clock: Pick<Clock, 'monotonic'>): () => number {
  const perMs = requestsPerSecond / 1000
  let tokens = burst
  let at = clock.monotonic()
  return () => {
    const now = clock.monotonic()
    tokens = Math.min(burst, tokens + (now - at) * perMs)
    at = now
    if (tokens < 1) return (1 - tokens) / perMs
    tokens -= 1
    return 0
  }
}
