import { Problem } from '../problem.ts'
import { cutLayout, DAYS, MONTHS } from './layout.ts'
import { NS_PER_SECOND, secondsOf, type Time, timeAt, timeOf } from './time.ts'
import { fixedZone, UTC, type Zone } from './zone.ts'

/** What has been read so far. */
interface Reading {
  rest: string
  year: number
  month: number
  day: number
  yearDay: number
  hour: number
  minute: number
  second: number
  nanosecond: bigint
  half: 'am' | 'pm' | undefined
  offset: number | undefined
  zoneName: string
  utc: boolean
}

/**
 * `time.ParseInLocation`; with `zone` UTC also `time.Parse`.
 * @throws Problem when the text does not follow the layout
 */
export function parseTime(layout: string, text: string, zone: Zone = UTC): Time {
  const time = readTime(cutLayout(layout), text, zone)
  if (time === undefined)
    throw new Problem(`cannot read ${JSON.stringify(text)} as a time in the form ${JSON.stringify(layout)}`)
  return time
}

/** As {@link parseTime}; `undefined` when the text does not follow the layout. */
export function readTime(
  { literals, elements }: ReturnType<typeof cutLayout>,
  text: string,
  zone: Zone,
): Time | undefined {
  const r: Reading = {
    ...{ rest: text, year: 0, month: -1, day: -1, yearDay: -1, hour: 0, minute: 0, second: 0, nanosecond: 0n },
    ...{ half: undefined, offset: undefined, zoneName: '', utc: false },
  }
  for (const [i, element] of elements.entries()) {
    if (!skip(r, literals[i] as string) || !read(r, element, elements[i + 1], literals[i + 1] as string))
      return undefined
  }
  if (!skip(r, literals.at(-1) as string) || r.rest !== '') return undefined
  if (r.half === 'pm' && r.hour < 12) r.hour += 12
  else if (r.half === 'am' && r.hour === 12) r.hour = 0
  return settleDate(r) ? place(r, zone) : undefined
}

/** Takes a literal; a run of spaces stands for any run of spaces. */
function skip(r: Reading, literal: string): boolean {
  for (let i = 0; i < literal.length; ) {
    if (literal[i] === ' ') {
      if (r.rest !== '' && r.rest[0] !== ' ') return false
      while (literal[i] === ' ') i++
      r.rest = r.rest.replace(/^ +/, '')
    } else {
      if (r.rest[0] !== literal[i]) return false
      r.rest = r.rest.slice(1)
      i++
    }
  }
  return true
}

function take(r: Reading, pattern: RegExp): string | undefined {
  const match = pattern.exec(r.rest)
  if (match === null) return undefined
  r.rest = r.rest.slice(match[0].length)
  return match[0]
}

function number(r: Reading, pattern: RegExp, low: number, high: number): number | undefined {
  const text = take(r, pattern)
  const value = Number(text)
  return text === undefined || value < low || value > high ? undefined : value
}

const ONE_OR_TWO = /^\d\d?/
const TWO = /^\d\d/
const THREE = /^\d{3}/

/** Reads one element; false when the text does not fit. */
function read(r: Reading, element: string, nextElement: string | undefined, nextLiteral: string): boolean {
  const set = (field: 'year' | 'month' | 'day' | 'yearDay' | 'hour' | 'minute' | 'second', value?: number): boolean => {
    if (value === undefined) return false
    r[field] = value
    return true
  }
  switch (element) {
    case '2006':
      return set('year', number(r, /^\d{4}/, 0, 9999))
    case '06': {
      const year = number(r, TWO, 0, 99)
      return set('year', year === undefined ? undefined : year >= 69 ? year + 1900 : year + 2000)
    }
    case 'January':
      return set('month', name(r, MONTHS))
    case 'Jan':
      return set(
        'month',
        name(
          r,
          MONTHS.map((m) => m.slice(0, 3)),
        ),
      )
    case 'Monday':
      return name(r, DAYS) !== undefined
    case 'Mon':
      return (
        name(
          r,
          DAYS.map((d) => d.slice(0, 3)),
        ) !== undefined
      )
    case '1':
      return set('month', number(r, ONE_OR_TWO, 1, 12))
    case '01':
      return set('month', number(r, TWO, 1, 12))
    case '_2':
      take(r, /^ /)
      return set('day', number(r, ONE_OR_TWO, 0, 99))
    case '2':
      return set('day', number(r, ONE_OR_TWO, 0, 99))
    case '02':
      return set('day', number(r, TWO, 0, 99))
    case '__2':
      take(r, /^ {0,2}/)
      return set('yearDay', number(r, /^\d{1,3}/, 0, 999))
    case '002':
      return set('yearDay', number(r, THREE, 0, 999))
    case '15':
      return set('hour', number(r, ONE_OR_TWO, 0, 23))
    case '3':
      return set('hour', number(r, ONE_OR_TWO, 0, 12))
    case '03':
      return set('hour', number(r, TWO, 0, 12))
    case '4':
      return set('minute', number(r, ONE_OR_TWO, 0, 59))
    case '04':
      return set('minute', number(r, TWO, 0, 59))
    case '5':
    case '05':
      if (!set('second', number(r, element === '5' ? ONE_OR_TWO : TWO, 0, 59))) return false
      // A fraction is taken even where the layout has none.
      if (nextLiteral === '' && /^[.,]/.test(nextElement ?? '')) return true
      return fraction(r, /^[.,]\d+/) !== undefined
    case 'PM':
      r.half = take(r, /^(PM|AM)/)?.toLowerCase() as Reading['half']
      return r.half !== undefined
    case 'pm':
      r.half = take(r, /^(pm|am)/) as Reading['half']
      return r.half !== undefined
    case 'MST':
      return zoneName(r)
    default:
      if (element[0] === '.' || element[0] === ',') {
        const fixed = element[1] === '0'
        const taken = fraction(r, fixed ? new RegExp(`^[.,]\\d{${element.length - 1}}`) : /^[.,]\d+/)
        return !fixed || taken === true
      }
      return offset(r, element)
  }
}

