import type { BuiltinFunction } from './builtins.ts'
import { fetch } from './fetch.ts'
import type { Meter } from './limits.ts'
import { integerIn, isSigned } from './operators.ts'
import { Problem, swallow } from './problem.ts'
import {
  ANY,
  ANY_MAP,
  ANYS,
  isAny,
  isArray,
  isInteger,
  isMap,
  isString,
  PAIR,
  type StaticType,
  sliceOf,
  type Type,
} from './types.ts'
import { anys, GoInt, GoMap, GoSlice, toText, typeName, type Value } from './values.ts'

/** Checks the arguments' types one by one; arguments beyond `least` are optional. */
function args(
  least: number,
  fits: readonly ((type: StaticType) => boolean)[],
  result: (first: StaticType) => StaticType,
): BuiltinFunction['validate'] {
  return (types) => {
    if (types.length < least || types.length > fits.length)
      throw new Problem(
        `takes ${least === fits.length ? least : `${least} to ${fits.length}`} arguments, not ${types.length}`,
      )
    for (const [i, type] of types.entries()) {
      if (!isAny(type) && !fits[i]?.(type)) throw new Problem(`argument ${i + 1} cannot be ${type?.name ?? 'nil'}`)
    }
    return result(types[0] as StaticType)
  }
}

const elementOf = (type: StaticType): StaticType => (isAny(type) ? ANY : ((type as Type).elem as Type))

/** What cannot be fetched is nil. */
function tolerant(from: Value, key: Value): Value {
  return swallow(() => fetch(from, key), null)
}

function toMap(name: string, value: Value | undefined): GoMap {
  if (!(value instanceof GoMap)) throw new Problem(`cannot get ${name} from ${typeName(value ?? null)}`)
  return value
}

function toSlice(name: string, value: Value | undefined): GoSlice {
  if (!(value instanceof GoSlice)) throw new Problem(`cannot ${name} ${typeName(value ?? null)}`)
  return value
}

const listOf = (name: string, work: (map: GoMap) => GoSlice): BuiltinFunction => ({
  takes: [1, 1],
  validate: args(1, [isMap], () => ANYS),
  call: ([value], meter) => {
    const map = toMap(name, value)
    meter.elements(map.size)
    return work(map)
  },
})

/** Sorts by a key per element; all keys must be of one type: numbers, strings. */
function sorted(list: GoSlice, keyOf: (item: Value) => Value, order: Value | undefined, meter: Meter): GoSlice {
  const descending = order !== undefined && direction(order)
  meter.elements(list.items.length)
  meter.spend(list.items.length * Math.log2(list.items.length + 2) * 2)
  const keyed = list.items.map((item) => ({ item, key: keyOf(item) }))
  const first = keyed[0]
  for (const { key } of keyed) {
    if (typeName(key) !== typeName(first?.key ?? null)) throw new Problem('cannot sort values of different types')
  }
  if (keyed.length > 1) sortable(first?.key ?? null)
  keyed.sort((a, b) => {
    const [x, y] = [sortable(a.key), sortable(b.key)]
    const by = x < y ? -1 : x > y ? 1 : 0
    return descending ? -by : by
  })
  return anys(keyed.map(({ item }) => item))
}

function sortable(key: Value): number | bigint | string {
  if (isSigned(key)) return integerIn(key)
  if (typeof key === 'number' || typeof key === 'string') return key
  throw new Problem(`cannot sort ${typeName(key)}`)
}

function direction(order: Value): boolean {
  if (order !== 'asc' && order !== 'desc') throw new Problem('the order of a sort is "asc" or "desc"')
  return order === 'desc'
}

/** The key of an element: the field of a map, else the element itself. */
function fieldOf(item: Value, field: string): Value {
  if (item instanceof GoMap) {
    const value = item.get(field)
    if (value === undefined) throw new Problem(`cannot sort: an element has no ${JSON.stringify(field)}`)
    return value
  }
  if (item !== null && typeof item === 'object' && !(item instanceof GoInt) && !(item instanceof GoSlice))
    throw new Problem(`cannot sort ${typeName(item)}`)
  return item
}

export const collections: Readonly<Record<string, BuiltinFunction>> = {
  first: { takes: [1, 1], validate: args(1, [isArray], elementOf), call: ([list]) => tolerant(list as Value, 0n) },
  last: { takes: [1, 1], validate: args(1, [isArray], elementOf), call: ([list]) => tolerant(list as Value, -1n) },
  get: { takes: [2, 2], call: ([from, key]) => tolerant(from ?? null, key ?? null) },
  take: {
    takes: [2, 2],
    validate: args(2, [isArray, isInteger], (type) => type),
    call: ([value, count]) => {
      const list = toSlice('take from', value)
      if (!isSigned(count as Value)) throw new Problem(`cannot take ${typeName(count as Value)} elements`)
      const most = integerIn(count as bigint | GoInt)
      if (most > BigInt(list.items.length)) return list
      if (most < 0n || list.type === PAIR) throw new Problem(`cannot take ${most} elements`)
      return new GoSlice(list.type, list.items.slice(0, Number(most)), { isNil: list.isNil })
    },
  },
  keys: listOf('keys', (map) => anys(map.keys())),
  values: listOf('values', (map) => anys([...map.entries.values()])),
  toPairs: listOf('pairs', (map) => {
    const pairs = map.keys().map((key) => new GoSlice(PAIR, [key, map.get(key) as Value]))
    return new GoSlice(sliceOf(PAIR), pairs)
  }),
  fromPairs: {
    takes: [1, 1],
    validate: args(1, [isArray], () => ANY_MAP),
    call: ([value], meter) => {
      const list = toSlice('make a map from', value)
      meter.elements(list.items.length)
      const map = new GoMap(ANY_MAP)
      for (const pair of list.items) {
        if (!(pair instanceof GoSlice) || pair.items.length !== 2)
          throw new Problem('each pair must be an array of two')
        map.set(pair.items[0] as Value, pair.items[1] as Value)
      }
      return map
    },
  },
  sort: {
    takes: [1, 2],
    validate: args(1, [isArray, isString], () => ANYS),
    call: ([value, order], meter) => sorted(toSlice('sort', value), (item) => fieldOf(item, ''), order, meter),
  },
  sortBy: {
    takes: [2, 3],
    validate: args(2, [isArray, isString, isString], () => ANYS),
    call: ([value, field, order], meter) => {
      const name = toText(field ?? null)
      return sorted(toSlice('sort', value), (item) => fieldOf(item, name), order, meter)
    },
  },
}
