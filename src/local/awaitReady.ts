/**
 * When a run says `ready`, and what it says of what it waits for meanwhile. It waits for ever for what is merely slow to start. A listener
 * that shows an error (its port is taken) is waited for {@link SHOWN_WAITED_MS}; then the start is over all the same, and what is not
 * served is named before the word. `/readyz` makes no such difference.
 */
import { type Judgement, type NotServed, notServedLine } from '../api/served.ts'
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
/** A port is often free again soon: the program that had it is ending. */
const SHOWN_WAITED_MS = 10_000
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
  let patience: 'not needed yet' | 'waits' | 'over' = 'not needed yet'
  /** `ready` was said although something is not served. */
  let wanting = false
  let cancelShown = () => {}
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
    cancelShown()
  }
  /** All that is still waited for shows an error. */
  const patienceIsOver = () => {
    if (patience === 'not needed yet') {
      patience = 'waits'
      cancelShown = clock.after(SHOWN_WAITED_MS, () => {
        patience = 'over'
        watch.look()
      })
    }
    return patience === 'over'
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
      if (awaited.some(({ shown }) => !shown)) return
      if (awaited.length > 0 && !patienceIsOver()) return
      ready = true
      cancel()
      cancelShown()
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
