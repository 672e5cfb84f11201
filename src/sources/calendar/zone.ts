/**
 * Time zones by IANA name. Offsets come from the runtime's own data (ICU), which every platform has in the same version as
 * the program; only abbreviations (`EST`), which ICU lacks for most zones, are looked up in the system's tzdata.
 */
import { type Abbreviations, readAbbreviations } from './tzdata.ts'

export interface Zone {
  readonly name: string
  /** Seconds east of UTC at a moment, seconds since the epoch. */
  offsetAt(at: number): number
  /** The first moment in (`from`, `to`] with another offset than the moment before it, or null. Seconds. */
  changeBetween(from: number, to: number): number | null
  /** What people call the offset in force, as Go prints it: `EDT`, or `+03` where there is no such name. */
  abbreviationAt(at: number): string
}

const DAY = 86_400

/** Go's words for a name that it does not take as a time zone, or null when the name is fine. `''` is UTC, as in Go. */
export function zoneError(name: string): string | null {
  if (name === '' || name === 'Local') return null
  if (name.includes('..') || name.startsWith('/') || name.startsWith('\\')) return 'time: invalid location name'
  // ICU also takes plain offsets such as +05:30, which are not in the IANA data
  if (!/^[A-Za-z]/.test(name) || ofIcuAlone(name) || formatOf(name) === null) return `unknown time zone ${name}`
  return null
}

/** The names of three letters in the IANA data (its files `etcetera` and `backward`). */
const SHORT: ReadonlySet<string> = new Set([
  ...['CET', 'EET', 'EST', 'GMT', 'HST', 'MET', 'MST', 'PRC', 'ROC', 'ROK', 'UCT', 'UTC', 'WET'],
])
/** Names that the IANA data had once. */
const FORMER = /^(systemv\/.*|us\/pacific-new|canada\/east-saskatchewan)$/i

/**
 * ICU has names of its own (https://github.com/unicode-org/icu, `icuzones`), which mean something else than people expect: `BST` is Dhaka's
 * time there, `IST` India's and not Israel's.
 */
const ofIcuAlone = (name: string): boolean =>
  (/^[a-z]{3}$/i.test(name) && !SHORT.has(name.toUpperCase())) || FORMER.test(name)

/** @param name one that {@link zoneError} has nothing against; `''` and an unknown one mean UTC, as in Go's `TZ` */
export function loadZone(name: string): Zone {
  const format = name === '' || name === 'UTC' || zoneError(name) !== null ? null : formatOf(name)
  return format === null ? utc : zoneOf(name, format)
}

const utc: Zone = { name: 'UTC', offsetAt: () => 0, changeBetween: () => null, abbreviationAt: () => 'UTC' }

function zoneOf(name: string, format: Intl.DateTimeFormat): Zone {
  const changesByYear = new Map<number, number[]>()
  const resolved = format.resolvedOptions().timeZone
  let abbreviations: Abbreviations | undefined

  const offsetAt = (at: number): number => {
    const [, sign, hours, minutes, seconds = '0'] =
      /GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(format.format(at * 1000)) ?? []
    if (sign === undefined) return 0
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds))
  }
  const changesIn = (year: number): number[] => {
    const known = changesByYear.get(year)
    if (known !== undefined) return known
    const changes = findChanges(offsetAt, Date.UTC(year, 0) / 1000, Date.UTC(year + 1, 0) / 1000)
    changesByYear.set(year, changes)
    return changes
  }

  return {
    name,
    offsetAt,
    changeBetween(from, to) {
      for (let year = yearOf(from); year <= yearOf(to); year++) {
        const change = changesIn(year).find((at) => at > from && at <= to)
        if (change !== undefined) return change
      }
      return null
    },
    abbreviationAt(at) {
      abbreviations ??= readAbbreviations(name) ?? readAbbreviations(resolved) ?? (() => null)
      const offset = offsetAt(at)
      return abbreviations(at, offset) ?? (resolved === 'UTC' ? 'UTC' : numeric(offset))
    },
  }
}

/** No zone has ever changed its offset and changed it back within one day of UTC, so looking once a day misses nothing. */
function findChanges(offsetAt: (at: number) => number, from: number, to: number): number[] {
  const changes: number[] = []
  let before = offsetAt(from - 1)
  for (let day = from; day < to; day += DAY) {
    const after = offsetAt(day + DAY - 1)
    if (after === before) continue
    let [low, high] = [day - 1, day + DAY - 1]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetAt(middle) === before) low = middle
      else high = middle
    }
    changes.push(high)
    before = after
  }
  return changes
}

function formatOf(name: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset', year: 'numeric' })
  } catch {
    return null
  }
}

function yearOf(at: number): number {
  return new Date(at * 1000).getUTCFullYear()
}

/** tzdata's way to name an offset that has no name: `+03`, `+0545`. */
function numeric(offset: number): string {
  const minutes = Math.floor(Math.abs(offset) / 60)
  const [h, m] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'))
  return `${offset < 0 ? '-' : '+'}${h}${m === '00' ? '' : m}`
}
