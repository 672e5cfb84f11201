import type { Bus } from '../bus/bus.ts'
import { type Clock, systemClock } from '../core/clock.ts'

/** How long a start waits for the bus; then it goes on all the same, and things work as soon as the bus comes. */
const PATIENCE_MS = 3000

export function whenConnected(bus: Pick<Bus, 'status' | 'onStatus'>, clock: Clock = systemClock): Promise<void> {
  if (bus.status().connected) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      forget()
      resolve()
    }
    const cancel = clock.after(PATIENCE_MS, done)
    const forget = bus.onStatus((status) => status.connected && done())
  })
}
