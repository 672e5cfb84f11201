/** A simulated operating-system process: it can be paused, so that nothing in it happens until it goes on, or killed. */
import { type Clock, sleepOn } from '../src/core/clock.ts'
import type { VirtualTime } from './time.ts'

export interface Process {
  /** Its own clock: runs at its own rate, and its wall time can be set. */
  readonly clock: Clock
  readonly state: 'runs' | 'paused' | 'dead'
  pause(): void
  /** What came due meanwhile happens now, in order. */
  resume(): void
  kill(): void
  stepWall(ms: number): void
  /** Something from outside reaches the process: at once, at `resume`, or never. */
  reach(fn: () => void): void
  /** A promise as the process sees it. */
  gated<T>(work: Promise<T>): Promise<T>
  /** A callback that outside may call at any time. */
  gate<A extends unknown[]>(listener: (...args: A) => void): (...args: A) => void
}

/** @param rate how fast its clock runs, 1 = true */
export function createProcess(time: VirtualTime, rate: number): Process {
  let state: Process['state'] = 'runs'
  let wall = 0
  let backlog: (() => void)[] = []
  const reach = (fn: () => void) => {
    if (state === 'runs') fn()
    else if (state === 'paused') backlog.push(fn)
  }
  const clock: Clock = {
    now: () => time.now() + wall,
    monotonic: () => time.monotonic() * rate,
    after(ms, fn) {
      let cancelled = false
      const cancel = time.after(ms / rate, () =>
        reach(() => {
          if (!cancelled) fn()
        }),
      )
      return () => {
        cancelled = true
        cancel()
      }
    },
    soon: (fn) => time.soon(() => reach(fn)),
    sleep: (ms, signal) => sleepOn(clock, ms, signal),
  }
  return {
    clock,
    get state() {
      return state
    },
    pause() {
      if (state === 'runs') state = 'paused'
    },
    resume() {
      if (state !== 'paused') return
      state = 'runs'
      for (const fn of backlog.splice(0)) time.after(0, () => reach(fn))
    },
    kill() {
      state = 'dead'
      backlog = []
    },
    stepWall(ms) {
      wall += ms
    },
    reach,
    gated: (work) =>
      new Promise((resolve, reject) => {
        work.then(
          (value) => reach(() => resolve(value)),
          (error) => reach(() => reject(error)),
        )
      }),
    gate:
      (listener) =>
      (...args) =>
        reach(() => listener(...args)),
  }
}
