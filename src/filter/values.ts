import type { Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { ANYS, type Kind, STRINGS, type Type, typeOfPlain } from './types.ts'

/**
 * A Go value: nil is `null`, a string is a byte string (text.ts), a float64 is a `number`, an int is a `bigint`; the
 * rest are objects that carry their type.
 */
export type Value = null | boolean | string | number | bigint | GoInt | GoSlice | GoMap | GoFunc | Opaque

/** An integer of another type than `int`: `int64`, `uint8`, `time.Duration`, `time.Month`… */
export class GoInt {
  readonly type: Type
  readonly value: bigint
  constructor(type: Type, value: bigint) {
    this.type = type
    this.value = type.kind === 'uint8' || type.kind === 'uint64' ? value : BigInt.asIntN(64, value)
  }
}

/** A slice or array. Items may be made on first use, so that a big payload costs only what an expression looks at. */
export class GoSlice {
  readonly type: Type
  /** True for a nil slice, which equals nil but not an empty slice. */
  readonly isNil: boolean
  #items: readonly Value[] | (() => readonly Value[])

  /** Set for a range of integers, whose items need not be made to be counted or walked over. */
  readonly range: { first: bigint; count: number } | undefined

  constructor(
    type: Type,
    items: readonly Value[] | (() => readonly Value[]),
    { isNil = false, range }: { isNil?: boolean; range?: { first: bigint; count: number } } = {},
  ) {
    this.type = type
    this.#items = items
    this.isNil = isNil
    this.range = range
  }

  get length(): number {
    return this.range?.count ?? this.items.length
  }

  get items(): readonly Value[] {
    if (typeof this.#items === 'function') this.#items = this.#items()
    return this.#items
  }
}

/** A map. Keyed by the text of the key, see {@link keyText}; `original` keeps keys that are not strings. */
export class GoMap {
  readonly type: Type
  readonly isNil: boolean
  #entries: Map<string, Value> | (() => Map<string, Value>)
  readonly #original: Map<string, Value> | undefined

  constructor(type: Type, entries: Map<string, Value> | (() => Map<string, Value>) = new Map(), isNil = false) {
    this.type = type
    this.#entries = entries
    this.isNil = isNil
    this.#original = type.key?.kind === 'string' ? undefined : new Map()
  }

  get entries(): Map<string, Value> {
    if (typeof this.#entries === 'function') this.#entries = this.#entries()
    return this.#entries
  }

  get size(): number {
    return this.entries.size
  }

  /** The keys as values. */
  keys(): Value[] {
    return this.#original === undefined ? [...this.entries.keys()] : [...this.#original.values()]
  }

  /** The element under `key`, `undefined` when there is none. @throws Problem when the map's keys are of another type */
  get(key: Value): Value | undefined {
    return this.entries.get(this.#text(key))
  }

  set(key: Value, value: Value): void {
    const text = this.#text(key)
    this.entries.set(text, value)
    this.#original?.set(text, key)
  }

  #text(key: Value): string {
    const wanted = this.type.key as Type
    if (key === null) return wanted.kind === 'string' ? '' : wanted.kind === 'int' ? keyText(0n) : keyText(null)
    const type = typeOf(key) as Type
    if (wanted.kind !== 'interface' && wanted.name !== type.name)
      throw new Problem(`cannot use ${type.name} as a key of ${this.type.name}`)
    return wanted.kind === 'string' ? (key as string) : keyText(key)
  }
}

/** A text that two keys share exactly when Go holds them equal. @throws Problem for what cannot be a key */
function keyText(key: Value): string {
  if (key instanceof GoSlice && key.type.kind === 'array') return `[${key.items.map(keyText).join(' ')}]`
  if (key instanceof GoSlice || key instanceof GoMap || key instanceof GoFunc)
    throw new Problem(`hash of unhashable type ${key.type.name}`)
  if (key !== null && typeof key === 'object')
    return `${key.type.name}:${key instanceof GoInt ? key.value : key.text()}`
  return `${typeName(key)}:${Object.is(key, -0) ? 0 : key}`
}

/** A function; `call` gets arguments that were checked against `type`. */
export class GoFunc {
  readonly type: Type
  readonly call: (args: Value[], meter: Meter) => Value
  constructor(type: Type, call: (args: Value[], meter: Meter) => Value) {
    this.type = type
    this.call = call
  }
}

/** A struct or pointer whose inside expressions cannot see: a time, a version. */
export interface Opaque {
  readonly type: Type
  /** `%v`, as text (not bytes). */
  text(): string
  /** `reflect.DeepEqual` with a value of the same type. */
  sameAs(other: Opaque): boolean
  /** How JSON shows it. @throws Problem when it cannot */
  json(): string
}

/** The type of a value, `null` for nil. */
export function typeOf(value: Value): Type | null {
  return value !== null && typeof value === 'object' ? value.type : typeOfPlain(value)
}

/** Go's `%T`. */
export function typeName(value: Value): string {
  return typeOf(value)?.name ?? '<nil>'
}

/** Go's kind of a value, `invalid` for nil. */
export function kindOf(value: Value): Kind | 'invalid' {
  return typeOf(value)?.kind ?? 'invalid'
}

/** True for nil and for nil slices and maps. */
export function isNil(value: Value): boolean {
  return value === null || ((value instanceof GoSlice || value instanceof GoMap) && value.isNil)
}

export const anys = (items: readonly Value[]): GoSlice => new GoSlice(ANYS, items)
export const strings = (items: readonly string[]): GoSlice => new GoSlice(STRINGS, items)

/** What a map gives for a missing key, a slice for its zero element. */
export function zeroOf(type: Type): Value {
  switch (type.kind) {
    case 'string':
      return ''
    case 'bool':
      return false
    case 'int':
      return 0n
    case 'float64':
      return 0
    case 'slice':
      return new GoSlice(type, [], { isNil: true })
    case 'map':
      return new GoMap(type, new Map(), true)
    case 'int64':
    case 'uint8':
    case 'uint64':
      return new GoInt(type, 0n)
    default:
      return null
  }
}

/** The number in a value of a plain (unnamed) number type: `bigint` for integers, `number` for floats. */
export function numberIn(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (value instanceof GoInt && !value.type.named) return value.value
  return undefined
}

/** Go's conversion of a number to `int` (out of range: the smallest int, as amd64 does). @throws Problem */
export function toInt(value: Value): bigint {
  const number = numberIn(value)
  if (number === undefined) throw new Problem(`invalid operation: int(${typeName(value)})`)
  return typeof number === 'bigint' ? BigInt.asIntN(64, number) : floatToInt(number)
}

export function floatToInt(number: number): bigint {
  const whole = Math.trunc(number)
  return whole >= -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : -(2n ** 63n)
}

/** An index or count as a JavaScript number (exact below 2^53, else clamped). */
export function toIndex(value: Value): number {
  return Number(toInt(value))
}

/** The string in a value. @throws Problem, Go's failed type assertion */
export function toText(value: Value): string {
  if (typeof value !== 'string') throw new Problem(`expected a string, got ${typeName(value)}`)
  return value
}

/** The bool in a value. @throws Problem, Go's failed type assertion */
export function toBool(value: Value): boolean {
  if (typeof value !== 'boolean') throw new Problem(`expected a bool, got ${typeName(value)}`)
  return value
}
