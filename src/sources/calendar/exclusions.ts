/** Days on which a schedule does not fire: `EXDATE:20190102T150405Z,20190602T160210Z`. Only year, month and day count. */
import type { Zone } from './zone.ts'

/** Days since 1970-01-01 that are left out. */
export type ExcludedDays = ReadonlySet<number>

export interface Exclusions {
  days: ExcludedDays
  /** Dates that are not of the form YYYYMMDDTHHMMSSZ, with the index of their line. */
  malformed: { line: number; text: string }[]
  /** Lines that do not start with exactly `EXDATE:`; they have no effect, as in Argo Events. */
  ignored: { line: number; text: string }[]
}

const PREFIX = 'EXDATE:'

/** Never throws: what is wrong is in the result. */
export function parseExclusions(lines: readonly string[]): Exclusions {
  const days = new Set<number>()
  const malformed: Exclusions['malformed'] = []
  const ignored: Exclusions['ignored'] = []
  for (const [line, text] of lines.entries()) {
    if (!text.startsWith(PREFIX)) {
      ignored.push({ line, text })
      continue
    }
    for (const date of text.slice(PREFIX.length).split(',')) {
      const day = dayOf(date)
      if (day === null) malformed.push({ line, text: date })
      else days.add(day)
    }
  }
  return { days, malformed, ignored }
}

/**
 * Where to go on looking when the tick at `tickMs` falls on an excluded day of `zone`: a moment before the first tick that
 * may be on another day, and not before `tickMs`.
 * @returns null when the day is not excluded
 */
export function skipExcluded(days: ExcludedDays, zone: Zone, tickMs: number): number | null {
  if (days.size === 0) return null
  const at = Math.floor(tickMs / 1000)
  const local = at + zone.offsetAt(at)
  const day = Math.floor(local / 86_400)
  if (!days.has(day)) return null
  const midnight = at + (day + 1) * 86_400 - local
  // a change of offset moves midnight; stop there and look anew
  const until = zone.changeBetween(at, midnight) ?? midnight
  return Math.max(tickMs, until * 1000 - 1)
}

function dayOf(date: string): number | null {
  // Go's parser takes a fraction after the seconds even where the layout has none
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:[.,]\d+)?Z$/.exec(date)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59) return null
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  const exists = midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day
  return exists ? midnight.getTime() / 86_400_000 : null
}
