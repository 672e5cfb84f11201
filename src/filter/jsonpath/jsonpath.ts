import { decodeBytes } from '../json.ts'
import { limits, type Meter } from '../limits.ts'
import { Problem, swallow } from '../problem.ts'
import { INT64 } from '../types.ts'
import { anys, GoInt, GoMap, GoSlice, numberIn, typeName, type Value } from '../values.ts'
import { parsePath, type Step } from './path.ts'
import { runScript, type Script } from './script.ts'

/**
 * The value at a JSONPath in a JSON text. Paths that can meet several values (`*`, `..`, ranges, unions, filters) give
 * an array, others the value.
 * @throws Problem when the text is not JSON, the path is wrong, or it names nothing
 */
export function jsonpath(json: string, path: string, meter: Meter): Value {
  const root = decodeBytes(json, meter)
  const steps = meter.once(`path ${path}`, 20 + path.length * 20, () => parsePath(path))
  return apply({ root, meter, depth: 0 }, root, steps)
}

interface Walk {
  readonly root: Value
  readonly meter: Meter
  readonly depth: number
}

const missing = (step: Step, value: Value) =>
  new Problem(`the JSONPath's ${step.kind} step cannot take ${typeName(value)}`)

function apply(walk: Walk, value: Value, steps: readonly Step[]): Value {
  const [step, ...rest] = steps
  if (step === undefined) return value
  if (walk.depth > limits.dataDepth) throw new Problem('the JSONPath goes too deep')
  walk.meter.spend(1 + rest.length / 8)
  const inner = { ...walk, depth: walk.depth + 1 }
  switch (step.kind) {
    case 'root':
      return apply(inner, walk.root, rest)
    case 'current':
      return apply(inner, value, rest)
    case 'key':
      return apply(inner, member(value, step.key, step), rest)
    case 'index':
      return apply(inner, element(value, step.index, step), rest)
    case 'length':
      return apply(inner, lengthOf(value, step), rest)
    case 'wildcard':
      return each(inner, children(value, step), rest)
    case 'recursive':
      return gather(inner, value, rest)
    case 'range':
      return several(inner, range(inner, value, step), rest)
    case 'union':
      return several(inner, union(inner, value, step), rest)
    case 'filter': {
      const kept = children(value, step).filter((child) => holds(inner, child, step.script))
      if (rest[0]?.kind === 'index') return apply(inner, anys(kept), rest)
      return each(inner, kept, rest)
    }
    case 'script': {
      const result = runScript(step.script, scopeOf(inner, value))
      if (typeof result === 'string') return apply(inner, member(value, result, step), rest)
      return apply(inner, element(value, integer(result), step), rest)
    }
  }
}

function scopeOf(walk: Walk, current: Value) {
  return { meter: walk.meter, select: (steps: Step[]) => apply(walk, current, steps) }
}

/** The rest of the path applied to each value; those that have nothing there are left out. */
function each(walk: Walk, values: readonly Value[], rest: readonly Step[]): Value {
  walk.meter.elements(values.length)
  if (rest.length === 0) return anys(values)
  const found = values.map((value) => swallow(() => apply(walk, value, rest), null))
  return anys(found.filter((value) => value !== null))
}

/** As {@link each}, but an index picks from all of them. */
function several(walk: Walk, values: readonly Value[], rest: readonly Step[]): Value {
  return rest[0]?.kind === 'index' ? apply(walk, anys(values), rest) : each(walk, values, rest)
}

function member(value: Value, key: string, step: Step): Value {
  if (!(value instanceof GoMap)) throw missing(step, value)
  const found = value.entries.get(key)
  if (found === undefined) throw new Problem(`the JSONPath names the key ${JSON.stringify(key)}, which is not there`)
  return found
}

function element(value: Value, index: number, step: Step): Value {
  if (!(value instanceof GoSlice)) throw missing(step, value)
  const found = value.items[index < 0 ? value.items.length + index : index]
  if (found === undefined) throw new Problem(`the JSONPath names the index ${index}, which is not there`)
  return found
}

