/** Go's `time.Time.String()`: the form of `eventTime` in upstream's payload. */
import type { Zone } from './zone.ts'

/**
 * `2026-11-22 15:18:15.000009083 +0000 UTC`, without trailing zeros in the fraction; with `monotonicMs` (since the process
 * started) ` m=+1.050126185` after it.
 */
export function goTimeString(ms: number, zone: Zone, monotonicMs?: number): string {
  const second = Math.floor(ms / 1000)
  const nanos = Math.min(Math.round((ms - second * 1000) * 1e6), 999_999_999)
  const offset = zone.offsetAt(second)
  const [date, time] = new Date((second + offset) * 1000).toISOString().slice(0, 19).split('T')
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`
  const suffix = monotonicMs === undefined ? '' : ` m=${monotonicMs < 0 ? '-' : '+'}${seconds(monotonicMs)}`
  return `${date} ${time}${fraction} ${offsetText(offset)} ${zone.abbreviationAt(second)}${suffix}`
}

const GO_TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) ([+-]\d\d)(\d\d) /

/** Milliseconds since the epoch of what {@link goTimeString} and Go write; null for anything else. */
export function goTimeMs(text: string): number | null {
  const [, date, time, hours, minutes] = GO_TIME.exec(text) ?? []
  const ms = Date.parse(`${date}T${time}${hours}:${minutes}`)
  return Number.isNaN(ms) ? null : ms
}

function seconds(ms: number): string {
  const nanos = Math.round(Math.abs(ms) * 1e6)
  return `${Math.floor(nanos / 1e9)}.${String(nanos % 1e9).padStart(9, '0')}`
}

function offsetText(offset: number): string {
  const minutes = Math.floor(Math.abs(offset) / 60)
  const [h, m] = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'))
  return `${offset < 0 ? '-' : '+'}${h}${m}`
}
