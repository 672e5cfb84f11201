import { parseDurationNs } from '../../core/duration.ts'
import { messageOf } from '../../core/errors.ts'
import { Problem } from '../problem.ts'

/** `time.ParseDuration`: nanoseconds. @throws Problem */
export function parseDuration(text: string): bigint {
  try {
    return parseDurationNs(text)
  } catch (error) {
    throw new Problem(messageOf(error))
  }
}

/** How Go prints a duration: `1h0m0.5s`, `1.5ms`, `0s`. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return '0s'
  const sign = ns < 0n ? '-' : ''
  const positive = ns < 0n ? -ns : ns
  if (positive < 1_000n) return `${sign}${positive}ns`
  if (positive < 1_000_000n) return `${sign}${decimal(positive, 3)}µs`
  if (positive < 1_000_000_000n) return `${sign}${decimal(positive, 6)}ms`
  const minutes = positive / 60_000_000_000n
  const seconds = `${decimal(positive % 60_000_000_000n, 9)}s`
  if (minutes === 0n) return sign + seconds
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

/** `value / 10^places` without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const digits = String(value).padStart(places + 1, '0')
  const fraction = digits.slice(-places).replace(/0+$/, '')
  return digits.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`)
}
