import { type Binary, type Builtin, type Closure, type Node, over, rewrite } from './ast.ts'
import { goPow } from './operators.ts'
import { Problem } from './problem.ts'
import { EMPTY_STRUCT, FLOAT, INT, mapOf, STRING, type StaticType } from './types.ts'
import { anys, GoMap, type Value } from './values.ts'

/**
 * What upstream's optimizer does to a checked tree, as far as results show it: `x and false` is false even where `x`
 * fails, `x in ["a"]` is a map look-up that refuses other types, `filter(…)[0]` stops at the first element.
 * @throws Problem for a modulo by a literal zero
 */
export function optimize(root: Node): Node {
  let node = rewrite(root, inLiteral)
  for (let round = 0; round <= 1000; round++) {
    let applied = false
    node = rewrite(node, (n) => {
      const folded = fold(n)
      if (folded !== n) applied = true
      return folded
    })
    if (!applied) break
  }
  return [inRange, mapOfFilter, lengthOfFilter, lastOfFilter, firstOfFilter].reduce(rewrite, node)
}

const INT_SET = mapOf(INT, EMPTY_STRUCT)
const STRING_SET = mapOf(STRING, EMPTY_STRUCT)

function inLiteral(node: Node): Node {
  if (node.kind !== 'binary' || node.operator !== 'in' || node.right.kind !== 'array') return node
  const { nodes, at } = node.right
  if (nodes.length === 0) return node
  const ints = node.left.type?.kind === 'int' && nodes.every((item) => item.kind === 'int')
  if (!ints && !nodes.every((item) => item.kind === 'string')) return node
  const set = new GoMap(ints ? INT_SET : STRING_SET)
  for (const item of nodes) set.set((item as { value: Value }).value, true)
  const right: Node = { kind: 'constant', value: set, at, depth: 1 }
  return binary(node, 'in', node.left, right)
}

function binary({ at }: Node, operator: string, left: Node, right: Node): Node {
  return { kind: 'binary', operator, left, right, at, depth: over(left, right) }
}

function literal({ at }: Node, value: bigint | number | string | boolean, type?: StaticType): Node {
  const base = type === undefined ? { at, depth: 1 } : { at, depth: 1, type }
  switch (typeof value) {
    case 'bigint':
      return { kind: 'int', value: BigInt.asIntN(64, value), ...base }
    case 'number':
      return { kind: 'float', value, ...base }
    case 'string':
      return { kind: 'string', value, ...base }
    default:
      return { kind: 'bool', value, ...base }
  }
}

function fold(node: Node): Node {
  switch (node.kind) {
    case 'unary':
      return foldUnary(node.operator, node)
    case 'binary':
      return foldBinary(node)
    case 'array':
      return foldArray(node)
    case 'builtin':
      return foldFilters(node)
    default:
      return node
  }
}

function foldUnary(operator: string, node: Extract<Node, { kind: 'unary' }>): Node {
  const inner = node.node
  if (operator === '-' || operator === '+') {
    const sign = operator === '-' ? -1 : 1
    if (inner.kind === 'int') return literal(node, BigInt(sign) * inner.value, INT)
    if (inner.kind === 'float') return literal(node, sign * inner.value, FLOAT)
  } else if (inner.kind === 'bool') {
    return literal(node, !inner.value)
  }
  return node
}

function foldBinary(node: Binary): Node {
  const { operator, left, right } = node
  const isOr = operator === 'or' || operator === '||'
  if (isOr || operator === 'and' || operator === '&&') {
    const decides = isOr
    if (left.kind === 'bool' && left.value !== decides) return right
    if (right.kind === 'bool' && right.value !== decides) return left
    if (left.kind === 'bool' || right.kind === 'bool') return literal(node, decides)
    return node
  }
  if (operator === '%') {
    if (left.kind !== 'int' || right.kind !== 'int') return node
    if (right.value === 0n) throw new Problem('integer divide by zero', node.at)
    return literal(node, left.value % right.value)
  }
  if (operator === '==') {
    const same = left.kind === right.kind && ['int', 'string', 'bool'].includes(left.kind)
    return same ? literal(node, (left as { value: Value }).value === (right as { value: Value }).value) : node
  }
  if (operator === '+' && left.kind === 'string' && right.kind === 'string')
    return literal(node, left.value + right.value)
  return foldArithmetic(node)
}

