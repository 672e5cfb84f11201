import type { Binary, Builtin, Node } from './ast.ts'
import { accepts, builtins } from './builtins.ts'
import { fetch, invoke, slice } from './fetch.ts'
import type { Meter } from './limits.ts'
import {
  add,
  compare,
  divide,
  equal,
  lengthOf,
  modulo,
  multiply,
  negate,
  power,
  subtract,
  within,
} from './operators.ts'
import { Problem } from './problem.ts'
import { compileDynamic, matches } from './regex.ts'
import { GROUPS, INTS, OBJECT } from './types.ts'
import { anys, GoMap, GoSlice, isNil, numberIn, toBool, toInt, toText, typeName, type Value } from './values.ts'

/** One evaluation: what it sees, where it is, what it has cost. */
export interface Run {
  readonly env: GoMap
  readonly meter: Meter
  variables: Variable | undefined
  loop: Loop | undefined
  /** True from a `?.` on nil to the end of its chain. */
  broken: boolean
  /** Offset of the node that is being worked out, for messages. */
  at: number
}

interface Variable {
  name: string
  value: Value
  outer: Variable | undefined
}

/** The innermost predicate's walk over its collection. */
interface Loop {
  readonly length: number
  readonly item: (index: number) => Value
  index: number
  acc: Value
}

/** The value of a checked and optimized tree. @throws Problem */
export function evaluate(node: Node, run: Run): Value {
  run.meter.spend(1)
  switch (node.kind) {
    case 'nil':
      return null
    case 'int':
    case 'float':
    case 'bool':
    case 'string':
    case 'constant':
      return node.value
    case 'identifier':
      return lookUp(node.name, run)
    case 'unary': {
      const value = evaluate(node.node, run)
      run.at = node.at
      if (node.operator === '+') return value
      return node.operator === '-' ? negate(value) : !toBool(value)
    }
    case 'binary':
      return binary(node, run)
    case 'chain': {
      const value = evaluate(node.node, run)
      run.broken = false
      return value
    }
    case 'member': {
      const base = evaluate(node.node, run)
      if (run.broken) return base
      if (node.optional && isNil(base)) {
        run.broken = true
        return base
      }
      const key = evaluate(node.property, run)
      run.at = node.at
      return fetch(base, key)
    }
    case 'slice': {
      const value = evaluate(node.node, run)
      run.at = node.at
      const to = node.to ? evaluate(node.to, run) : BigInt(lengthOf(value))
      const from = node.from ? evaluate(node.from, run) : 0n
      run.at = node.at
      const part = slice(value, from, to)
      run.meter.spend(lengthOf(part) / 8)
      return part
    }
    case 'call': {
      const args = node.args.map((arg) => evaluate(arg, run))
      if (node.builtin !== undefined) return callBuiltin(node.builtin, args, node.at, run, true)
      const callee = evaluate(node.callee, run)
      if (run.broken) return callee
      run.at = node.at
      return invoke(callee, args, run.meter)
    }
    case 'builtin':
      if (builtins.get(node.name)?.predicate) return predicate(node, run)
      return callBuiltin(
        node.name,
        node.args.map((arg) => evaluate(arg, run)),
        node.at,
        run,
        false,
      )
    case 'closure':
      return evaluate(node.node, run)
    case 'pointer':
      return pointer(node.name, run)
    case 'let': {
      const outer = run.variables
      run.variables = { name: node.name, value: evaluate(node.value, run), outer }
      const value = evaluate(node.body, run)
      run.variables = outer
      return value
    }
    case 'conditional': {
      const condition = evaluate(node.condition, run)
      run.at = node.at
      return evaluate(toBool(condition) ? node.yes : node.no, run)
    }
    case 'array': {
      const items = node.nodes.map((item) => evaluate(item, run))
      run.meter.elements(items.length)
      return anys(items)
    }
    case 'map': {
      const pairs = node.pairs.map(({ key, value }) => [evaluate(key, run), evaluate(value, run)] as const)
      run.at = node.at
      run.meter.elements(pairs.length)
      const entries = new Map<string, Value>()
      // Of two equal keys the first wins, as upstream.
      for (const [key, value] of pairs) if (!entries.has(toText(key))) entries.set(key as string, value)
      return new GoMap(OBJECT, entries)
    }
  }
}

