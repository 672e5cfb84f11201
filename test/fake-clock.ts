/** A clock that only moves when a test says so. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Clock, sleepOn } from '../src/core/clock.ts'

export interface FakeClock extends Clock {
  /**
   * Lets `ms` milliseconds pass: due timers run in order, each at its own time, and promise chains settle after each
   * (also before the first and after the last). Work that really waits (files, sockets) is not waited for.
   */
  advance(ms: number): Promise<void>
  /** Lets `ms` pass in which nothing runs, as when a process is stopped and continued: due timers run late, at the end. */
  stall(ms: number): Promise<void>
  /** Sets the wall clock forward or back, as an administrator or NTP does; no timer notices. */
  step(ms: number): void
  /** How many timers are waiting. */
  readonly timers: number
}

interface Timer {
  due: number
  order: number
  run: () => void
}

/** @param startMs wall time at the start, milliseconds since the epoch; `monotonic` starts at 1000 */
export function fakeClock(startMs: number = Date.parse('2026-11-22T15:18:14Z')): FakeClock {
  let monotonic = 1000
  let wallAhead = startMs - monotonic
  let order = 0
  const timers = new Set<Timer>()

  const earliest = (until: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.due > until) continue
      if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order)) {
        first = timer
      }
    }
    return first
  }
  const runDue = async (until: number): Promise<void> => {
    await settle()
    for (let timer = earliest(until); timer !== undefined; timer = earliest(until)) {
      timers.delete(timer)
      monotonic = Math.max(monotonic, timer.due)
      timer.run()
      await settle()
    }
  }

  const clock: FakeClock = {
    now: () => monotonic + wallAhead,
    monotonic: () => monotonic,
    after(ms, fn) {
      const timer = { due: monotonic + Math.max(ms, 0), order: order++, run: fn }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    soon: (fn) => queueMicrotask(fn),
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
    async advance(ms) {
      const until = monotonic + ms
      await runDue(until)
      monotonic = until
    },
    async stall(ms) {
      await settle()
      monotonic += ms
      await runDue(monotonic)
    },
    step(ms) {
      wallAhead += ms
    },
    get timers() {
      return timers.size
    },
  }
  return clock
}

/** One turn of the event loop: every promise chain that waits for nothing else has run when it is over. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Lets fake time pass until `holds`; what really waits (the bus, a hash) gets real time. @throws when it never does */
export async function passUntil(clock: FakeClock, holds: () => boolean, what: string, stepMs = 250): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (holds()) return
    await clock.advance(stepMs)
    await pause(1)
  }
  throw new Error(`never: ${what}`)
}
