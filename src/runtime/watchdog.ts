/**
 * Knows what a serving entry should be doing: beginning to read, reading its origin (or waiting for it to say something), or waiting
 * for the bus. An entry that does none of these stands still, which nobody else would notice: it is told once, to be served anew.
 */
import type { Clock } from '../core/clock.ts'

export type Activity = 'starting' | 'reading' | 'waiting for the bus'

export interface Watchdog {
  /** The source reads, or waits for its origin; see `reading` in source/context.ts. */
  reading(withinMs?: number, part?: string): void
  /** Something was handed over to the bus, and waits for its outcome. @returns `work` itself */
  handed<T>(work: Promise<T>): Promise<T>
  /** The bus was asked something that has an answer, or is given up, in time: until then nothing else is expected. @returns `work` itself */
  asked<T>(work: Promise<T>): Promise<T>
  activity(): Activity
  /** It has not begun to read, whatever it waits for meanwhile. */
  starting(): boolean
  /** The source has ended: only what it handed over still counts. */
  settling(): void
  /** No longer watched. */
  end(): void
}

/** Time is counted in turns of this process: while it is frozen or starved itself, what does not happen proves nothing. */
const TICK_MS = 2_000
/** What was handed over waits for so long though nothing is on its way to the bus: its outcome was lost. */
const LOST_TICKS = 5

const ticksOf = (ms: number) => Math.ceil(ms / TICK_MS)
const seconds = (ticks: number) => Math.round((ticks * TICK_MS) / 1000)

export function createWatchdog({
  clock,
  startsMs,
  busy,
  onStalled,
}: {
  clock: Pick<Clock, 'after'>
  /** The source must have begun to read by then. */
  startsMs: number
  /** Whether anything of this replica is on its way to the bus: then who waits for an outcome waits rightly. */
  busy: () => boolean
  /** Called once, with what it does not do. */
  onStalled: (why: string) => void
}): Watchdog {
  let starting = true
  /** By part of the source: how often it may still be found silent. Without an entry: until further notice. */
  const parts = new Map<string, { left: number; of: number }>([
    ['', { left: ticksOf(startsMs), of: ticksOf(startsMs) }],
  ])
  let waiting = 0
  let asking = 0
  let lost = 0
  let cancel: (() => void) | null = null
  let ended = false

  const end = () => {
    ended = true
    cancel?.()
  }
  function arm(): void {
    if (!ended && cancel === null && (parts.size > 0 || waiting > 0)) cancel = clock.after(TICK_MS, tick)
  }
  const silent = (part: string, ticks: number): string => {
    if (starting) return `it has neither begun to read its origin nor said why not for ${seconds(ticks)} s`
    return `it has not gone on reading${part === '' ? '' : ` ${part}`} for ${seconds(ticks)} s`
  }
  /** One more turn. @returns what it does not do, or null */
  const complaint = (): string | null => {
    if (asking > 0) return null
    if (waiting > 0 && busy()) lost = 0
    else if (waiting === 0 || ++lost <= LOST_TICKS) {
      for (const [part, silence] of parts) if (--silence.left < 0) return silent(part, silence.of)
    } else
      return `what it handed over has had no outcome for ${seconds(LOST_TICKS)} s, and nothing is on its way to the bus`
    return null
  }
  function tick(): void {
    cancel = null
    const why = complaint()
    if (why === null) arm()
    else {
      end()
      onStalled(why)
    }
  }

  arm()
  return {
    reading(withinMs = Number.POSITIVE_INFINITY, part = '') {
      if (starting) {
        starting = false
        parts.delete('')
      }
      const before = parts.get(part)
      if (withinMs === Number.POSITIVE_INFINITY) parts.delete(part)
      else if (before !== undefined) before.left = before.of = ticksOf(withinMs)
      else parts.set(part, { left: ticksOf(withinMs), of: ticksOf(withinMs) })
      arm()
    },
    handed(work) {
      if (waiting++ === 0) lost = 0
      arm()
      const done = () => {
        waiting--
      }
      work.then(done, done)
      return work
    },
    asked(work) {
      asking++
      const done = () => {
        asking--
      }
      work.then(done, done)
      return work
    },
    settling: () => parts.clear(),
    starting: () => starting,
    activity: () => (waiting + asking > 0 ? 'waiting for the bus' : starting ? 'starting' : 'reading'),
    end,
  }
}
