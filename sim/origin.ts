/**
 * What the simulated replicas read: for each entry the items 1, 2, 3, …, of which some are events and some are only stepped
 * over. The position is the item's number and the event's id names it, so the log shows every hole and every double.
 */

import { isVedetteError, messageOf } from '../src/core/errors.ts'
import type { Entry, EventSource } from '../src/manifest/manifest.ts'
import type { ServeContext, ServeDefinition } from '../src/source.ts'
import type { Random } from './random.ts'

export const source = { namespace: 'sim', name: 'orders' }

const entryNames = ['d', 'a', 'c'] as const

/** Every entry steps over some of its items, each in its own rhythm; the first entry over none. */
export function isEvent(entry: string, item: number): boolean {
  const rhythm = entry.charCodeAt(0) % 5
  return rhythm === 0 || item % (rhythm + 1) !== 0
}

export function eventIdOf(entry: string, item: number): string {
  return `${entry}-${item}`
}

/** The object that all replicas hold. The last entry's items are stepped over by its filter, the others' by the source. */
export function originObject({ replicas, entries, version }: { replicas: number; entries: number; version: number }) {
  const place = { file: 'sim.yaml', line: 1, column: 1 }
  const entry = (name: string): Entry => ({
    ...{ type: 'origin', name, spec: { version }, place },
    ...(name === 'c' ? { filter: { expression: 'keep == true', onError: 'drop' } } : {}),
  })
  const object: EventSource = {
    ...{ ...source, labels: {}, annotations: {}, replicas, eventBusName: 'default', spec: {}, place },
    entries: entryNames.slice(0, entries).map(entry),
  }
  return object
}

/** Items between snapshots. */
const SNAPSHOT_EVERY = 7

/** Told what became of what a source handed over. */
export interface OriginWatch {
  resumed(entry: string, position: number): void
  /** A snapshot knows more than the position: it was written before what it counts as told. */
  ahead(entry: string, saved: number, position: number): void
  /** @param outcome `stored` and the like, or the code of the error */
  outcome(entry: string, item: number, outcome: string): void
}

/** A source with several items in flight, as real ones have. */
export function originSource({
  random,
  gapMs,
  window,
  watch,
}: {
  random: Random
  /** Mean time between items. */
  gapMs: number
  /** Items in flight at once. */
  window: number
  watch: OriginWatch
}): ServeDefinition<any, number> {
  const handOver = async (ctx: ServeContext<unknown, number>, item: number): Promise<void> => {
    const { entry } = ctx
    const event = isEvent(entry, item)
    try {
      if (event || entry === 'c') {
        const data = `{"item":${item},"keep":${event}}`
        const { outcome } = await ctx.emit({ data, eventId: eventIdOf(entry, item), position: item })
        watch.outcome(entry, item, outcome)
      } else {
        await ctx.advance(item)
        watch.outcome(entry, item, 'advanced')
      }
    } catch (error) {
      watch.outcome(entry, item, isVedetteError(error) ? error.code : messageOf(error))
      throw error
    }
  }

  const definition: Pick<ServeDefinition<any, number>, 'type' | 'strategy' | 'serve' | 'recall'> = {
    type: 'origin',
    strategy: 'active-passive',
    // As sources have it whose origin redelivers; none of these events comes again, so it changes nothing but that the bus is asked.
    recall: 4,
    async serve(ctx) {
      const position = ctx.resume() ?? 0
      watch.resumed(ctx.entry, position)
      // As sources have it that only see a state: what is in it is ahead of no position.
      const saved = Number(String(Buffer.from((await ctx.snapshot.load()) ?? '')) || 0)
      // What a filter holds back moves the position a little later.
      if (saved > position && ctx.entry !== 'c') watch.ahead(ctx.entry, saved, position)
      ctx.reading()
      const failed = Promise.withResolvers<never>()
      failed.promise.catch(() => {})
      const flying = new Set<Promise<void>>()
      for (let item = position + 1; !ctx.signal.aborted; item++) {
        const one: Promise<void> = handOver(ctx, item).then(() => void flying.delete(one), failed.reject)
        flying.add(one)
        if (flying.size >= window) await Promise.race([...flying, failed.promise])
        if (item % SNAPSHOT_EVERY === 0) {
          await Promise.race([Promise.all(flying), failed.promise])
          await ctx.snapshot.save(Buffer.from(`${item}`))
        }
        const pause = ctx.clock.sleep(random.between(0, 2 * gapMs), ctx.signal).catch(() => {})
        await Promise.race([pause, failed.promise])
      }
      await Promise.race([Promise.all(flying), failed.promise])
    },
  }
  return definition as ServeDefinition<any, number>
}
