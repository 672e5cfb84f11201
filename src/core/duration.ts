import { fail } from './errors.ts'

const UNIT_NS: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const MAX_NS = 2n ** 63n - 1n

/**
 * Parses a Go duration (`time.ParseDuration`): `[-+]?([0-9]*(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+`, or `0`.
 * @returns nanoseconds
 * @throws SPEC_INVALID with Go's wording, which upstream's users know
 */
export function parseDurationNs(text: string): bigint {
  const invalid = (why: string) => fail('SPEC_INVALID', `time: ${why} duration ${JSON.stringify(text)}`, { text })
  let rest = text
  let negative = false
  if (rest[0] === '-' || rest[0] === '+') {
    negative = rest[0] === '-'
    rest = rest.slice(1)
  }
  if (rest === '0') return 0n
  if (rest === '') throw invalid('invalid')
  let total = 0n
  while (rest !== '') {
    const number = /^([0-9]*)(\.([0-9]*))?/.exec(rest)
    const whole = number?.[1] ?? ''
    const fraction = (number?.[3] ?? '').slice(0, 18)
    if (whole === '' && fraction === '') throw invalid('invalid')
    rest = rest.slice(number?.[0].length ?? 0)
    const unit = /^[^0-9.]+/.exec(rest)?.[0]
    if (unit === undefined) throw invalid('missing unit in')
    const ns = UNIT_NS[unit]
    if (ns === undefined) {
      throw fail('SPEC_INVALID', `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`, {
        text,
      })
    }
    rest = rest.slice(unit.length)
    if (whole.length > 19) throw invalid('invalid')
    total += BigInt(whole || '0') * ns
    if (fraction !== '') total += (BigInt(fraction) * ns) / 10n ** BigInt(fraction.length)
    if (total > MAX_NS) throw invalid('invalid')
  }
  return negative ? -total : total
}

/** Like {@link parseDurationNs}, in (possibly fractional) milliseconds. */
export function parseDurationMs(text: string): number {
  return Number(parseDurationNs(text)) / 1e6
}

/** Milliseconds as people read them: `350ms`, `1.2s`, `4m5s`, `3h`. */
export function formatMs(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)}µs`
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))}s`
  const seconds = Math.round(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  return `${h ? `${h}h` : ''}${m ? `${m}m` : ''}${s ? `${s}s` : ''}`
}
