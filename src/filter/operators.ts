import { limits, type Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { timeSub } from './time/methods.ts'
import { isTime, timeAt } from './time/time.ts'
import { DURATION } from './time/types.ts'
import { GoFunc, GoInt, GoMap, GoSlice, isNil, kindOf, numberIn, type Opaque, typeName, type Value } from './values.ts'

const isDuration = (value: Value): value is GoInt => value instanceof GoInt && value.type === DURATION

function mismatch(operator: string, a: Value, b: Value): Problem {
  return new Problem(`invalid operation: ${typeName(a)} ${operator} ${typeName(b)}`)
}

/** Integers wrap at 64 bits. */
const wrap = (value: bigint): bigint => BigInt.asIntN(64, value)

/** Arithmetic on two plain numbers: on ints if both are, else on floats. `undefined` when they are not numbers. */
function arithmetic(
  a: Value,
  b: Value,
  ints: (x: bigint, y: bigint) => bigint,
  floats: (x: number, y: number) => number,
): Value | undefined {
  const x = numberIn(a)
  const y = numberIn(b)
  if (x === undefined || y === undefined) return undefined
  return typeof x === 'bigint' && typeof y === 'bigint' ? wrap(ints(wrap(x), wrap(y))) : floats(Number(x), Number(y))
}

export function add(a: Value, b: Value, meter: Meter): Value {
  const sum = arithmetic(
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  )
  if (sum !== undefined) return sum
  if (typeof a === 'string' && typeof b === 'string') {
    meter.text(a.length + b.length)
    return a + b
  }
  if (isTime(a) && isDuration(b)) return timeAt(a.ns + b.value, a.zone)
  if (isDuration(a) && isTime(b)) return timeAt(b.ns + a.value, b.zone)
  if (isDuration(a) && isDuration(b)) return new GoInt(DURATION, a.value + b.value)
  throw mismatch('+', a, b)
}

export function subtract(a: Value, b: Value): Value {
  const difference = arithmetic(
    a,
    b,
    (x, y) => x - y,
    (x, y) => x - y,
  )
  if (difference !== undefined) return difference
  if (isTime(a) && isTime(b)) return timeSub(a, b)
  if (isTime(a) && isDuration(b)) return timeAt(a.ns - b.value, a.zone)
  if (isDuration(a) && isDuration(b)) return new GoInt(DURATION, a.value - b.value)
  throw mismatch('-', a, b)
}

export function multiply(a: Value, b: Value): Value {
  const lengthens = isDuration(a) || isDuration(b)
  const [x, y] = [isDuration(a) ? a.value : numberIn(a), isDuration(b) ? b.value : numberIn(b)]
  if (x === undefined || y === undefined) throw mismatch('*', a, b)
  if (typeof x === 'bigint' && typeof y === 'bigint') return lengthens ? new GoInt(DURATION, x * y) : wrap(x * y)
  return Number(x) * Number(y)
}

export function divide(a: Value, b: Value): number {
  const x = numberIn(a)
  const y = numberIn(b)
  if (x === undefined || y === undefined) throw mismatch('/', a, b)
  return Number(x) / Number(y)
}

export function modulo(a: Value, b: Value): Value {
  const x = numberIn(a)
  const y = numberIn(b)
  if (typeof x !== 'bigint' || typeof y !== 'bigint') throw mismatch('%', a, b)
  if (y === 0n) throw new Problem('integer divide by zero')
  return wrap(x) % wrap(y)
}

export function power(a: Value, b: Value): number {
  const x = numberIn(a)
  const y = numberIn(b)
  if (x === undefined || y === undefined) throw mismatch('**', a, b)
  return goPow(Number(x), Number(y))
}

/** Go's `math.Pow`: unlike JavaScript's, 1 to any power is 1, and -1 to ±infinity too. */
export function goPow(x: number, y: number): number {
  if (x === 1) return 1
  if (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) return 1
  return x ** y
}

export function negate(a: Value): Value {
  if (typeof a === 'number') return -a
  if (typeof a === 'bigint') return wrap(-a)
  if (a instanceof GoInt && !a.type.named) {
    const bits = a.type.kind === 'uint8' ? 8 : 64
    return new GoInt(a.type, a.type.kind.startsWith('u') ? BigInt.asUintN(bits, -a.value) : -a.value)
  }
  throw new Problem(`invalid operation: -${typeName(a)}`)
}

/** -1, 0, 1; `undefined` when a number is NaN. @throws Problem when the two have no order */
export function compare(a: Value, b: Value, operator: string): number | undefined {
  const x = orderable(a)
  const y = orderable(b)
  if (x === undefined || y === undefined || x.of !== y.of) throw mismatch(operator, a, b)
  const [l, r] = [x.by, y.by]
  return l < r ? -1 : l > r ? 1 : Number.isNaN(l) || Number.isNaN(r) ? undefined : 0
}

function orderable(value: Value): { of: string; by: number | bigint | string } | undefined {
  const number = numberIn(value)
  if (number !== undefined) return { of: 'number', by: typeof number === 'bigint' ? wrap(number) : number }
  if (typeof value === 'string') return { of: 'string', by: value }
  if (isTime(value)) return { of: 'time', by: value.ns }
  return isDuration(value) ? { of: 'duration', by: value.value } : undefined
}

/** `==`: numbers by value, whatever their types; nil and nil slices alike; everything else as `reflect.DeepEqual`. */
export function equal(a: Value, b: Value, meter: Meter): boolean {
  const x = numberIn(a)
  const y = numberIn(b)
  if (x !== undefined && y !== undefined) {
    if (typeof x === 'bigint' && typeof y === 'bigint') return wrap(x) === wrap(y)
    return Number(x) === Number(y)
  }
  if (isTime(a) && isTime(b)) return a.ns === b.ns
  if (isNil(a) && isNil(b)) return true
  return deepEqual(a, b, meter)
}

/** `reflect.DeepEqual`: also the types must be the same, inside too. */
export function deepEqual(a: Value, b: Value, meter: Meter, depth = 0): boolean {
  meter.spend(2)
  if (depth > limits.dataDepth) throw new Problem(`the data is nested deeper than ${limits.dataDepth}`)
  if (a === null || typeof a !== 'object' || b === null || typeof b !== 'object') {
    if (typeof a === 'string') meter.scan(a.length)
    return a === b
  }
  if (a.type.name !== b.type.name) return false
  if (a instanceof GoInt) return a.value === (b as GoInt).value
  if (a instanceof GoFunc) return false
  if (a instanceof GoSlice) {
    const other = b as GoSlice
    if (a === other) return true
    if (a.isNil !== other.isNil || a.items.length !== other.items.length) return false
    return a.items.every((item, i) => deepEqual(item, other.items[i] as Value, meter, depth + 1))
  }
  if (a instanceof GoMap) {
    const other = b as GoMap
    if (a === other) return true
    if (a.isNil !== other.isNil || a.size !== other.size) return false
    for (const [key, value] of a.entries) {
      const theirs = other.entries.get(key)
      if (theirs === undefined || !deepEqual(value, theirs, meter, depth + 1)) return false
    }
    return true
  }
  return (a as Opaque).sameAs(b as Opaque)
}

/** `needle in haystack`. @throws Problem for what nothing can be in, and for a key of another type than the map's */
export function within(needle: Value, haystack: Value, meter: Meter): boolean {
  if (haystack === null) return false
  if (haystack instanceof GoMap) return haystack.get(needle) !== undefined
  if (haystack instanceof GoSlice) {
    return haystack.items.some((item) => {
      meter.spend(1)
      return equal(item, needle, meter)
    })
  }
  // A struct: upstream asks whether it has such a field, and none has one that could be meant.
  if (typeof needle === 'string' && ['struct', 'ptr'].includes(kindOf(haystack))) return false
  throw new Problem(`operator "in" not defined on ${typeName(haystack)}`)
}

/** Length of a string (bytes), array or map. @throws Problem */
export function lengthOf(value: Value): number {
  if (typeof value === 'string') return value.length
  if (value instanceof GoSlice) return value.length
  if (value instanceof GoMap) return value.size
  throw new Problem(`invalid argument for len (type ${typeName(value)})`)
}

/** True for Go's signed integers, named ones too. */
export function isSigned(value: Value): value is bigint | GoInt {
  const kind = kindOf(value)
  return kind === 'int' || kind === 'int64'
}

/** The integer in any integer value. */
export function integerIn(value: bigint | GoInt): bigint {
  return typeof value === 'bigint' ? value : value.value
}
