/**
 * Who reads events over the API. So many may at a time; and those who do not take what they were sent hold so much memory together: the one
 * that has waited for longest is dropped then, and whoever takes nothing for long is dropped anyhow. Nobody waits for a reader.
 */
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'

export interface Readers {
  /**
   * @param drop called at most once, when it is to end at once
   * @throws BUS_BUSY as many read as may
   */
  enter(drop: () => void): Reader
}

export interface Reader {
  /** It does not take what it was sent, which holds so many bytes. @returns to be called when it has taken it, or is gone */
  waits(bytes: number): () => void
  leave(): void
}

export interface ReaderLimits {
  /** At a time. */
  most: number
  /** Without taking anything, milliseconds. */
  stalledMs?: number
  /** Of all that wait, bytes. */
  heldBytes?: number
}

export const MAX_READERS = 64
const STALLED_MS = 30_000
const HELD_BYTES = 64 << 20
const SAY_MS = 10_000

export function createReaders(
  { most, stalledMs = STALLED_MS, heldBytes = HELD_BYTES }: ReaderLimits,
  { clock, log }: { clock: Clock; log: Logger },
): Readers {
  let reading = 0
  let held = 0
  /** The longest first. */
  const waiting = new Map<symbol, { bytes: number; drop: (why: string) => void }>()
  let [dropped, saidMs] = [0, Number.NEGATIVE_INFINITY]

  /** At most a line every some seconds, however many there are. */
  function say(why: string) {
    dropped++
    const nowMs = clock.monotonic()
    if (nowMs - saidMs < SAY_MS) return
    log.info('readers of events that did not take what they were sent were dropped', { count: dropped, why })
    ;[dropped, saidMs] = [0, nowMs]
  }

  function dropLongest() {
    for (const { drop } of waiting.values()) {
      if (held <= heldBytes) return
      drop(`they held more than ${heldBytes} bytes`)
    }
  }

  return {
    enter(drop) {
      if (reading >= most) {
        throw fail(
          'BUS_BUSY',
          `${reading} read events already, which is the most (--max-readers): try again in a moment, or end one of them`,
        )
      }
      reading++
      let left = false
      return {
        waits(bytes) {
          const key = Symbol('a wait')
          let over = false
          const end = () => {
            if (over) return
            over = true
            cancel()
            waiting.delete(key)
            held -= bytes
          }
          const dropNow = (why: string) => {
            end()
            say(why)
            drop()
          }
          const cancel = clock.after(stalledMs, () => dropNow(`nothing was taken for ${stalledMs / 1000} s`))
          waiting.set(key, { bytes, drop: dropNow })
          held += bytes
          dropLongest()
          return end
        },
        leave() {
          if (!left) reading--
          left = true
        },
      }
    },
  }
}
