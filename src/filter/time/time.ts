import { Problem } from '../problem.ts'
import type { Opaque } from '../values.ts'
import { formatTime } from './layout.ts'
import { TIME } from './types.ts'
import { civilFromDays, daysFromCivil, UTC, type Zone } from './zone.ts'

export const NS_PER_SECOND = 1_000_000_000n

/** A moment in a zone: Go's `time.Time`. */
export interface Time extends Opaque {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly ns: bigint
  readonly zone: Zone
}

export function isTime(value: unknown): value is Time {
  return typeof value === 'object' && value !== null && (value as Opaque).type === TIME
}

/** Go's zero time, 0001-01-01T00:00:00Z. */
export const ZERO_TIME: Time = timeAt(BigInt(daysFromCivil(1, 1, 1)) * 86_400n * NS_PER_SECOND, UTC)

export function timeAt(ns: bigint, zone: Zone): Time {
  const time: Time = {
    type: TIME,
    ns,
    zone,
    text: () => formatTime(fieldsOf(time), '2006-01-02 15:04:05.999999999 -0700 MST'),
    sameAs: (other) => (other as Time).ns === ns && (other as Time).zone.name === zone.name,
    json: () => {
      const { year } = fieldsOf(time)
      if (year < 0 || year > 9999) throw new Problem(`the year ${year} does not fit into JSON`)
      return `"${formatTime(fieldsOf(time), '2006-01-02T15:04:05.999999999Z07:00')}"`
    },
  }
  return time
}

export interface Fields {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  nanosecond: number
  /** 0 is Sunday. */
  weekday: number
  /** 1 is January 1. */
  yearDay: number
  /** Seconds east of UTC. */
  offset: number
  abbreviation: string
}

/** Seconds since the epoch, rounded down. */
export function secondsOf(ns: bigint): number {
  return Number((ns - mod(ns, NS_PER_SECOND)) / NS_PER_SECOND)
}

export function mod(a: bigint, b: bigint): bigint {
  const r = a % b
  return r < 0n ? r + b : r
}

/** What a clock and a calendar in the zone show. */
export function fieldsOf({ ns, zone }: Time): Fields {
  const seconds = secondsOf(ns)
  const { offset, abbreviation } = zone.at(seconds)
  const local = seconds + offset
  const days = Math.floor(local / 86_400)
  const ofDay = local - days * 86_400
  const { year, month, day } = civilFromDays(days)
  return {
    year,
    month,
    day,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
    nanosecond: Number(mod(ns, NS_PER_SECOND)),
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysFromCivil(year, 1, 1) + 1,
    offset,
    abbreviation,
  }
}

/** `time.Date`: the moment at which a clock in `zone` shows this; what is out of range carries over. */
export function timeOf(
  [year, month, day, hour, minute, second]: readonly [number, number, number, number, number, number],
  nanosecond: bigint,
  zone: Zone,
): Time {
  const carried = year + Math.floor((month - 1) / 12)
  const days = daysFromCivil(carried, ((((month - 1) % 12) + 12) % 12) + 1, 1) + day - 1
  const local = days * 86_400 + hour * 3600 + minute * 60 + second
  if (!Number.isSafeInteger(local)) throw new Problem('the time is out of range')
  // As Go does: take the offset of the reading as if it were UTC, then that of the moment found so.
  const { offset } = zone.at(local - zone.at(local).offset)
  const moment = local - offset
  return timeAt(BigInt(moment) * NS_PER_SECOND + nanosecond, zone)
}
