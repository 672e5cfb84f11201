import type { BuiltinFunction } from './builtins.ts'
import { compare, integerIn, isSigned, lengthOf } from './operators.ts'
import { Problem } from './problem.ts'
import { fromBytes } from './text.ts'
import { ANY, FLOAT, funcOf, INT, isAny, isArray, isNumeric, isString, STRING, type StaticType } from './types.ts'
import { GoInt, GoSlice, numberIn, toInt, typeName, typeOf, type Value } from './values.ts'

/** A validation for one argument that must be any or fit. */
function one(
  fits: (type: StaticType) => boolean,
  result: (type: StaticType) => StaticType,
): BuiltinFunction['validate'] {
  return (args) => {
    if (args.length !== 1) throw new Problem(`takes 1 argument, not ${args.length}`)
    const type = args[0] as StaticType
    if (!isAny(type) && !fits(type)) throw new Problem(`cannot take ${type?.name ?? 'nil'}`)
    return result(type)
  }
}

/** A plain number, or Go's panic. */
function plain(name: string, value: Value): number | bigint {
  const number = numberIn(value)
  if (number === undefined) throw new Problem(`invalid argument for ${name} (type ${typeName(value)})`)
  return number
}

const rounding = (name: string, round: (x: number) => number): BuiltinFunction => ({
  direct: true,
  takes: [1, 1],
  validate: one(isNumeric, () => FLOAT),
  call: ([x]) => round(Number(plain(name, x as Value))),
})

/** Go's `strconv.Atoi`. */
export function parseInteger(text: string): bigint | undefined {
  if (!/^[+-]?\d+$/.test(text) || text.length > 1000) return undefined
  const value = BigInt(text.replace(/^\+/, ''))
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined
}

/** Go's `strconv.ParseFloat`: decimal, hexadecimal with `p`, underscores not allowed, `inf`, `nan`. */
export function parseFloat64(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    const value = Number(text)
    return Number.isFinite(value) ? value : undefined
  }
  const word = /^([+-]?)(inf|infinity)$/i.exec(text)
  if (word !== null) return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (/^nan$/i.test(text)) return Number.NaN
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]{0,12})\.?([0-9a-fA-F]{0,12})[pP]([+-]?\d{1,4})$/.exec(text)
  if (hex === null || (hex[2] === '' && hex[3] === '')) return undefined
  const mantissa = Number.parseInt(`${hex[2]}${hex[3]}`, 16)
  const value = mantissa * 2 ** (Number(hex[4]) - 4 * (hex[3] as string).length)
  return Number.isFinite(value) ? (hex[1] === '-' ? -value : value) : undefined
}

/** `int(x)`: a number cut to whole, or a decimal integer in a string. @throws Problem */
export function asInt(x: Value): Value {
  if (typeof x === 'string') {
    const value = parseInteger(x)
    if (value === undefined) throw new Problem(`invalid operation: int(${JSON.stringify(fromBytes(x))})`)
    return value
  }
  return toInt(x)
}

/** `float(x)`: a number, or one in a string. @throws Problem */
export function asFloat(x: Value): Value {
  if (typeof x === 'string') {
    const value = parseFloat64(x)
    if (value === undefined) throw new Problem(`invalid operation: float(${JSON.stringify(fromBytes(x))})`)
    return value
  }
  return Number(plain('float', x))
}

const extreme = (name: string, sign: -1 | 1): BuiltinFunction => ({
  takes: [1, Number.POSITIVE_INFINITY],
  validate: (args) => {
    if (args.length === 0) throw new Problem('takes at least 1 argument')
    for (const type of args) {
      if (isAny(type)) return ANY
      if (!isNumeric(type)) throw new Problem(`cannot take ${type?.name ?? 'nil'}`)
    }
    return args[0] as StaticType
  },
  call: (args, meter) => {
    meter.spend(args.length)
    let best: Value = null
    for (const arg of args) if (best === null || compare(arg, best, name) === sign) best = arg
    return best
  },
})

