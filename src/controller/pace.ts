/** How often one object is brought into order: two controllers that answer each other's every word must not keep the API server busy. */
import type { Clock } from '../core/clock.ts'

/** Counts the call. @returns 0, or after how many milliseconds to come again */
export type Pace = (key: string) => number

/** So often within so long is free; then one each pause. */
const FREE = 60
const WINDOW_MS = 60_000
const PAUSE_MS = 5_000

export function createPace(clock: Clock): Pace {
  const calls = new Map<string, number[]>()
  return (key) => {
    const now = clock.monotonic()
    const recent = (calls.get(key) ?? []).filter((at) => now - at < WINDOW_MS)
    const last = recent.at(-1)
    const waitMs = recent.length < FREE || last === undefined ? 0 : Math.max(0, PAUSE_MS - (now - last))
    if (waitMs === 0) recent.push(now)
    if (recent.length === 0) calls.delete(key)
    else calls.set(key, recent.slice(-FREE))
    return waitMs
  }
}
