import type { Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { versionMethod } from './sprig/semver.ts'
import { timeMethod } from './time/methods.ts'
import { PAIR, type Type, UINT8 } from './types.ts'
import { GoFunc, GoInt, GoMap, GoSlice, toIndex, toInt, typeName, type Value, zeroOf } from './values.ts'

/** `from.key` and `from[key]`. A missing key of a map gives its zero element. @throws Problem */
export function fetch(from: Value, key: Value): Value {
  if (from === null) throw new Problem(`cannot fetch ${describe(key)} from nil: use ?. where it may be missing`)
  if (typeof key === 'string' && typeof from === 'object') {
    const method = methodOf(from, key)
    if (method !== undefined) return method
  }
  if (typeof from === 'string') {
    const byte = from.charCodeAt(position(key, from.length))
    return new GoInt(UINT8, BigInt(byte))
  }
  if (from instanceof GoSlice) return from.items[position(key, from.items.length)] as Value
  if (from instanceof GoMap) return from.get(key) ?? zeroOf(from.type.elem as Type)
  throw new Problem(`cannot fetch ${describe(key)} from ${typeName(from)}`)
}

/** The method of a value, bound to it. */
export function methodOf(value: Value, name: string): GoFunc | undefined {
  return versionMethod(value, name) ?? timeMethod(value, name)
}

function describe(key: Value): string {
  return typeof key === 'string' ? JSON.stringify(key) : typeof key === 'object' ? typeName(key) : String(key)
}

/** An index as a place in something of this length; negative ones count from the end. @throws Problem */
function position(key: Value, length: number): number {
  const index = toInt(key)
  const place = index < 0n ? index + BigInt(length) : index
  if (place < 0n || place >= BigInt(length)) throw new Problem(`index ${index} is out of range (length ${length})`)
  return Number(place)
}

/** `value[from:to]`, bounds beyond the ends are moved to them. @throws Problem */
export function slice(value: Value, from: Value, to: Value): Value {
  const isText = typeof value === 'string'
  if (!isText && !(value instanceof GoSlice)) throw new Problem(`cannot slice ${typeName(value)}`)
  const length = isText ? value.length : value.length
  const clamp = (bound: number) => Math.max(0, bound < 0 ? length + bound : bound)
  const end = Math.min(length, clamp(toIndex(to)))
  const start = Math.min(end, clamp(toIndex(from)))
  if (isText) return value.slice(start, end)
  if (value.type === PAIR) throw new Problem('cannot slice a pair')
  return new GoSlice(value.type, value.items.slice(start, end), { isNil: value.isNil })
}

/** Calls a function value, as reflection would: the arguments must be of the parameters' types. @throws Problem */
export function invoke(callee: Value, args: Value[], meter: Meter): Value {
  meter.spend(10)
  if (!(callee instanceof GoFunc))
    throw new Problem(callee === null ? 'there is no such function' : `${typeName(callee)} cannot be called`)
  const { params = [], variadic = false } = callee.type
  const least = variadic ? params.length - 1 : params.length
  if (args.length < least || (!variadic && args.length > least))
    throw new Problem(
      `wrong number of arguments: ${args.length}, the function takes ${variadic ? 'at least ' : ''}${least}`,
    )
  for (const [i, arg] of args.entries()) {
    const wanted = params[Math.min(i, params.length - 1)] as Type
    if (wanted.kind !== 'interface' && typeName(arg) !== wanted.name)
      throw new Problem(`argument ${i + 1} must be ${wanted.name}, not ${typeName(arg)}`)
  }
  return callee.call(args, meter)
}