/** The 1-based place of the name at the head of the text. */
function name(r: Reading, names: readonly string[]): number | undefined {
  const i = names.findIndex((n) => r.rest.slice(0, n.length).toLowerCase() === n.toLowerCase())
  if (i < 0) return undefined
  r.rest = r.rest.slice((names[i] as string).length)
  return i + 1
}

/** True when a fraction was taken, false when there was none. */
function fraction(r: Reading, pattern: RegExp): boolean {
  const text = take(r, pattern)
  if (text === undefined) return false
  r.nanosecond = BigInt(text.slice(1, 10).padEnd(9, '0'))
  return true
}

function offset(r: Reading, element: string): boolean {
  if (element[0] === 'Z' && r.rest[0] === 'Z') {
    r.rest = r.rest.slice(1)
    r.utc = true
    return true
  }
  const rest = element.slice(3)
  const colon = rest.startsWith(':') ? ':' : ''
  const minutes = rest === '' ? '()' : `${colon}(\\d\\d)`
  const seconds = rest.length > 3 ? `${colon}(\\d\\d)` : '()'
  const match = new RegExp(`^([+-])(\\d\\d)${minutes}${seconds}`).exec(r.rest)
  if (match === null) return false
  const [h, m, s] = [Number(match[2]), Number(match[3]), Number(match[4])]
  if (h > 24 || m > 60 || s > 60) return false
  r.offset = (match[1] === '-' ? -1 : 1) * (h * 3600 + m * 60 + s)
  r.rest = r.rest.slice(match[0].length)
  return true
}

function zoneName(r: Reading): boolean {
  if (take(r, /^UTC/) !== undefined) {
    r.utc = true
    return true
  }
  const signed = /^(GMT)?([+-]\d+)/.exec(r.rest)
  if (signed !== null && Math.abs(Number(signed[2])) <= 23) {
    r.zoneName = signed[0]
  } else {
    const upper = /^(ChST|MeST|WITA|GMT)|^[A-Z]+/.exec(r.rest)?.[0] ?? ''
    if (/^[A-Z]{6,}$/.test(upper) || upper.length < 3) return false
    if ((upper.length === 5 || upper.length === 4) && !/T$|^WITA$/.test(upper)) return false
    r.zoneName = upper
  }
  r.rest = r.rest.slice(r.zoneName.length)
  return true
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
const daysIn = (month: number, year: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

function settleDate(r: Reading): boolean {
  if (r.yearDay >= 0) {
    if (r.yearDay < 1 || r.yearDay > (isLeap(r.year) ? 366 : 365)) return false
    let month = 1
    let day = r.yearDay
    while (day > daysIn(month, r.year)) day -= daysIn(month++, r.year)
    if ((r.month >= 0 && r.month !== month) || (r.day >= 0 && r.day !== day)) return false
    r.month = month
    r.day = day
  }
  if (r.month < 0) r.month = 1
  if (r.day < 0) r.day = 1
  return r.day >= 1 && r.day <= daysIn(r.month, r.year)
}

function place(r: Reading, zone: Zone): Time {
  const clock = [r.year, r.month, r.day, r.hour, r.minute, r.second] as const
  if (r.utc) return timeOf(clock, r.nanosecond, UTC)
  if (r.offset !== undefined) {
    const ns = timeOf(clock, r.nanosecond, UTC).ns - BigInt(r.offset) * NS_PER_SECOND
    const own = zone.at(secondsOf(ns))
    const fits = own.offset === r.offset && (r.zoneName === '' || r.zoneName === own.abbreviation)
    return timeAt(ns, fits ? zone : fixedZone(r.zoneName, r.offset))
  }
  if (r.zoneName !== '') {
    const local = timeOf(clock, r.nanosecond, zone)
    if (zone.at(secondsOf(local.ns)).abbreviation === r.zoneName) return local
    const hours = /^GMT(.+)$/.exec(r.zoneName)?.[1]
    const seconds = hours === undefined ? 0 : Number(hours) * 3600
    return timeAt(timeOf(clock, r.nanosecond, UTC).ns - BigInt(seconds) * NS_PER_SECOND, fixedZone(r.zoneName, seconds))
  }
  return timeOf(clock, r.nanosecond, zone)
}
