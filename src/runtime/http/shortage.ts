/** Says in the log that a listener is short of room, and on whose account: a line now and then, however many requests come. */
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'

export interface Shortage {
  /** A request of this entry was refused or dropped. @param entry its port and endpoint */
  turnedAway(entry: string): void
  closed(connections: number): void
}

const EVERY_MS = 10_000
/** Entries that are named. */
const MOST_NAMED = 5

export function shortage(clock: Clock, log: Logger): Shortage {
  let said = Number.NEGATIVE_INFINITY
  let connections = 0
  let requests = new Map<string, number>()

  const say = () => {
    const now = clock.monotonic()
    if (now - said < EVERY_MS) return
    said = now
    const most = [...requests].sort(([, a], [, b]) => b - a).slice(0, MOST_NAMED)
    const of = most.map(([entry, count]) => `${entry} ${count}`).join(', ')
    log.warn('the listeners are short of room: requests get 503, connections are closed', {
      ...(of === '' ? {} : { requests: of }),
      ...(connections === 0 ? {} : { connections }),
    })
    connections = 0
    requests = new Map()
  }

  return {
    turnedAway(entry) {
      requests.set(entry, (requests.get(entry) ?? 0) + 1)
      say()
    },
    closed(number) {
      connections += number
      say()
    },
  }
}