/** The elements of an array as floats and whether all are integers. */
function numbersOf(name: string, list: Value): { values: (bigint | number)[]; whole: boolean } {
  if (!(list instanceof GoSlice)) throw new Problem(`cannot ${name} ${typeName(list)}`)
  let whole = true
  const values = list.items.map((item) => {
    if (isSigned(item)) return integerIn(item)
    if (typeof item !== 'number') throw new Problem(`cannot ${name} ${typeName(item)}`)
    whole = false
    return item
  })
  return { values, whole }
}

const arrayToFloat = (name: string, work: (values: number[]) => number): BuiltinFunction => ({
  takes: [1, 1],
  validate: one(isArray, () => FLOAT),
  call: ([list], meter) => {
    const { values } = numbersOf(name, list as Value)
    meter.spend(values.length * 2)
    return values.length === 0 ? 0 : work(values.map(Number))
  },
})

/** The sum of a slice: an int until the first float, as upstream. */
function sum(values: (bigint | number)[]): Value {
  let whole = 0n
  for (const [i, value] of values.entries()) {
    if (typeof value === 'bigint') {
      whole = BigInt.asIntN(64, whole + value)
      continue
    }
    let float = Number(whole)
    for (const rest of values.slice(i)) float += Number(rest)
    return float
  }
  return whole
}

export const numbers: Readonly<Record<string, BuiltinFunction>> = {
  len: {
    direct: true,
    takes: [1, 1],
    validate: one(
      (type) => isArray(type) || isString(type) || type?.kind === 'map',
      () => INT,
    ),
    call: ([x]) => BigInt(lengthOf(x as Value)),
  },
  type: { direct: true, overloads: [funcOf([ANY], STRING)], call: ([x]) => typeWord(x as Value) },
  abs: {
    direct: true,
    takes: [1, 1],
    validate: one(isNumeric, (type) => type),
    call: ([x]) => {
      const number = plain('abs', x as Value)
      if (typeof x === 'number') return x < 0 ? -x : x
      if (typeof x === 'bigint') return BigInt.asIntN(64, x < 0n ? -x : x)
      const { type } = x as GoInt
      return new GoInt(type, number < 0 ? -(number as bigint) : (number as bigint))
    },
  },
  ceil: rounding('ceil', Math.ceil),
  floor: rounding('floor', Math.floor),
  round: rounding('round', goRound),
  int: {
    direct: true,
    takes: [1, 1],
    validate: one(
      (type) => isNumeric(type) || isString(type),
      () => INT,
    ),
    call: ([x]) => asInt(x as Value),
  },
  float: {
    direct: true,
    takes: [1, 1],
    validate: one(
      (type) => isNumeric(type) || isString(type),
      () => FLOAT,
    ),
    call: ([x]) => asFloat(x as Value),
  },
  max: extreme('>', 1),
  min: extreme('<', -1),
  sum: {
    takes: [1, 1],
    validate: one(isArray, () => ANY),
    call: ([list], meter) => {
      const { values } = numbersOf('sum', list as Value)
      meter.spend(values.length)
      return sum(values)
    },
  },
  mean: arrayToFloat('mean', (values) => values.reduce((a, b) => a + b, 0) / values.length),
  median: arrayToFloat('median', (values) => {
    const sorted = values.toSorted((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b))
    const middle = sorted.length >> 1
    const upper = sorted[middle] as number
    return sorted.length % 2 === 0 ? ((sorted[middle - 1] as number) + upper) / 2 : upper
  }),
}

/** Halves away from zero. */
export function goRound(x: number): number {
  const whole = Math.trunc(x)
  return Math.abs(x - whole) >= 0.5 ? whole + Math.sign(x) : whole
}

/** What `type(x)` says. */
function typeWord(value: Value): string {
  const type = typeOf(value)
  if (type === null) return 'nil'
  const name = type.name.replace('*', '')
  if (type.named) return name === 'semver.Version' ? 'github.com/Masterminds/semver/v3.Version' : name
  switch (type.kind) {
    case 'int':
    case 'int64':
      return 'int'
    case 'uint8':
    case 'uint64':
      return 'uint'
    case 'float64':
      return 'float'
    case 'slice':
    case 'array':
      return 'array'
    default:
      return type.kind
  }
}
