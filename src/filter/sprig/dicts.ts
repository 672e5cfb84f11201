import { limits, type Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { OBJECT } from '../types.ts'
import { anys, GoMap, isNil, strings, toText, type Value } from '../values.ts'
import { define, type Functions } from './define.ts'
import { isEmpty } from './lists.ts'
import { textOf } from './texts.ts'

function dict(args: Value[], meter: Meter): GoMap {
  meter.elements(args.length)
  const map = new GoMap(OBJECT)
  for (let i = 0; i < args.length; i += 2)
    map.set(textOf(args[i] as Value, meter), i + 1 < args.length ? (args[i + 1] as Value) : '')
  return map
}

/** Only the members whose key passes. */
function only(map: GoMap, keep: (key: string) => boolean, meter: Meter): GoMap {
  meter.elements(map.size)
  return new GoMap(OBJECT, new Map([...map.entries].filter(([key]) => keep(key))))
}

/** Merges `from` into `into`: missing and empty members are filled, or, overwriting, all replaced; maps are merged. */
function merge(into: GoMap, from: GoMap, overwrite: boolean, meter: Meter, depth = 0): GoMap {
  meter.elements(from.size)
  if (depth > limits.dataDepth) throw new Problem(`the data is nested deeper than ${limits.dataDepth}`)
  if (into.isNil && from.size > 0) throw new Problem('assignment to entry in nil map')
  for (const [key, value] of from.entries) {
    const old = into.entries.get(key)
    if (old instanceof GoMap && value instanceof GoMap && old.type.name === value.type.name && !isNil(old)) {
      if (old !== value) merge(old, value, overwrite, meter, depth + 1)
    } else if (overwrite || (value !== null && (old === undefined || isEmpty(old)))) {
      into.entries.set(key, value)
    }
  }
  return into
}

const merging = (overwrite: boolean) =>
  define('mm*:a', ([into, ...from], meter) => {
    for (const map of from) merge(into, map, overwrite, meter)
    return into
  })

function dig(args: Value[]): Value {
  if (args.length < 3) throw new Problem('dig needs at least three arguments')
  const [otherwise, start] = args.slice(-2) as [Value, Value]
  const keys = args.slice(0, -2).map(toText)
  let at: Value = start
  for (const key of keys) {
    if (!(at instanceof GoMap) || at.type.name !== OBJECT.name) throw new Problem('dig: only maps can be dug into')
    const next = at.entries.get(key)
    if (next === undefined) return otherwise
    at = next
  }
  return at
}

function writable(map: GoMap): GoMap {
  if (map.isNil) throw new Problem('assignment to entry in nil map')
  return map
}

export const dicts: Functions = {
  dict: define('a*:m', dict),
  get: define('ms:a', ([map, key]) => map.get(key) ?? (map.entries.has(key) ? null : '')),
  set: define('msa:m', ([map, key, value], meter) => {
    meter.elements(1)
    writable(map).set(key, value)
    return map
  }),
  unset: define('ms:m', ([map, key]) => {
    map.entries.delete(key)
    return map
  }),
  hasKey: define('ms:b', ([map, key]) => map.entries.has(key)),
  pluck: define('sm*:A', ([key, ...maps], meter) => {
    meter.elements(maps.length)
    return anys(maps.filter((map) => map.entries.has(key)).map((map) => map.entries.get(key)))
  }),
  keys: define('m*:S', (maps, meter) => {
    const keys = maps.flatMap((map) => [...map.entries.keys()])
    meter.elements(keys.length)
    return strings(keys)
  }),
  values: define('m:A', ([map], meter) => {
    meter.elements(map.size)
    return anys([...map.entries.values()])
  }),
  pick: define('ms*:m', ([map, ...keys], meter) => {
    const wanted = new Set(keys)
    return only(map, (key) => wanted.has(key), meter)
  }),
  omit: define('ms*:m', ([map, ...keys], meter) => {
    const unwanted = new Set(keys)
    return only(map, (key) => !unwanted.has(key), meter)
  }),
  merge: merging(false),
  mustMerge: merging(false),
  mergeOverwrite: merging(true),
  mustMergeOverwrite: merging(true),
  dig: define('a*:a', (args) => dig(args)),
}
