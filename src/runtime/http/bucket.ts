/** The token bucket of a route. */
import type { Clock } from '../../core/clock.ts'
import type { RateLimit } from '../../source.ts'

/** @returns takes a token: 0 when there was one, else the milliseconds until there is */
export function createBucket({ requestsPerSecond, burst }: RateLimit, clock: Clock): () => number {
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
