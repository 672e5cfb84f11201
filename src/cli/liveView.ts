/**
 * What `vedette run` shows on a terminal: the log scrolls above, sources and the last events stay below and are painted anew. Written
 * to stderr, so that stdout has its one line.
 */

import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import { type EventLine, eventLine, readableLine } from '../api/line.ts'
import { scan } from '../api/scan.ts'
import type { Status } from '../api/status.ts'
import type { Bus } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { statusText } from './statusText.ts'

export interface LiveView {
  /** Whole lines, or parts of lines that come together later. */
  log(text: string): void
  /** A word about what is going on, until there is something to show. */
  say(text: string): void
  show(run: { status(): Promise<Status>; bus: Bus; api: string }): void
  close(): void
}

const SPIN_EVERY_MS = 100
const PAINT_EVERY_MS = 500
const EVENTS_SHOWN = 6
const RATE_OVER_MS = 5000
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

export function createLiveView(stream: WriteStream): LiveView {
  let block: string[] = []
  let painted = 0
  let unfinished = ''
  let closed = false
  let saying: string | null = null
  let turn = 0
  const reading = new AbortController()
  const erase = () => (painted > 0 ? `\x1b[${painted}A\x1b[0J` : '')
  const paintBlock = (above = '') => {
    const fitting = block.slice(0, Math.max(0, (stream.rows || 24) - 2)).map((line) => cut(line, stream.columns || 80))
    stream.write(`${erase()}${above}${fitting.map((line) => `${line}\n`).join('')}`)
    painted = fitting.length
  }
  /** What is to be done later, unless it is closed before. */
  const later = new Set<() => void>()
  const again = (ms: number, fn: () => void) => {
    const cancel = systemClock.after(ms, () => {
      later.delete(cancel)
      fn()
    })
    later.add(cancel)
  }
  const spin = () => {
    if (saying !== null) {
      block = [`${SPINNER[turn++ % SPINNER.length]} ${saying}`]
      paintBlock()
    }
    again(SPIN_EVERY_MS, spin)
  }
  again(SPIN_EVERY_MS, spin)

  return {
    log(text) {
      const lines = (unfinished + text).split('\n')
      unfinished = lines.pop() ?? ''
      if (lines.length > 0) paintBlock(lines.map((line) => `${line}\n`).join(''))
    },
    say(text) {
      saying = text
    },
    show({ status, bus, api }) {
      saying = null
      const recent: EventLine[] = []
      const counts: { atMs: number; published: number }[] = []
      void (async () => {
        for await (const stored of scan(bus, { limit: EVENTS_SHOWN, follow: true, signal: reading.signal })) {
          recent.push(JSON.parse(eventLine(stored)) as EventLine)
          if (recent.length > EVENTS_SHOWN) recent.shift()
        }
      })().catch(() => {})
      const paint = async () => {
        const now = await status()
        if (closed) return
        const published = now.eventSources
          .flatMap(({ entries }) => entries)
          .reduce((sum, entry) => sum + entry.published, 0)
        const atMs = systemClock.monotonic()
        counts.push({ atMs, published })
        while (counts.length > 2 && counts[1]!.atMs < atMs - RATE_OVER_MS) counts.shift()
        const width = stream.columns || 80
        block = [
          '',
          ...statusText(now, { nowMs: systemClock.now(), paint: (style, text) => styleText(style, text, { stream }) })
            .trimEnd()
            .split('\n'),
          `${rateOf(counts).toFixed(1)} events/s   API http://${api}`,
          ...recent.map((line) => styleText('dim', readableLine(line, width), { stream })),
        ]
        paintBlock()
      }
      const repaint = () => {
        void paint()
          .catch(() => {})
          .finally(() => closed || again(PAINT_EVERY_MS, repaint))
      }
      repaint()
    },
    close() {
      closed = true
      for (const cancel of later) cancel()
      reading.abort()
      saying = null
      stream.write(`${erase()}${unfinished}`)
      painted = 0
      block = []
    },
  }
}

function rateOf(counts: { atMs: number; published: number }[]): number {
  const [first, last] = [counts[0], counts.at(-1)]
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  return Math.max(0, ((last.published - first.published) * 1000) / (last.atMs - first.atMs))
}

/** Cuts a line to the terminal's width without counting or breaking colour codes: a wrapped line would spoil the erasing. */
export function cut(line: string, width: number): string {
  let seen = 0
  let result = ''
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b[')) result += part
    else if (seen < width) {
      result += part.slice(0, width - seen)
      seen += Math.min(part.length, width - seen)
    }
  }
  return result
}