function lookUp(name: string, run: Run): Value {
  for (let variable = run.variables; variable !== undefined; variable = variable.outer)
    if (variable.name === name) return variable.value
  return name === '$env' ? run.env : (run.env.get(name) ?? null)
}

function callBuiltin(name: string, args: Value[], at: number, run: Run, indirect: boolean): Value {
  const builtin = builtins.get(name)
  run.meter.spend(3)
  run.at = at
  if (builtin?.call === undefined || (indirect && builtin.direct))
    throw new Problem(`${name} can only be called by its bare name`)
  if (!accepts(builtin, args.length)) throw new Problem(`${name} does not take ${args.length} arguments`)
  return builtin.call(args, run.meter)
}

function binary(node: Binary, run: Run): Value {
  const { operator } = node
  const left = evaluate(node.left, run)
  run.at = node.at
  switch (operator) {
    case 'and':
    case '&&':
      return toBool(left) ? evaluate(node.right, run) : false
    case 'or':
    case '||':
      return toBool(left) ? true : evaluate(node.right, run)
    case '??':
      return isNil(left) ? evaluate(node.right, run) : left
    case 'in':
      if (node.right.kind === 'binary' && node.right.operator === '..') return inRange(left, node.right, run)
  }
  if (node.regex !== undefined) return matches(node.regex, toText(left), run.meter)
  const right = evaluate(node.right, run)
  run.at = node.at
  return apply(node, left, right, run.meter)
}

function apply(node: Binary, left: Value, right: Value, meter: Meter): Value {
  switch (node.operator) {
    case '==':
      strictly(node, left, right)
      return equal(left, right, meter)
    case '!=':
      return !equal(left, right, meter)
    case '<':
      return compare(left, right, '<') === -1
    case '>':
      return compare(left, right, '>') === 1
    case '<=': {
      const order = compare(left, right, '<=')
      return order !== undefined && order <= 0
    }
    case '>=': {
      const order = compare(left, right, '>=')
      return order !== undefined && order >= 0
    }
    case '+':
      return add(left, right, meter)
    case '-':
      return subtract(left, right)
    case '*':
      return multiply(left, right)
    case '/':
      return divide(left, right)
    case '%':
      return modulo(left, right)
    case '**':
    case '^':
      return power(left, right)
    case 'in':
      return within(left, right, meter)
    case 'matches':
      return matches(compileDynamic(toText(right), meter), toText(left), meter)
    case 'contains':
      meter.scan(toText(left).length)
      return toText(left).includes(toText(right))
    case 'startsWith':
      return toText(left).startsWith(toText(right))
    case 'endsWith':
      return toText(left).endsWith(toText(right))
    default:
      return range(left, right, meter)
  }
}

/** Where both sides were promised to be ints or strings, upstream compares them as such; a broken promise is an error. */
function strictly({ left, right }: Binary, a: Value, b: Value): void {
  const kind = left.type?.kind
  if (kind !== right.type?.kind || left.type?.named || right.type?.named) return
  const wanted = kind === 'int' ? 'bigint' : kind === 'string' ? 'string' : undefined
  if (wanted !== undefined && (typeof a !== wanted || typeof b !== wanted))
    throw new Problem(`cannot compare ${typeName(a)} with ${typeName(b)} as ${kind}`)
}

/** Elements of `from..to`. @throws Problem when they are too many */
function countRange(from: Value, to: Value): { first: bigint; count: number } {
  const first = toInt(from)
  const count = Math.max(0, Number(toInt(to) - first + 1n))
  if (count > 1_000_000) throw new Problem('memory budget exceeded: the range is too long')
  return { first, count }
}

function range(from: Value, to: Value, meter: Meter): Value {
  const { first, count } = countRange(from, to)
  meter.elements(count, 0)
  const items = () => {
    meter.spend(count * 4)
    return Array.from({ length: count }, (_, i) => first + BigInt(i))
  }
  return new GoSlice(INTS, items, { range: { first, count } })
}

/** `x in a..b` without making the array. */
function inRange(needle: Value, node: Binary, run: Run): boolean {
  const from = evaluate(node.left, run)
  const to = evaluate(node.right, run)
  run.at = node.at
  const { first, count } = countRange(from, to)
  const number = numberIn(needle)
  if (number === undefined || (typeof number === 'number' && !Number.isInteger(number))) return false
  const offset = BigInt(number) - first
  return offset >= 0n && offset < BigInt(count)
}

