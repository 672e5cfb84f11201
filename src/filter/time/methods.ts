import { Problem } from '../problem.ts'
import { bufferOf, fromBytes, toBytes } from '../text.ts'
import { BYTES, INT64, type Type, UINT8 } from '../types.ts'
import { GoFunc, GoInt, GoSlice, typeOf, type Value } from '../values.ts'
import { formatDuration } from './duration.ts'
import { DAYS, formatTime, MONTHS } from './layout.ts'
import { fieldsOf, isTime, mod, NS_PER_SECOND, type Time, timeAt, timeOf, ZERO_TIME } from './time.ts'
import { DURATION, MONTH, WEEKDAY } from './types.ts'
import { civilFromDays, daysFromCivil, UTC, type Zone } from './zone.ts'

/** The method `name` of a value of one of Go's `time` types, bound to it; `undefined` when it has none. */
export function timeMethod(value: Value, name: string): GoFunc | undefined {
  const type = typeOf(value)?.methods?.get(name)
  if (type === undefined) return undefined
  return new GoFunc(type, (args, meter) => {
    if (isTime(value)) {
      meter.spend(value.zone.slow ? 200 : 60)
      return ofTime(value, name, args)
    }
    if (value instanceof GoInt) return value.type === DURATION ? ofDuration(value.value, name, args) : nameOf(value)
    return toBytes((value as Zone).text())
  })
}

function nameOf({ type, value }: GoInt): string {
  const names = type === MONTH ? MONTHS : DAYS
  const index = Number(value) - (type === MONTH ? 1 : 0)
  return names[index] ?? `%!${type === MONTH ? 'Month' : 'Weekday'}(${value})`
}

/** How Go prints a `time` integer: `1h0m0s`, `August`, `Monday`. */
export function timeIntText(value: GoInt): string | undefined {
  if (value.type === DURATION) return formatDuration(value.value)
  return value.type === MONTH || value.type === WEEKDAY ? nameOf(value) : undefined
}

const int = (number: number): bigint => BigInt(number)
const int64 = (number: bigint, type: Type = INT64): GoInt => new GoInt(type, number)
const LONGEST = 2n ** 63n - 1n

function ofTime(time: Time, name: string, args: Value[]): Value {
  const other = args[0] as Time
  const span = () => (args[0] as GoInt).value
  switch (name) {
    case 'Year':
    case 'Day':
    case 'Hour':
    case 'Minute':
    case 'Second':
    case 'Nanosecond':
    case 'YearDay':
      return int(fieldsOf(time)[`${name[0]?.toLowerCase()}${name.slice(1)}` as 'year'])
    case 'Date':
      return int(fieldsOf(time).year)
    case 'Clock':
      return int(fieldsOf(time).hour)
    case 'Month':
      return int64(int(fieldsOf(time).month), MONTH)
    case 'Weekday':
      return int64(int(fieldsOf(time).weekday), WEEKDAY)
    case 'Unix':
      return int64(floor(time.ns, NS_PER_SECOND))
    case 'UnixMilli':
      return int64(floor(time.ns, 1_000_000n))
    case 'UnixMicro':
      return int64(floor(time.ns, 1000n))
    case 'UnixNano':
      return int64(time.ns)
    case 'String':
      return toBytes(time.text())
    case 'Format':
      return toBytes(formatTime(fieldsOf(time), fromBytes(args[0] as string)))
    case 'IsZero':
      return time.ns === ZERO_TIME.ns
    case 'UTC':
    case 'Local':
      return timeAt(time.ns, UTC)
    case 'In':
      return timeAt(time.ns, args[0] as Zone)
    case 'Location':
      return time.zone
    case 'Add':
      return timeAt(time.ns + span(), time.zone)
    case 'Truncate':
    case 'Round':
      return timeAt(multiple(time.ns - ZERO_TIME.ns, span(), name === 'Round') + ZERO_TIME.ns, time.zone)
    case 'AddDate':
      return addDate(time, args as bigint[])
    case 'Sub':
      return timeSub(time, other)
    case 'After':
      return time.ns > other.ns
    case 'Before':
      return time.ns < other.ns
    case 'Equal':
      return time.ns === other.ns
    case 'Compare':
      return time.ns < other.ns ? -1n : time.ns > other.ns ? 1n : 0n
    case 'Zone':
      return toBytes(fieldsOf(time).abbreviation)
    case 'ISOWeek':
      return int(isoYear(time))
    case 'MarshalJSON':
    case 'MarshalText': {
      const json = time.json()
      return bytes(name === 'MarshalJSON' ? json : json.slice(1, -1))
    }
    default:
      throw new Problem(`the method ${name} of time.Time is not supported in filters`)
  }
}

const floor = (a: bigint, b: bigint): bigint => (a - mod(a, b)) / b

function bytes(text: string): GoSlice {
  return new GoSlice(
    BYTES,
    [...bufferOf(toBytes(text))].map((byte) => new GoInt(UINT8, BigInt(byte))),
  )
}

/** `a - b`, bounded as Go's durations are (±292 years). */
export function timeSub(a: Time, b: Time): GoInt {
  const ns = a.ns - b.ns
  return int64(ns > LONGEST ? LONGEST : ns < -LONGEST - 1n ? -LONGEST - 1n : ns, DURATION)
}

function addDate(time: Time, [years, months, days]: bigint[]): Time {
  const f = fieldsOf(time)
  const [y, m, d] = [f.year + Number(years), f.month + Number(months), f.day + Number(days)]
  if (![y, m, d].every((part) => Math.abs(part) < 1e9)) throw new Problem('the time is out of range')
  return timeOf([y, m, d, f.hour, f.minute, f.second], BigInt(f.nanosecond), time.zone)
}

/** The year of the ISO 8601 week: that of its Thursday. */
function isoYear(time: Time): number {
  const { year, month, day, weekday } = fieldsOf(time)
  return civilFromDays(daysFromCivil(year, month, day) + 4 - (weekday || 7)).year
}

function ofDuration(ns: bigint, name: string, args: Value[]): Value {
  const span = () => (args[0] as GoInt).value
  switch (name) {
    case 'Hours':
      return parts(ns, 3_600_000_000_000n)
    case 'Minutes':
      return parts(ns, 60_000_000_000n)
    case 'Seconds':
      return parts(ns, NS_PER_SECOND)
    case 'Milliseconds':
      return int64(ns / 1_000_000n)
    case 'Microseconds':
      return int64(ns / 1000n)
    case 'Nanoseconds':
      return int64(ns)
    case 'Truncate':
      return int64(span() <= 0n ? ns : ns - (ns % span()), DURATION)
    case 'Round':
      return int64(ns < 0n ? -multiple(-ns, span(), true) : multiple(ns, span(), true), DURATION)
    case 'Abs':
      return int64(ns < 0n ? (ns === -LONGEST - 1n ? LONGEST : -ns) : ns, DURATION)
    default:
      return toBytes(formatDuration(ns))
  }
}

/** Whole units plus the fraction, added as floats (as Go does, which decides the last bit). */
function parts(ns: bigint, unit: bigint): number {
  return Number(ns / unit) + Number(ns % unit) / Number(unit)
}

/** The multiple of `unit` at or below `ns`, or, rounding, the nearest (halves up). */
function multiple(ns: bigint, unit: bigint, round: boolean): bigint {
  if (unit <= 0n) return ns
  const rest = mod(ns, unit)
  return round && rest + rest >= unit ? ns + unit - rest : ns - rest
}