function foldArithmetic(node: Binary): Node {
  const { operator, left, right } = node
  if ((left.kind !== 'int' && left.kind !== 'float') || (right.kind !== 'int' && right.kind !== 'float')) return node
  const [x, y] = [Number(left.value), Number(right.value)]
  if (operator === '/') return literal(node, x / y, FLOAT)
  if (operator === '**' || operator === '^') return literal(node, goPow(x, y), FLOAT)
  if (left.kind === 'int' && right.kind === 'int') {
    if (operator === '+') return literal(node, left.value + right.value, INT)
    if (operator === '-') return literal(node, left.value - right.value, INT)
    return operator === '*' ? literal(node, left.value * right.value, INT) : node
  }
  if (operator === '+') return literal(node, x + y, FLOAT)
  if (operator === '-') return literal(node, x - y, FLOAT)
  return operator === '*' ? literal(node, x * y, FLOAT) : node
}

function foldArray(node: Extract<Node, { kind: 'array' }>): Node {
  const plain = ['int', 'float', 'string', 'bool']
  if (node.nodes.length === 0 || !node.nodes.every((item) => plain.includes(item.kind))) return node
  const value = anys(node.nodes.map((item) => (item as { value: Value }).value))
  return { kind: 'constant', value, at: node.at, depth: 1 }
}

/** `filter(filter(a, p), q)` → `filter(a, p && q)`. */
function foldFilters(node: Builtin): Node {
  const base = node.args[0]
  if (node.name !== 'filter' || base?.kind !== 'builtin' || base.name !== 'filter') return node
  const both = binary(node, '&&', base.args[1] as Node, node.args[1] as Node)
  const args = [base.args[0] as Node, both]
  return { kind: 'builtin', name: 'filter', args, at: node.at, depth: over(...args) }
}

function inRange(node: Node): Node {
  if (node.kind !== 'binary' || node.operator !== 'in' || node.left.type?.kind !== 'int') return node
  const { left, right } = node
  if (right.kind !== 'binary' || right.operator !== '..') return node
  if (right.left.kind !== 'int' || right.right.kind !== 'int') return node
  return binary(node, 'and', binary(node, '>=', left, right.left), binary(node, '<=', left, right.right))
}

const isFilter = (node: Node | undefined): node is Builtin => node?.kind === 'builtin' && node.name === 'filter'

function mapOfFilter(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'map') return node
  const [base, closure] = node.args
  if (!isFilter(base) || base.map !== undefined || closure?.kind !== 'closure') return node
  return { ...base, map: (closure as Closure).node, at: node.at, type: undefined }
}

function lengthOfFilter(node: Node): Node {
  if (node.kind !== 'builtin' || node.name !== 'len' || !isFilter(node.args[0])) return node
  const { args } = node.args[0]
  return { kind: 'builtin', name: 'count', args, at: node.at, depth: node.depth }
}

function oneOfFilter(node: Node, index: bigint, builtin: string, finder: string): Node {
  if (node.kind === 'member' && !node.optional && node.property.kind === 'int' && node.property.value === index) {
    if (isFilter(node.node)) return { ...node.node, name: finder, throws: true, at: node.at, type: undefined }
  }
  if (node.kind === 'builtin' && node.name === builtin && node.args.length === 1 && isFilter(node.args[0]))
    return { ...node.args[0], name: finder, at: node.at, type: undefined }
  return node
}

const lastOfFilter = (node: Node): Node => oneOfFilter(node, -1n, 'last', 'findLast')
const firstOfFilter = (node: Node): Node => oneOfFilter(node, 0n, 'first', 'find')
