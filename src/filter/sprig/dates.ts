import { parseInteger } from '../builtins-numbers.ts'
import { now } from '../builtins-texts.ts'
import type { Meter } from '../limits.ts'
import { swallow } from '../problem.ts'
import { fromBytes, toBytes } from '../text.ts'
import { formatDuration, parseDuration } from '../time/duration.ts'
import { formatTime } from '../time/layout.ts'
import { parseTime } from '../time/parse.ts'
import { fieldsOf, isTime, mod, NS_PER_SECOND, secondsOf, type Time, timeAt, ZERO_TIME } from '../time/time.ts'
import { loadZone, UTC, type Zone } from '../time/zone.ts'
import { INT64 } from '../types.ts'
import { GoInt, type Value } from '../values.ts'
import { define, type Functions } from './define.ts'

/** The time in a value: a time, or seconds since the epoch; anything else is now. */
function momentOf(value: Value): Time {
  if (isTime(value)) return value
  if (typeof value === 'bigint') return timeAt(value * NS_PER_SECOND, UTC)
  if (value instanceof GoInt && value.type === INT64) return timeAt(value.value * NS_PER_SECOND, UTC)
  return now()
}

function zoneOrUtc(name: string, meter: Meter): Zone {
  return swallow(() => loadZone(name, meter), UTC)
}

function shown(layout: string, value: Value, zone: string, meter: Meter): string {
  const moment = timeAt(momentOf(value).ns, zoneOrUtc(fromBytes(zone), meter))
  meter.spend(moment.zone.slow ? 300 : 60)
  return toBytes(formatTime(fieldsOf(moment), fromBytes(layout)))
}

function modified(text: string, time: Time, strict: boolean): Time {
  const move = () => timeAt(time.ns + parseDuration(fromBytes(text)), time.zone)
  return strict ? move() : swallow(move, time)
}

function rounded(value: Value): string {
  const ns = spanOf(value)
  const units: [string, bigint][] = [
    ['y', 365n * 86_400n],
    ['mo', 30n * 86_400n],
    ['d', 86_400n],
    ['h', 3600n],
    ['m', 60n],
    ['s', 1n],
  ]
  const positive = ns < 0n ? -ns : ns
  for (const [unit, seconds] of units) {
    if (positive > seconds * NS_PER_SECOND) return `${positive / (seconds * NS_PER_SECOND)}${unit}`
  }
  return '0s'
}

function spanOf(value: Value): bigint {
  if (isTime(value)) return now().ns - value.ns
  if (value instanceof GoInt && value.type === INT64) return value.value
  if (typeof value !== 'string') return 0n
  return swallow(() => parseDuration(fromBytes(value)), 0n)
}

function ago(value: Value): string {
  const since = now().ns - (isTime(value) ? value.ns : momentOf(value).ns)
  const rest = mod(since, NS_PER_SECOND)
  return formatDuration(since - rest + (rest * 2n >= NS_PER_SECOND ? NS_PER_SECOND : 0n))
}

function seconds(value: Value): bigint {
  if (typeof value === 'string') return parseInteger(value) ?? 0n
  return value instanceof GoInt && value.type === INT64 ? value.value : 0n
}

function toDate(layout: string, text: string, meter: Meter): Time {
  meter.spend(50 + layout.length)
  return parseTime(fromBytes(layout), fromBytes(text))
}

const inZone = define('sas:s', ([layout, value, zone], meter) => shown(layout, value, zone, meter))
const modify = define('st:t', ([span, time]) => modified(span, time, false))
const mustModify = define('st:t', ([span, time]) => modified(span, time, true))

export const dates: Functions = {
  ago: define('a:s', ([value]) => toBytes(ago(value))),
  date: define('sa:s', ([layout, value], meter) => shown(layout, value, 'UTC', meter)),
  date_in_zone: inZone,
  dateInZone: inZone,
  date_modify: modify,
  dateModify: modify,
  must_date_modify: mustModify,
  mustDateModify: mustModify,
  duration: define('a:s', ([value]) => toBytes(formatDuration(BigInt.asIntN(64, seconds(value) * NS_PER_SECOND)))),
  durationRound: define('a:s', ([value]) => rounded(value)),
  htmlDate: define('a:s', ([value], meter) => shown('2006-01-02', value, 'UTC', meter)),
  htmlDateInZone: define('as:s', ([value, zone], meter) => shown('2006-01-02', value, zone, meter)),
  mustToDate: define('ss:t', ([layout, text], meter) => toDate(layout, text, meter)),
  toDate: define('ss:t', ([layout, text], meter) => swallow(() => toDate(layout, text, meter), ZERO_TIME)),
  now: define(':t', () => now()),
  unixEpoch: define('t:s', ([time]) => String(secondsOf(time.ns))),
}
