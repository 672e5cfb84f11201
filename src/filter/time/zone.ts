import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import type { Opaque } from '../values.ts'
import { LOCATION } from './types.ts'

/** A time zone: Go's `*time.Location`. */
export interface Zone extends Opaque {
  /** `UTC`, an IANA name, or the abbreviation of a fixed zone. */
  readonly name: string
  /** True when {@link Zone.at} asks the platform, which is slow. */
  readonly slow: boolean
  /** What holds at a moment. @param seconds since the epoch */
  at(seconds: number): { offset: number; abbreviation: string }
}

function zone(name: string, at: Zone['at'], slow = false): Zone {
  return {
    type: LOCATION,
    name,
    slow,
    at,
    text: () => name,
    sameAs: (other) => (other as Zone).name === name,
    json: () => '{}',
  }
}

/** UTC; also what Go calls Local, since filters must not depend on where a replica runs (upstream's image is in UTC). */
export const UTC: Zone = zone('UTC', () => ({ offset: 0, abbreviation: 'UTC' }))

/** A zone with one offset, seconds east of UTC. */
export function fixedZone(abbreviation: string, offset: number): Zone {
  return zone(abbreviation, () => ({ offset, abbreviation }))
}

/** `time.LoadLocation`. @throws Problem for a name that is not in the IANA data base */
export function loadZone(name: string, meter: Meter): Zone {
  return meter.once(`zone ${name}`, 10_000, () => makeZone(name))
}

function makeZone(name: string): Zone {
  if (name === '' || name === 'UTC' || name === 'Local') return UTC
  let format: Intl.DateTimeFormat
  try {
    if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/.test(name)) throw new RangeError('not a name')
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      era: 'short',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    throw new Problem(`unknown time zone ${name}`)
  }
  const names = abbreviations(name)
  return zone(
    name,
    (seconds) => {
      const clamped = Math.max(-8.6e12, Math.min(8.6e12, seconds))
      const parts: Record<string, string> = {}
      for (const { type, value } of format.formatToParts(clamped * 1000)) parts[type] = value
      const number = (part: string) => Number(parts[part])
      const year = parts.era === 'BC' ? 1 - number('year') : number('year')
      const local = daysFromCivil(year, number('month'), number('day')) * 86_400
      const offset = local + number('hour') * 3600 + number('minute') * 60 + number('second') - Math.floor(clamped)
      return { offset, abbreviation: names(clamped * 1000) ?? numeric(offset) }
    },
    true,
  )
}

/** Zones without summer time whose letters the platform does not know. */
const LETTERS: Readonly<Record<string, string>> = {
  'Asia/Tokyo': 'JST',
  'Asia/Seoul': 'KST',
  'Asia/Shanghai': 'CST',
  'Asia/Taipei': 'CST',
  'Asia/Hong_Kong': 'HKT',
  'Asia/Manila': 'PST',
  'Asia/Jakarta': 'WIB',
  'Asia/Karachi': 'PKT',
  'Asia/Kolkata': 'IST',
  'Asia/Calcutta': 'IST',
  'Europe/Moscow': 'MSK',
}
/** The platform knows the letters of a zone only in the English of its region. */
const ENGLISH: Readonly<Record<string, readonly string[]>> = {
  America: ['en-US', 'en-CA'],
  US: ['en-US'],
  Canada: ['en-CA'],
  Europe: ['en-GB'],
  Africa: ['en-ZA', 'en-GB'],
  Atlantic: ['en-GB'],
  Australia: ['en-AU'],
  Pacific: ['en-US', 'en-AU'],
}

/** Finds what Go's data base calls the zone at a moment (`CEST`); `undefined` where it has only digits, or we only those. */
function abbreviations(timeZone: string): (ms: number) => string | undefined {
  const letters = LETTERS[timeZone]
  if (letters !== undefined) return () => letters
  const formats = (ENGLISH[timeZone.split('/')[0] as string] ?? ['en-US']).map(
    (locale) => new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' }),
  )
  return (ms) =>
    formats
      .map((format) => format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value)
      .find((name) => name !== undefined && /^[A-Z]{3,5}$/.test(name))
}

/** How Go's data base names zones without letters: `+02`, `-0330`. */
function numeric(offset: number): string {
  const minutes = Math.floor(Math.abs(offset) / 60)
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${hours}${minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0')}`
}

/** Days since 1970-01-01 of a date of the proleptic Gregorian calendar (http://howardhinnant.github.io/date_algorithms.html). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** The date of a day since 1970-01-01. */
export function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const mp = Math.floor((5 * dayOfYear + 2) / 153)
  const month = mp < 10 ? mp + 3 : mp - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * mp + 2) / 5) + 1 }
}
