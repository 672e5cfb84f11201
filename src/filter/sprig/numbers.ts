import { parseInteger } from '../builtins-numbers.ts'
import { formatValue } from '../format.ts'
import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { INTS } from '../types.ts'
import { GoSlice, type Value } from '../values.ts'
import { castFloat, castInt } from './casts.ts'
import { define, type Functions, int64 } from './define.ts'

/** A decimal number: `coefficient × 10^exponent`. */
interface Decimal {
  coefficient: bigint
  exponent: number
}

function decimal(value: number): Decimal {
  if (!Number.isFinite(value)) throw new Problem('NaN and infinity cannot be a decimal')
  const [, sign, whole, fraction = '', power = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(
    String(value),
  ) as unknown as string[]
  const exponent = Number(power) - fraction.length
  return { coefficient: BigInt(`${sign}${whole}${fraction}`), exponent }
}

const scaled = (d: Decimal, exponent: number): bigint => d.coefficient * 10n ** BigInt(d.exponent - exponent)

function sum(a: Decimal, b: Decimal, sign: bigint): Decimal {
  const exponent = Math.min(a.exponent, b.exponent)
  return { coefficient: scaled(a, exponent) + sign * scaled(b, exponent), exponent }
}

function quotient(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) throw new Problem('decimal division by 0')
  const shift = a.exponent - b.exponent + 16
  const [top, bottom] =
    shift >= 0
      ? [a.coefficient * 10n ** BigInt(shift), b.coefficient]
      : [a.coefficient, b.coefficient * 10n ** BigInt(-shift)]
  const whole = top / bottom
  const rest = top % bottom
  const twice = (rest < 0n ? -rest : rest) * 2n
  const up = twice >= (bottom < 0n ? -bottom : bottom)
  const away = top < 0n !== bottom < 0n ? -1n : 1n
  return { coefficient: up ? whole + away : whole, exponent: -16 }
}

/** Exact decimal arithmetic from left to right, as sprig's float functions do it. */
function decimals(first: Value, rest: Value[], step: (a: Decimal, b: Decimal) => Decimal, meter: Meter): number {
  meter.spend(20 + rest.length * (20 + rest.length))
  const result = rest.reduce<Decimal>((a, b) => step(a, decimal(castFloat(b))), decimal(castFloat(first)))
  return Number(`${result.coefficient}e${result.exponent}`)
}

const plus = (a: Decimal, b: Decimal) => sum(a, b, 1n)
const minus = (a: Decimal, b: Decimal) => sum(a, b, -1n)
const times = (a: Decimal, b: Decimal) => ({
  coefficient: a.coefficient * b.coefficient,
  exponent: a.exponent + b.exponent,
})

function steps(start: bigint, stop: bigint, step: bigint, meter: Meter): bigint[] {
  if (stop < start ? step >= 0n : step <= 0n) return []
  const distance = stop < start ? start - stop : stop - start
  const stride = step < 0n ? -step : step
  const count = Number((distance + stride - 1n) / stride)
  meter.elements(count)
  return Array.from({ length: count }, (_, i) => start + BigInt(i) * step)
}

const ints = (items: bigint[]): GoSlice => new GoSlice(INTS, items)

function sequence(params: bigint[], meter: Meter): string {
  const [a = 0n, b = 0n, c = 0n] = params
  const list = (start: bigint, end: bigint, step: bigint) => {
    const by = end < start ? -1n : 1n
    return steps(start, end + by, step, meter).join(' ')
  }
  switch (params.length) {
    case 1:
      return list(1n, a, a < 1n ? -1n : 1n)
    case 2:
      return list(a, b, b < a ? -1n : 1n)
    case 3:
      return c < a && b > 0n ? '' : list(a, c, b)
    default:
      return ''
  }
}

function round(value: Value, places: bigint, on = 0.5): number {
  const power = 10 ** Number(places)
  const digit = power * castFloat(value)
  const fraction = digit - Math.trunc(digit)
  return (fraction >= on ? Math.ceil(digit) : Math.floor(digit)) / power
}

function integerDivision(a: Value, b: Value, divide: (x: bigint, y: bigint) => bigint) {
  const divisor = castInt(b)
  if (divisor === 0n) throw new Problem('integer divide by zero')
  return int64(divide(castInt(a), divisor))
}

/** `strconv.Atoi` without its error: no number is 0, too big a number the biggest. */
function atoi(text: string): bigint {
  const value = parseInteger(text)
  if (value !== undefined) return value
  if (!/^[+-]?\d+$/.test(text)) return 0n
  return text.startsWith('-') ? -(2n ** 63n) : 2n ** 63n - 1n
}

const biggest = define('aa*:I', ([a, ...rest]) =>
  int64(rest.reduce((best: bigint, x: Value) => (castInt(x) > best ? castInt(x) : best), castInt(a))),
)

export const numbers: Functions = {
  atoi: define('s:i', ([text]) => atoi(text)),
  int64: define('a:I', ([x]) => int64(castInt(x))),
  int: define('a:i', ([x]) => castInt(x)),
  float64: define('a:f', ([x]) => castFloat(x)),
  seq: define('i*:s', (params, meter) => sequence(params, meter)),
  toDecimal: define('a:I', ([x], meter) => {
    const text = formatValue(x, meter)
    if (!/^[+-]?[0-7]+$/.test(text) || text.length > 30) return int64(0n)
    const value = BigInt(`0o${text.replace(/^[+-]/, '')}`)
    const signed = text.startsWith('-') ? -value : value
    return int64(signed === BigInt.asIntN(64, signed) ? signed : 0n)
  }),
  until: define('i:N', ([count], meter) => ints(steps(0n, count, count < 0n ? -1n : 1n, meter))),
  untilStep: define('iii:N', ([start, stop, step], meter) => ints(steps(start, stop, step, meter))),
  add1: define('a:I', ([x]) => int64(castInt(x) + 1n)),
  add: define('a*:I', (args) => int64(args.reduce((total: bigint, x: Value) => total + castInt(x), 0n))),
  sub: define('aa:I', ([a, b]) => int64(castInt(a) - castInt(b))),
  div: define('aa:I', ([a, b]) => integerDivision(a, b, (x, y) => x / y)),
  mod: define('aa:I', ([a, b]) => integerDivision(a, b, (x, y) => x % y)),
  mul: define('aa*:I', ([a, ...rest]) =>
    int64(rest.reduce((total: bigint, x: Value) => BigInt.asIntN(64, total * castInt(x)), castInt(a))),
  ),
  add1f: define('a:f', ([x], meter) => decimals(x, [1n], plus, meter)),
  addf: define('a*:f', (args, meter) => decimals(0, args, plus, meter)),
  subf: define('aa*:f', ([a, ...rest], meter) => decimals(a, rest, minus, meter)),
  divf: define('aa*:f', ([a, ...rest], meter) => decimals(a, rest, quotient, meter)),
  mulf: define('aa*:f', ([a, ...rest], meter) => decimals(a, rest, times, meter)),
  biggest,
  max: biggest,
  min: define('aa*:I', ([a, ...rest]) =>
    int64(rest.reduce((best: bigint, x: Value) => (castInt(x) < best ? castInt(x) : best), castInt(a))),
  ),
  maxf: define('aa*:f', (args) => Math.max(...args.map(castFloat))),
  minf: define('aa*:f', (args) => Math.min(...args.map(castFloat))),
  ceil: define('a:f', ([x]) => Math.ceil(castFloat(x))),
  floor: define('a:f', ([x]) => Math.floor(castFloat(x))),
  round: define('aif*:f', ([x, places, on]) => round(x, places, on)),
}
