/**
 * What the simulated replicas read: for each entry the items 1, 2, 3, …, of which some are events and some are only stepped
 * over. The position is the item's number, so the log shows every hole and every double.
 */
import type { Append } from '../src/bus/bus.ts'
import type { Clock } from '../src/core/clock.ts'
import type { EntryRunner } from '../src/runtime/entry.ts'
import type { Sink } from '../src/runtime/pipeline.ts'
import type { Random } from './random.ts'

export const entryNames = ['d', 'a', 'c'] as const

/** Every entry steps over some of its items, each in its own rhythm; the first entry over none. */
export function isEvent(entry: string, item: number): boolean {
  const rhythm = entry.charCodeAt(0) % 5
  return rhythm === 0 || item % (rhythm + 1) !== 0
}

/** Told what became of what was handed over. */
export interface OriginWatch {
  resumed(entry: string, position: number): void
  outcome(entry: string, item: number, outcome: string): void
}

/** An entry that reads the origin, with several items in flight, as a real source does. */
export function originEntry({
  entry,
  clock,
  random,
  gapMs,
  window,
  watch,
}: {
  entry: string
  clock: Clock
  random: Random
  /** Mean time between items. */
  gapMs: number
  /** Items in flight at once. */
  window: number
  watch: OriginWatch
}): EntryRunner {
  let position: unknown = null

  const handOver = async (sink: Sink, item: number): Promise<void> => {
    if (isEvent(entry, item)) await sink.ready()
    const member = isEvent(entry, item) ? eventOf(entry, item) : { entry, position: item }
    const { outcome } = await sink.append(member)
    watch.outcome(entry, item, outcome)
    if (outcome === 'stored') position = Math.max(Number(position), item)
  }

  const runner: Pick<EntryRunner, 'entry' | 'serve' | 'prepare' | 'position'> = {
    entry: { name: entry } as EntryRunner['entry'],
    prepare: async () => {},
    position: () => position,
    async serve(sink, stored, signal) {
      position = stored ?? 0
      watch.resumed(entry, Number(position))
      const flying = new Set<Promise<void>>()
      for (let item = Number(position) + 1; !signal.aborted; item++) {
        const one: Promise<void> = handOver(sink, item).then(() => void flying.delete(one))
        flying.add(one)
        if (flying.size >= window) await Promise.race(flying)
        await clock.sleep(random.between(0, 2 * gapMs), signal).catch(() => {})
      }
      await Promise.all(flying)
    },
  }
  return runner as EntryRunner
}

/** The id says all. */
const EVENT = Buffer.from('{}')

function eventOf(entry: string, item: number): Append {
  return { entry, id: `${entry}-${item}`, event: EVENT, position: item }
}
