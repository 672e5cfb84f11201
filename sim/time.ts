/** Virtual time: everything that happens in a simulated world happens from one queue, in one order. */
import { type Clock, sleepOn } from '../src/core/clock.ts'

export interface VirtualTime extends Clock {
  /** Runs what is due, each thing followed by all promise chains that it set off, until that moment. */
  runUntil(atMs: number): Promise<void>
  /** How many things have happened. */
  readonly steps: number
}

interface Due {
  at: number
  order: number
  run: (() => void) | null
}

/** The wall clock at the start of every simulated world, milliseconds since the epoch. */
const START_MS = Date.parse('2026-11-22T15:18:14Z')

/** @param maxSteps more than this is taken for a loop without end */
export function virtualTime(maxSteps: number): VirtualTime {
  const heap: Due[] = []
  let now = 0
  let order = 0
  let steps = 0
  const time: VirtualTime = {
    now: () => START_MS + now,
    monotonic: () => now,
    after(ms, fn) {
      const due: Due = { at: now + Math.max(ms, 0), order: order++, run: fn }
      push(heap, due)
      return () => {
        due.run = null
      }
    },
    soon: (fn) => void time.after(0, fn),
    sleep: (ms, signal) => sleepOn(time, ms, signal),
    async runUntil(atMs) {
      await settled()
      while (heap.length > 0 && heap[0]!.at <= atMs) {
        const due = pop(heap)
        if (due.run === null) continue
        if (++steps > maxSteps) throw new Error(`more than ${maxSteps} steps: something goes in circles`)
        now = Math.max(now, due.at)
        due.run()
        await settled()
      }
      now = Math.max(now, atMs)
    },
    get steps() {
      return steps
    },
  }
  return time
}

/**
 * Resolves when every promise chain that waits for nothing else has run: Node runs ticks only when no promise job is left.
 * (Must be awaited from a promise job, which an async function after its first await always is.)
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}

const before = (a: Due, b: Due) => a.at < b.at || (a.at === b.at && a.order < b.order)

function push(heap: Due[], due: Due): void {
  let i = heap.push(due) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (!before(due, heap[parent]!)) break
    heap[i] = heap[parent]!
    i = parent
  }
  heap[i] = due
}

function pop(heap: Due[]): Due {
  const first = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return first
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, last)) break
    heap[i] = heap[child]!
    i = child
  }
  heap[i] = last
  return first
}