function pointer(name: string, run: Run): Value {
  const loop = run.loop as Loop
  if (name === 'index') return BigInt(loop.index)
  if (name === 'acc') return loop.acc
  if (name !== '') throw new Problem(`there is no #${name} here`)
  return loop.item(loop.index)
}

function walkOver(value: Value): Loop {
  if (value instanceof GoSlice && value.range !== undefined) {
    const { first, count } = value.range
    return { length: count, item: (i) => first + BigInt(i), index: 0, acc: null }
  }
  if (value instanceof GoSlice)
    return { length: value.items.length, item: (i) => itemAt(value.items, i), index: 0, acc: null }
  if (typeof value === 'string')
    return { length: value.length, item: (i) => fetch(value, BigInt(i)), index: 0, acc: null }
  if (value instanceof GoMap) {
    const item = () => {
      throw new Problem('the elements of a map have no order: use keys() or values()')
    }
    return { length: value.size, item, index: 0, acc: null }
  }
  throw new Problem(`cannot walk over ${typeName(value)}`)
}

function itemAt(items: readonly Value[], index: number): Value {
  const item = items[index]
  if (item === undefined) throw new Problem('index out of range: the array is empty')
  return item
}

/** `filter`, `map`, `all`, … */
function predicate(node: Builtin, run: Run): Value {
  const [collection, closure, start] = node.args as [Node, Node, Node | undefined]
  const outer = run.loop
  const value = evaluate(collection, run)
  run.at = node.at
  const loop = walkOver(value)
  run.loop = loop
  const result = walk(node, closure, start, loop, run)
  run.loop = outer
  return result
}

function walk(node: Builtin, closure: Node, start: Node | undefined, loop: Loop, run: Run): Value {
  const holds = () => {
    const value = evaluate(closure, run)
    run.at = node.at
    return toBool(value)
  }
  const picked = () => (node.map ? evaluate(node.map, run) : loop.item(loop.index))
  switch (node.name) {
    case 'all':
      for (; loop.index < loop.length; loop.index++) if (!holds()) return false
      return true
    case 'none':
      for (; loop.index < loop.length; loop.index++) if (holds()) return false
      return true
    case 'any':
      for (; loop.index < loop.length; loop.index++) if (holds()) return true
      return false
    case 'one':
    case 'count': {
      let count = 0
      for (; loop.index < loop.length; loop.index++) if (holds()) count++
      return node.name === 'one' ? count === 1 : BigInt(count)
    }
    case 'filter':
    case 'map': {
      const out: Value[] = []
      const isMap = node.name === 'map'
      for (; loop.index < loop.length; loop.index++) {
        if (isMap) out.push(evaluate(closure, run))
        else if (holds()) out.push(picked())
      }
      run.meter.elements(out.length)
      return anys(out)
    }
    case 'find':
    case 'findIndex':
    case 'findLast':
    case 'findLastIndex': {
      const step = node.name.startsWith('findLast') ? -1 : 1
      for (
        loop.index = step < 0 ? loop.length - 1 : 0;
        loop.index >= 0 && loop.index < loop.length;
        loop.index += step
      ) {
        if (holds()) return node.name.endsWith('Index') ? BigInt(loop.index) : picked()
      }
      if (node.throws) throw new Problem('index out of range: no element fits')
      return null
    }
    case 'groupBy': {
      const map = new GoMap(GROUPS, new Map(), loop.length === 0)
      const members = new Map<Value, Value[]>()
      for (; loop.index < loop.length; loop.index++) {
        const key = evaluate(closure, run)
        run.meter.spend(10)
        run.at = node.at
        const found = map.get(key)
        const list = found === undefined ? [] : (members.get(found) as Value[])
        list.push(loop.item(loop.index))
        if (found === undefined) {
          const group = new GoSlice(GROUPS.elem as NonNullable<typeof GROUPS.elem>, list)
          members.set(group, list)
          map.set(key, group)
        }
      }
      return map
    }
    default: {
      // reduce
      if (start !== undefined) loop.acc = evaluate(start, run)
      else loop.acc = loop.item(loop.index++)
      for (; loop.index < loop.length; loop.index++) loop.acc = evaluate(closure, run)
      return loop.acc
    }
  }
}
