/** How far a long look at the store is, on stderr: one line that changes on a terminal, else a plain line now and then. */
import type { Clock } from '../core/clock.ts'

/** What is done, with which part of the store, how many events so far, and of how many (0: unknown). */
export type Tell = (what: string, part: string, records: number, of: number) => void

/** Nothing is said of what takes no longer. */
const QUIET_MS = 500
const TERMINAL_MS = 200
const PLAIN_MS = 5000

export function createProgress(
  stream: { isTTY?: boolean; write(text: string): unknown },
  clock: Pick<Clock, 'monotonic'>,
): Tell & { end(): void } {
  const beganMs = clock.monotonic()
  const terminal = stream.isTTY === true
  let saidMs: number | null = null
  const tell: Tell = (what, part, records, of) => {
    const now = clock.monotonic()
    const due = saidMs === null ? beganMs + QUIET_MS : saidMs + (terminal ? TERMINAL_MS : PLAIN_MS)
    if (now < due) return
    saidMs = now
    const line = `${what}: ${part}, ${records} events${of > 0 ? ` of ${of} (${Math.floor((100 * records) / of)} %)` : ''}, ${Math.round((now - beganMs) / 1000)} s`
    stream.write(terminal ? `\r\x1b[K${line}` : `${line}\n`)
  }
  return Object.assign(tell, {
    end() {
      if (terminal && saidMs !== null) stream.write('\r\x1b[K')
    },
  })
}
