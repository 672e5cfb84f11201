import { parseFloat64 } from '../builtins-numbers.ts'
import { MONTH, WEEKDAY } from '../time/types.ts'
import { floatToInt, GoInt, numberIn, type Value } from '../values.ts'

const MOST = 2n ** 63n - 1n

/** sprig's forgiving conversion to an integer: strings are read (also `0x1f`, `017`), what has no number is 0. */
export function castInt(value: Value): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'string')
    return parseAnyBase(value.replace(/\.0*$/, (zeros) => (zeros.length > 1 ? '' : zeros))) ?? 0n
  if (value instanceof GoInt && (value.type === MONTH || value.type === WEEKDAY)) return value.value
  const number = numberIn(value)
  if (number === undefined) return 0n
  return typeof number === 'bigint' ? BigInt.asIntN(64, number) : floatToInt(number)
}

/** `strconv.ParseInt(text, 0, 64)`. */
function parseAnyBase(text: string): bigint | undefined {
  const match =
    /^([+-]?)(0[xX]_?[0-9a-fA-F](?:_?[0-9a-fA-F])*|0[bB]_?[01](?:_?[01])*|0[oO]?_?[0-7](?:_?[0-7])*|0|[1-9](?:_?\d)*)$/.exec(
      text,
    )
  if (match === null || text.length > 128) return undefined
  let digits = (match[2] as string).replaceAll('_', '')
  if (/^0[0-7]+$/.test(digits)) digits = `0o${digits.slice(1)}`
  const value = BigInt(digits)
  if (match[1] === '-') return value <= MOST + 1n ? -value : undefined
  return value <= MOST ? value : undefined
}

/** sprig's forgiving conversion to a float. */
export function castFloat(value: Value): number {
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'string') return parseFloat64(value) ?? 0
  if (value instanceof GoInt && (value.type === MONTH || value.type === WEEKDAY)) return Number(value.value)
  return Number(numberIn(value) ?? 0)
}
