/**
 * When a run says `ready`, and what it says of what it waits for meanwhile. It waits for ever for what is merely slow to start. What shows
 * why it is not served (its port is taken, the bus cannot be reached) is waited for a while ({@link Awaited.waitMs}); then the start is
 * over all the same, and what is not served is named before the word. `/readyz` makes no such difference.
 */
import { type Awaited, type Judgement, type NotServed, notServedLine } from '../api/served.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'

export interface AwaitedReady {
  readonly ready: boolean
  /** Something has changed: looks again. Cheap once it is ready. */
  look(): void
  /** Looks no more. */
  end(): void
}

/** What is still waited for is told after this, and again when it is another or the long pause is over, milliseconds. */
const TOLD_EVERY_MS = 5_000
const SAME_TOLD_EVERY_MS = 60_000
/** So many entries are named, the others are counted. */
const NAMED = 5

/** @param onReady called once */
export function awaitReady({
  judge,
  clock,
  log,
  onReady,
}: {
  judge: () => Judgement
  clock: Pick<Clock, 'after' | 'monotonic'>
  log: Logger
  onReady: () => void
}): AwaitedReady {
  let ready = false
  let ended = false
  /** Since when nothing is merely slow any more. */
  let sinceMs: number | null = null
  /** `ready` was said although something is not served. */
  let wanting = false
  let cancelLook = () => {}
  let told = { text: '', atMs: Number.NEGATIVE_INFINITY }
  let cancel = () => {}

  const tell = () => {
    const { entries, awaited } = judge()
    const text = `not ready yet: ${awaited.length} of ${entries} entries are waited for: ${named(awaited)}`
    if (text !== told.text || clock.monotonic() - told.atMs >= SAME_TOLD_EVERY_MS) {
      log.warn(text)
      told = { text, atMs: clock.monotonic() }
    }
    cancel = clock.after(TOLD_EVERY_MS, tell)
  }
  cancel = clock.after(TOLD_EVERY_MS, tell)

  const end = () => {
    ended = true
    cancel()
    cancelLook()
  }
  /** How long what is awaited is to be waited for yet, milliseconds. */
  const leftMs = (awaited: readonly Awaited[]): number => {
    const forMs = Math.max(0, ...awaited.map(({ waitMs }) => waitMs))
    if (forMs === 0 || !Number.isFinite(forMs)) return forMs
    sinceMs ??= clock.monotonic()
    return sinceMs + forMs - clock.monotonic()
  }

  const watch: AwaitedReady = {
    get ready() {
      return ready
    },
    look() {
      if (ended || (ready && !wanting)) return
      const { entries, awaited, notServed } = judge()
      if (ready) {
        wanting = notServed.length > 0
        if (!wanting) log.info(`all ${entries} entries are served now`)
        return
      }
      const left = leftMs(awaited)
      cancelLook()
      if (left > 0) {
        if (Number.isFinite(left)) cancelLook = clock.after(left, watch.look)
        return
      }
      ready = true
      cancel()
      cancelLook()
      wanting = notServed.length > 0
      if (wanting) log.warn(`ready, but ${notServed.length} of ${entries} entries are not served: ${named(notServed)}`)
      onReady()
    },
    end,
  }
  return watch
}

/** `a: why; b: why; and 3 more`. */
export function named(entries: readonly NotServed[]): string {
  const more = entries.length - NAMED
  return [...entries.slice(0, NAMED).map(notServedLine), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