function lengthOf(value: Value, step: Step): Value {
  const length = (n: number) => new GoInt(INT64, BigInt(n))
  if (value instanceof GoMap) return value.entries.get('length') ?? length(value.size)
  if (value instanceof GoSlice) return length(value.items.length)
  if (typeof value === 'string') return length(value.length)
  throw missing(step, value)
}

/** Elements, or members in the order of their keys. */
function children(value: Value, step: Step): readonly Value[] {
  if (value instanceof GoSlice) return value.items
  if (value instanceof GoMap) return [...value.entries.keys()].sort().map((key) => value.entries.get(key) as Value)
  throw missing(step, value)
}

/** What the rest of the path finds here and in everything below. */
function gather(walk: Walk, value: Value, rest: readonly Step[]): GoSlice {
  const found: Value[] = []
  const visit = (at: Value, depth: number): void => {
    if (at === null) return
    if (depth > limits.dataDepth) throw new Problem('the JSONPath goes too deep')
    walk.meter.spend(1)
    const here = rest.length === 0 ? anys([at]) : swallow(() => apply(walk, at, rest), null)
    if (here instanceof GoSlice) for (const item of here.items) found.push(item)
    else if (here !== null) found.push(here)
    if (at instanceof GoSlice || at instanceof GoMap) {
      for (const child of children(at, { kind: 'recursive' })) visit(child, depth + 1)
    }
  }
  visit(value, walk.depth)
  walk.meter.elements(found.length)
  return anys(found)
}

function integer(value: Value): number {
  const number = Number(numberIn(value) ?? Number.NaN)
  if (!Number.isSafeInteger(number)) throw new Problem('expected an integer in the JSONPath')
  return number
}

function bound(walk: Walk, value: Value, given: number | Script | undefined, otherwise: number): number {
  if (given === undefined) return otherwise
  return typeof given === 'number' ? given : integer(runScript(given, scopeOf(walk, value)))
}

function range(walk: Walk, value: Value, step: Extract<Step, { kind: 'range' }>): Value[] {
  if (!(value instanceof GoSlice)) throw missing(step, value)
  const { length } = value.items
  const [from, to, by] = step.bounds
  const clamp = (n: number) => Math.min(length, Math.max(0, n < 0 ? length + n : n))
  const start = clamp(bound(walk, value, from, 0))
  const end = clamp(bound(walk, value, to, length))
  const stride = bound(walk, value, by, 1)
  if (stride === 0) throw new Problem('the step of a range in the JSONPath is 0')
  const picked: Value[] = []
  for (let i = stride < 0 ? end - 1 : start; stride < 0 ? i >= start : i < end; i += stride)
    picked.push(value.items[i] as Value)
  return picked
}

function union(walk: Walk, value: Value, step: Extract<Step, { kind: 'union' }>): Value[] {
  const members = step.members.map((given) =>
    typeof given === 'object' ? runScript(given, scopeOf(walk, value)) : given,
  )
  const keys = members.filter((given) => typeof given === 'string')
  if (keys.length > 0) {
    if (keys.length < members.length) throw new Problem('a union in the JSONPath mixes keys and indexes')
    if (!(value instanceof GoMap)) throw missing(step, value)
    return keys.map((key) => value.entries.get(key)).filter((found) => found !== undefined)
  }
  if (!(value instanceof GoSlice)) throw missing(step, value)
  const { items } = value
  return members
    .map((given) => integer(given))
    .map((index) => items[index < 0 ? items.length + index : index])
    .filter((found) => found !== undefined)
}

/** True when a filter keeps the element: what fails or is empty does not stay. */
function holds(walk: Walk, value: Value, script: Script): boolean {
  const result = swallow(() => runScript(script, scopeOf(walk, value)), null)
  if (typeof result === 'string') return !/^(''|""|)$/.test(result)
  if (result instanceof GoSlice) return result.items.length > 0
  if (result instanceof GoMap) return result.size > 0
  return result === true || (result !== null && typeof result !== 'boolean' && Number(numberIn(result) ?? 1) !== 0)
}
