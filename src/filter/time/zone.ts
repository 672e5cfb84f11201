import { Problem } from '../problem.ts'
import type { Opaque } from '../values.ts'
import { LOCATION } from './types.ts'

/** A time zone: Go's `*time.Location`. */
export interface Zone extends Opaque {
  /** `UTC`, an IANA name, or the abbreviation of a fixed zone. */
  readonly name: string
  /** What holds at a moment. @param seconds since the epoch */
  at(seconds: number): { offset: number; abbreviation: string }
}

function zone(name: string, at: Zone['at']): Zone {
  return {
    type: LOCATION,
    name,
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
export function loadZone(name: string): Zone {
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
      timeZoneName: 'short',
    })
  } catch {
    throw new Problem(`unknown time zone ${name}`)
  }
  return zone(name, (seconds) => {
    const clamped = Math.max(-8.6e12, Math.min(8.6e12, seconds))
    const parts: Record<string, string> = {}
    for (const { type, value } of format.formatToParts(clamped * 1000)) parts[type] = value
    const number = (part: string) => Number(parts[part])
    const year = parts.era === 'BC' ? 1 - number('year') : number('year')
    const local = daysFromCivil(year, number('month'), number('day')) * 86_400
    const offset = local + number('hour') * 3600 + number('minute') * 60 + number('second') - Math.floor(clamped)
    return { offset, abbreviation: abbreviation(parts.timeZoneName ?? '', offset) }
  })
}

/** The platform says `GMT+2` where Go's data base says `CEST` or, for zones without letters, `+02`. */
function abbreviation(short: string, offset: number): string {
  if (!/^GMT[+-]/.test(short)) return short
  const sign = offset < 0 ? '-' : '+'
  const minutes = Math.floor(Math.abs(offset) / 60)
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0')
  return `${sign}${hours}${minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0')}`
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
