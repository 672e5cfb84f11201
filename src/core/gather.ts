/**
 * Lines that say the same of many things become one line with a count: two hundred EventSources that lose the lead in one stall are one
 * piece of news. What one entry says again and again is said once a minute, with how often.
 *
 * Only lines that are about something (an entry, an EventSource, a replica) are looked at. A line is held for {@link FIRST_MS} at
 * most, unless there were many of its kind just before; lines about single events and debug lines pass at once.
 */
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { Logger, LogLevel } from './log.ts'

export interface Gathering {
  readonly log: Logger
  /** Writes what is held, now: before the process ends. */
  flush(): void
}

/** A burst comes within a few turns of the event loop; a single line is hardly late by this, milliseconds. */
const FIRST_MS = 50
/** After lines were gathered, or after {@link BURST} lines of a kind within this time, the next of that kind wait for each other. */
const NEXT_MS = 2_000
const BURST = 5
/** An entry says the same thing once in this time. */
const AGAIN_MS = 60_000
/** An entry's lines of one kind differ by their error; of those so many are told apart, so that a text with a changing word is no flood. */
const TEXTS = 4
const NAMED = 5

type Fields = Record<string, unknown>

interface Line {
  level: LogLevel
  message: string
  /** All of them, also those that the logger adds. */
  fields: Fields
  about: string
  /** How often it was said. */
  times: number
}

interface Kind {
  held: Line[]
  /** Cancels its next writing, or its end. */
  cancel: () => void
  /** When lines of it were written last, newest last; at most {@link BURST}. */
  writtenMs: number[]
  gatheredMs: number
}

interface Said {
  atMs: number
  /** Said again since then, and not written. */
  again: Line | null
}

/** What a line says of itself by its subject, which a gathered line has in `of`. */
const NAMES = new Set(['eventSourceName', 'eventName', 'eventSourceType', 'replica'])

export function gatherLines(root: Logger, clock: Pick<Clock, 'after' | 'monotonic'>): Gathering {
  const kinds = new Map<string, Kind>()
  /** By kind and entry, then by error. */
  const said = new Map<string, Map<string, Said>>()
  let cancelSweep: (() => void) | null = null

  function take(line: Line, pass: () => void): void {
    if (line.fields.eventID !== undefined || line.about === '') pass()
    else if (line.fields.eventName === undefined || !wasSaid(line)) hold(line)
  }

  /** Whether the entry has said so within the last minute; then it is counted. */
  function wasSaid(line: Line): boolean {
    const key = `${kindOf(line)}\n${line.about}`
    const texts = said.get(key) ?? new Map<string, Said>()
    said.set(key, texts)
    const own = textOf(line)
    const text = texts.has(own) || texts.size < TEXTS ? own : ''
    const before = texts.get(text)
    cancelSweep ??= clock.after(AGAIN_MS, sweep)
    if (before === undefined || clock.monotonic() - before.atMs >= AGAIN_MS) {
      const times = (before?.again?.times ?? 0) + 1
      texts.set(text, { atMs: clock.monotonic(), again: null })
      line.times = times
      return false
    }
    before.again = { ...line, times: (before.again?.times ?? 0) + 1 }
    return true
  }

  function sweep(): void {
    cancelSweep = null
    const nowMs = clock.monotonic()
    for (const [key, texts] of said) {
      for (const [text, { atMs, again }] of texts) {
        if (nowMs - atMs < AGAIN_MS) continue
        texts.delete(text)
        if (again === null) continue
        texts.set(text, { atMs: nowMs, again: null })
        hold(again)
      }
      if (texts.size === 0) said.delete(key)
    }
    // four times a minute, so that what was said again is not told much later than a minute after
    if (said.size > 0) cancelSweep = clock.after(AGAIN_MS / 4, sweep)
  }

  function hold(line: Line): void {
    const name = kindOf(line)
    const kind = kinds.get(name) ?? { held: [], cancel: () => {}, writtenMs: [], gatheredMs: Number.NEGATIVE_INFINITY }
    kinds.set(name, kind)
    if (kind.held.push(line) > 1) return
    kind.cancel()
    kind.cancel = clock.after(pauseOf(kind), () => write(name, kind))
  }

  function pauseOf({ writtenMs, gatheredMs }: Kind): number {
    const nowMs = clock.monotonic()
    const [oldest = 0] = writtenMs
    const since = Math.max(gatheredMs, writtenMs.length === BURST ? oldest : Number.NEGATIVE_INFINITY)
    return Math.max(FIRST_MS, since + NEXT_MS - nowMs)
  }

  function write(name: string, kind: Kind): void {
    const { held } = kind
    kind.cancel()
    kind.held = []
    const [first] = held
    if (first === undefined) {
      // nothing came for a whole pause
      kinds.delete(name)
      return
    }
    kind.writtenMs = [...kind.writtenMs, clock.monotonic()].slice(-BURST)
    if (held.length > 1) kind.gatheredMs = clock.monotonic()
    root[first.level](first.message, fieldsOf(held))
    kind.cancel = clock.after(NEXT_MS, () => write(name, kind))
  }

  function loggerOf(bound: Fields): Logger {
    const at =
      (level: LogLevel) =>
      (message: string, given: Fields = {}) => {
        const fields = { ...bound, ...given }
        take({ level, message, fields, about: aboutOf(fields), times: 1 }, () => root[level](message, fields))
      }
    return {
      debug: (message, given = {}) => root.debug(message, { ...bound, ...given }),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => loggerOf({ ...bound, ...fields }),
    }
  }

  return {
    log: loggerOf({}),
    flush() {
      for (const [name, kind] of kinds) write(name, kind)
      for (const { cancel } of kinds.values()) cancel()
      kinds.clear()
      cancelSweep?.()
    },
  }
}

/** Of one line: its own fields. Of several: those of the first, with the names of all in the place of its own. */
function fieldsOf(held: Line[]): Fields {
  const [first] = held as [Line]
  const times = held.reduce((sum, line) => sum + line.times, 0)
  const names = [...new Set(held.map(({ about }) => about))]
  const last = held.at(-1) as Line
  if (names.length === 1) return times === 1 ? first.fields : { ...last.fields, times }
  const common = Object.fromEntries(Object.entries(first.fields).filter(([key]) => !NAMES.has(key)))
  const more = names.length - NAMED
  const of = [...names.slice(0, NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
  const otherErrors = new Set(held.map(textOf)).size - 1
  return {
    count: names.length,
    of,
    ...(times > held.length ? { times } : {}),
    ...common,
    ...(otherErrors > 0 ? { otherErrors } : {}),
  }
}

const kindOf = ({ level, message }: Line): string => `${level} ${message}`

/** What is wrong, without what changes from one try to the next. */
const textOf = ({ fields: { error } }: Line): string =>
  error === undefined ? '' : messageOf(error).replaceAll(/\d+/g, '#')

function aboutOf({ eventSourceName, eventName, replica }: Fields): string {
  if (eventName !== undefined) return `${eventSourceName}/${eventName}`
  return String(replica ?? eventSourceName ?? '')
}
