/** Go's default text of a time (`time.Time.String` without its monotonic part), as upstream puts times into payloads. */

const ZERO_TIME = '0001-01-01 00:00:00 +0000 UTC'
/** The first second that has no year of four digits. */
const YEAR_10000 = 253_402_300_800

/**
 * In UTC, the fraction without trailing zeros.
 * @param seconds since the epoch, whole; what is no time gives Go's zero time
 */
export function goTime(seconds: number, nanos = 0): string {
  if (!(seconds >= 0 && seconds < YEAR_10000)) return ZERO_TIME
  const iso = new Date(seconds * 1000).toISOString()
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction} +0000 UTC`
}
