/**
 * Go's types, as far as expressions can meet them. Upstream checks an expression before it runs and decides by kinds at
 * run time, so both need them. Two types are the same when their names (Go's `%T`) are.
 */
export type Kind =
  | 'interface'
  | 'bool'
  | 'int'
  | 'int64'
  | 'uint8'
  | 'uint64'
  | 'float64'
  | 'string'
  | 'slice'
  | 'array'
  | 'map'
  | 'func'
  | 'struct'
  | 'ptr'

export interface Type {
  readonly kind: Kind
  /** Go's `%T`. */
  readonly name: string
  /** True for a type with a package (`time.Duration`): its values never take part in number arithmetic. */
  readonly named?: boolean
  /** What a slice, array or map holds. */
  readonly elem?: Type
  /** What a map is keyed by. */
  readonly key?: Type
  /** A function's parameters; with `variadic`, the last one is the type of each further argument. */
  readonly params?: readonly Type[]
  readonly variadic?: boolean
  readonly result?: Type
  /** How many results a function has; more than 2 cannot be called. */
  readonly results?: number
  /** The methods of a named type. */
  readonly methods?: ReadonlyMap<string, Type>
}

const plain = (kind: Kind, name: string = kind): Type => ({ kind, name })

export const ANY: Type = plain('interface', 'interface {}')
export const BOOL: Type = plain('bool')
export const INT: Type = plain('int')
export const INT64: Type = plain('int64')
export const UINT8: Type = plain('uint8')
export const UINT64: Type = plain('uint64')
export const FLOAT: Type = plain('float64')
export const STRING: Type = plain('string')
export const EMPTY_STRUCT: Type = plain('struct', 'struct {}')

export const sliceOf = (elem: Type): Type => ({ kind: 'slice', name: `[]${elem.name}`, elem })
export const mapOf = (key: Type, elem: Type): Type => ({ kind: 'map', name: `map[${key.name}]${elem.name}`, key, elem })

export const ANYS: Type = sliceOf(ANY)
export const STRINGS: Type = sliceOf(STRING)
export const INTS: Type = sliceOf(INT)
export const BYTES: Type = sliceOf(UINT8)
export const OBJECT: Type = mapOf(STRING, ANY)
export const STRING_MAP: Type = mapOf(STRING, STRING)
export const ANY_MAP: Type = mapOf(ANY, ANY)
export const GROUPS: Type = mapOf(ANY, ANYS)
/** The pair that `toPairs` makes. */
export const PAIR: Type = { kind: 'array', name: '[2]interface {}', elem: ANY }

export function funcOf(params: readonly Type[], result: Type, variadic = false, results = 1): Type {
  const names = params.map((p, i) => (variadic && i === params.length - 1 ? `...${p.name}` : p.name))
  return { kind: 'func', name: `func(${names.join(', ')}) ${result.name}`, params, result, variadic, results }
}

/** The type of a value that JavaScript has itself; `null` for nil. */
export function typeOfPlain(value: null | boolean | string | number | bigint): Type | null {
  switch (typeof value) {
    case 'string':
      return STRING
    case 'number':
      return FLOAT
    case 'bigint':
      return INT
    case 'boolean':
      return BOOL
    default:
      return null
  }
}

/** What a builtin's bare name is: `func(...any) (any, error)`. */
export const FUNCTION: Type = { ...funcOf([ANY], ANY, true), name: 'func(...interface {}) (interface {}, error)' }

export const same = (a: Type, b: Type): boolean => a.name === b.name

/** Go's assignability between the types that occur here. */
export const assignable = (from: Type, to: Type): boolean => to.kind === 'interface' || same(from, to)

/** A static type: `null` is untyped nil. */
export type StaticType = Type | null

export const isAny = (t: StaticType | undefined): boolean => t?.kind === 'interface'
export const isInteger = (t: StaticType | undefined): boolean =>
  t?.kind === 'int' || t?.kind === 'int64' || t?.kind === 'uint8' || t?.kind === 'uint64'
export const isFloat = (t: StaticType | undefined): boolean => t?.kind === 'float64'
export const isNumeric = (t: StaticType | undefined): boolean => isInteger(t) || isFloat(t)
export const isBool = (t: StaticType | undefined): boolean => t?.kind === 'bool'
export const isString = (t: StaticType | undefined): boolean => t?.kind === 'string'
export const isArray = (t: StaticType | undefined): boolean => t?.kind === 'slice' || t?.kind === 'array'
export const isMap = (t: StaticType | undefined): boolean => t?.kind === 'map'
export const isStruct = (t: StaticType | undefined): boolean => t?.kind === 'struct'

/** True when `==` may compare the two. */
export function comparable(l: StaticType | undefined, r: StaticType | undefined): boolean {
  if (l == null || r == null) return true
  return l.kind === r.kind || (isNumeric(l) && isNumeric(r)) || isAny(l) || isAny(r)
}
