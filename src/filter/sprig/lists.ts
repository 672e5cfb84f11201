import { limits, type Meter } from '../limits.ts'
import { deepEqual } from '../operators.ts'
import { Problem } from '../problem.ts'
import { ANYS, sliceOf } from '../types.ts'
import { anys, GoInt, GoMap, GoSlice, kindOf, typeName, type Value } from '../values.ts'
import { castInt } from './casts.ts'
import { define, type Functions, itemsOf } from './define.ts'

/** sprig's notion of emptiness: nil, zero, false, and what has no elements. */
export function isEmpty(value: Value): boolean {
  if (value === null || value === false || value === '' || value === 0 || value === 0n) return true
  if (value instanceof GoInt) return value.value === 0n
  if (value instanceof GoSlice) return value.items.length === 0
  return value instanceof GoMap && value.size === 0
}

const NONE = (): GoSlice => new GoSlice(ANYS, [], { isNil: true })

function list(items: readonly Value[], meter: Meter): GoSlice {
  meter.elements(items.length)
  return anys(items)
}

function chunk(size: bigint, value: Value, meter: Meter): GoSlice {
  const items = itemsOf(value, 'chunk')
  meter.elements(items.length)
  if (size <= 0n) {
    // Upstream's arithmetic leaves these two.
    if (size < 0n && items.length === 1) return new GoSlice(sliceOf(ANYS), [anys(items)])
    if (size < 0n && items.length > 1 && BigInt(items.length - 1) <= -size) return new GoSlice(sliceOf(ANYS), [])
    throw new Problem('the size of a chunk must be positive')
  }
  const step = Number(size)
  const chunks: GoSlice[] = []
  for (let i = 0; i < items.length; i += step) chunks.push(anys(items.slice(i, i + step)))
  return new GoSlice(sliceOf(ANYS), chunks)
}

function slice(value: Value, bounds: Value[]): Value {
  const items = itemsOf(value, 'slice')
  if (items.length === 0) return null
  const start = bounds.length > 0 ? castInt(bounds[0] as Value) : 0n
  const end = bounds.length < 2 ? BigInt(items.length) : castInt(bounds[1] as Value)
  if (start < 0n || end < start || end > BigInt(items.length)) throw new Problem('slice: index out of range')
  return new GoSlice((value as GoSlice).type, items.slice(Number(start), Number(end)))
}

const among = (items: readonly Value[], value: Value, meter: Meter): boolean =>
  items.some((item) => deepEqual(value, item, meter))

function uniq(items: readonly Value[], meter: Meter): GoSlice {
  const kept: Value[] = []
  for (const item of items) if (!among(kept, item, meter)) kept.push(item)
  return list(kept, meter)
}

const edge = (value: Value, what: string, index: number): Value => itemsOf(value, what).at(index) ?? null

const push = define('aa:A', ([to, item], meter) => list([...itemsOf(to, 'push on'), item], meter))
const prepend = define('aa:A', ([to, item], meter) => list([item, ...itemsOf(to, 'prepend on')], meter))
const first = define('a:a', ([of]) => edge(of, 'find first on', 0))
const last = define('a:a', ([of]) => edge(of, 'find last on', -1))
const rest = define('a:A', ([of], meter) => {
  const items = itemsOf(of, 'find rest on')
  return items.length === 0 ? NONE() : list(items.slice(1), meter)
})
const initial = define('a:A', ([of], meter) => {
  const items = itemsOf(of, 'find initial on')
  return items.length === 0 ? NONE() : list(items.slice(0, -1), meter)
})
const reverse = define('a:A', ([of], meter) => list(itemsOf(of, 'reverse').toReversed(), meter))
const compact = define('a:A', ([of], meter) =>
  list(
    itemsOf(of, 'compact').filter((item) => !isEmpty(item)),
    meter,
  ),
)
const uniqOf = define('a:A', ([of], meter) => uniq(itemsOf(of, 'find uniq on'), meter))
const without = define('aa*:A', ([of, ...omit], meter) =>
  list(
    itemsOf(of, 'find without on').filter((item) => !among(omit, item, meter)),
    meter,
  ),
)
const has = define('aa:b', ([needle, of], meter) =>
  of === null ? false : among(itemsOf(of, 'find has on'), needle, meter),
)
const sliceOfList = define('aa*:a', ([of, ...bounds]) => slice(of, bounds))
const chunkOf = define('ia:A', ([size, of], meter) => chunk(size, of, meter))
const make = define('a*:A', (items, meter) => list(items, meter))

/** A copy that shares nothing that can be changed. */
export function deepCopy(value: Value, meter: Meter, depth = 0): Value {
  meter.spend(1)
  if (depth > limits.dataDepth) throw new Problem(`the data is nested deeper than ${limits.dataDepth}`)
  if (value instanceof GoSlice) {
    meter.elements(value.items.length)
    return new GoSlice(
      value.type,
      value.items.map((item) => deepCopy(item, meter, depth + 1)),
      { isNil: value.isNil },
    )
  }
  if (!(value instanceof GoMap)) return value
  meter.elements(value.size)
  const copy = new GoMap(value.type, new Map(), value.isNil)
  for (const key of value.keys()) copy.set(key, deepCopy(value.get(key) as Value, meter, depth + 1))
  return copy
}

const copyOf = define('a:a', ([x], meter) => {
  if (x === null) throw new Problem('nil cannot be copied')
  return deepCopy(x, meter)
})
const like = (target: string, value: Value): boolean => target === typeName(value) || `*${target}` === typeName(value)

export const lists: Functions = {
  ...{ tuple: make, list: make, append: push, push, mustAppend: push, mustPush: push, prepend, mustPrepend: prepend },
  ...{ first, mustFirst: first, last, mustLast: last, rest, mustRest: rest, initial, mustInitial: initial },
  ...{ reverse, mustReverse: reverse, compact, mustCompact: compact, uniq: uniqOf, mustUniq: uniqOf },
  ...{ without, mustWithout: without, has, mustHas: has, slice: sliceOfList, mustSlice: sliceOfList },
  ...{ chunk: chunkOf, mustChunk: chunkOf, deepCopy: copyOf, mustDeepCopy: copyOf },
  concat: define('a*:a', (args, meter) => {
    const items = args.flatMap((arg: Value) => [...itemsOf(arg, 'concat')])
    meter.elements(items.length)
    return items.length === 0 ? NONE() : anys(items)
  }),
  default: define('aa*:a', ([otherwise, ...given]) => (given.length === 0 || isEmpty(given[0]) ? otherwise : given[0])),
  empty: define('a:b', ([x]) => isEmpty(x)),
  coalesce: define('a*:a', (args) => args.find((x: Value) => !isEmpty(x)) ?? null),
  all: define('a*:b', (args) => !args.some(isEmpty)),
  any: define('a*:b', (args) => args.some((x: Value) => !isEmpty(x))),
  ternary: define('aab:a', ([yes, no, condition]) => (condition ? yes : no)),
  typeOf: define('a:s', ([x]) => typeName(x)),
  typeIs: define('sa:b', ([target, x]) => target === typeName(x)),
  typeIsLike: define('sa:b', ([target, x]) => like(target, x)),
  kindOf: define('a:s', ([x]) => kindOf(x)),
  kindIs: define('sa:b', ([target, x]) => target === kindOf(x)),
  deepEqual: define('aa:b', ([a, b], meter) => deepEqual(a, b, meter)),
}
