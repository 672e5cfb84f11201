import { type Closure, type Node, over } from './ast.ts'
import { isName, lex, type Token, type TokenKind } from './lexer.ts'
import { limits } from './limits.ts'
import { BUILTIN_NAMES, PREDICATES } from './names.ts'
import { Problem } from './problem.ts'
import { toBytes } from './text.ts'

const UNARY: ReadonlyMap<string, number> = new Map([
  ['not', 50],
  ['!', 50],
  ['-', 90],
  ['+', 90],
])

const BINARY: ReadonlyMap<string, number> = new Map([
  ['|', 0],
  ['or', 10],
  ['||', 10],
  ['and', 15],
  ['&&', 15],
  ['==', 20],
  ['!=', 20],
  ['<', 20],
  ['>', 20],
  ['>=', 20],
  ['<=', 20],
  ['in', 20],
  ['matches', 20],
  ['contains', 20],
  ['startsWith', 20],
  ['endsWith', 20],
  ['..', 25],
  ['+', 30],
  ['-', 30],
  ['*', 60],
  ['/', 60],
  ['%', 60],
  ['**', 100],
  ['^', 100],
  ['??', 500],
])
const RIGHT_ASSOCIATIVE = new Set(['**', '^'])

/** Parses an expression of upstream's language (expr 1.15.5) into a tree. @throws Problem */
export function parse(source: string): Node {
  if (source.length > limits.expression)
    throw new Problem(`the expression has ${source.length} characters, more than ${limits.expression}`)
  const state: State = { tokens: lex(source), position: 0, closures: 0, nesting: 0 }
  const node = expression(state, 0)
  if (!is(state, 'eof')) throw unexpected(state)
  return node
}

interface State {
  readonly tokens: Token[]
  position: number
  /** How many closures we are in: `#` and a leading `.` mean something only there. */
  closures: number
  nesting: number
}

const current = (s: State): Token => s.tokens[s.position] as Token

function is(s: State, kind: TokenKind, value?: string): boolean {
  const token = current(s)
  return token.kind === kind && (value === undefined || token.value === value)
}

function next(s: State): Token {
  const token = current(s)
  if (s.position === s.tokens.length - 1) throw new Problem('unexpected end of expression', token.at)
  s.position++
  return token
}

function expect(s: State, kind: TokenKind, value?: string): Token {
  if (!is(s, kind, value)) throw unexpected(s, value === undefined ? `a ${kind}` : JSON.stringify(value))
  return next(s)
}

function unexpected(s: State, wanted?: string): Problem {
  const token = current(s)
  const found = token.kind === 'eof' ? 'end of expression' : `${token.kind} ${JSON.stringify(token.value)}`
  return new Problem(`unexpected ${found}${wanted === undefined ? '' : `, expected ${wanted}`}`, token.at)
}

/** Checks the depth of a node that was just made. */
function made<N extends Node>(node: N): N {
  if (node.depth > limits.depth) throw new Problem(`the expression is nested deeper than ${limits.depth}`, node.at)
  return node
}

function expression(s: State, precedence: number): Node {
  if (++s.nesting > limits.nesting)
    throw new Problem(`the expression is nested deeper than ${limits.nesting}`, current(s).at)
  const node = precedence === 0 && is(s, 'operator', 'let') ? declaration(s) : operators(s, precedence)
  s.nesting--
  return node
}

function operators(s: State, precedence: number): Node {
  let left = primary(s)
  let previous = ''
  let token = current(s)
  while (token.kind === 'operator') {
    let not: Token | undefined
    if (token.value === 'not') {
      // As upstream: `not` is taken here even when the operator after it binds too loosely to be ours.
      next(s)
      token = current(s)
      not = token
    }
    const own = token.kind === 'operator' || token.kind === 'identifier' ? BINARY.get(token.value) : undefined
    if (own === undefined || own < precedence) break
    next(s)
    if (token.value === '|') {
      left = pipe(s, left)
    } else {
      if (previous === '??' && token.value !== '??')
        throw new Problem(`${token.value} and ?? cannot be mixed: put one of them in parentheses`, token.at)
      const right = expression(s, RIGHT_ASSOCIATIVE.has(token.value) ? own : own + 1)
      const depth = over(left, right)
      left = made({ kind: 'binary', operator: token.value, left, right, at: token.at, depth })
      if (not !== undefined) left = made({ kind: 'unary', operator: 'not', node: left, at: not.at, depth: over(left) })
    }
    previous = token.value
    token = current(s)
  }
  return precedence === 0 ? conditional(s, left) : left
}

function declaration(s: State): Node {
  next(s)
  const name = expect(s, 'identifier')
  expect(s, 'operator', '=')
  const value = expression(s, 0)
  expect(s, 'operator', ';')
  const body = expression(s, 0)
  return made({ kind: 'let', name: toBytes(name.value), value, body, at: name.at, depth: over(value, body) })
}

function conditional(s: State, condition: Node): Node {
  let node = condition
  while (is(s, 'operator', '?')) {
    const { at } = next(s)
    let yes: Node
    if (is(s, 'operator', ':')) {
      yes = node
      next(s)
    } else {
      yes = expression(s, 0)
      expect(s, 'operator', ':')
    }
    const no = expression(s, 0)
    node = made({ kind: 'conditional', condition: node, yes, no, at, depth: over(node, yes, no) })
  }
  return node
}

function primary(s: State): Node {
  const token = current(s)
  if (token.kind === 'operator') {
    const binding = UNARY.get(token.value)
    if (binding !== undefined) {
      next(s)
      const node = expression(s, binding)
      return postfix(s, made({ kind: 'unary', operator: token.value, node, at: token.at, depth: over(node) }))
    }
  }
  if (is(s, 'bracket', '(')) {
    next(s)
    const node = expression(s, 0)
    expect(s, 'bracket', ')')
    return postfix(s, node)
  }
  if (is(s, 'operator', '#') || is(s, 'operator', '.')) {
    if (s.closures === 0)
      throw new Problem(`${token.value} stands for an element only inside the predicate of filter, map, …`, token.at)
    let name = ''
    if (token.value === '#') {
      next(s)
      if (is(s, 'identifier')) name = next(s).value
    }
    return postfix(s, { kind: 'pointer', name, at: token.at, depth: 1 })
  }
  return operand(s)
}

function operand(s: State): Node {
  const token = current(s)
  const { at } = token
  switch (token.kind) {
    case 'identifier':
      next(s)
      if (token.value === 'true' || token.value === 'false')
        return { kind: 'bool', value: token.value === 'true', at, depth: 1 }
      if (token.value === 'nil') return { kind: 'nil', at, depth: 1 }
      return postfix(s, call(s, token))
    case 'number':
      next(s)
      return number(token)
    case 'string':
      next(s)
      return { kind: 'string', value: token.value, at, depth: 1 }
    default:
      if (is(s, 'bracket', '[')) return postfix(s, arrayLiteral(s))
      if (is(s, 'bracket', '{')) return postfix(s, mapLiteral(s))
      throw unexpected(s)
  }
}

function number({ value, at }: Token): Node {
  const text = value.replaceAll('_', '')
  const bad = () => new Problem(`invalid number ${value}`, at)
  const isHex = text.includes('x')
  if (!isHex && /[.eE]/.test(text)) {
    const float = Number(text)
    if (!/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) || !Number.isFinite(float)) throw bad()
    return { kind: 'float', value: float, at, depth: 1 }
  }
  if (!(isHex ? /^0x[0-9a-fA-F]+$/ : /^\d+$/).test(text)) throw bad()
  const integer = BigInt(text)
  if (integer >= 2n ** 63n) throw new Problem(`the number ${value} does not fit in 64 bits`, at)
  return { kind: 'int', value: integer, at, depth: 1 }
}

function call(s: State, token: Token): Node {
  if (!is(s, 'bracket', '(')) return { kind: 'identifier', name: toBytes(token.value), at: token.at, depth: 1 }
  if (!PREDICATES.has(token.value)) return callOf(token, list(s))
  next(s)
  const args = [expression(s, 0)]
  expect(s, 'operator', ',')
  return predicate(s, token, args)
}

/** The rest of a call of `filter`, `map`, …: the closure, and the start value of `reduce`. */
function predicate(s: State, token: Token, args: Node[]): Node {
  args.push(closure(s))
  if (token.value === 'reduce' && is(s, 'operator', ',')) {
    next(s)
    args.push(expression(s, 0))
  }
  expect(s, 'bracket', ')')
  return made({ kind: 'builtin', name: token.value, args, at: token.at, depth: over(...args) })
}

function callOf({ value, at }: Token, args: Node[]): Node {
  const depth = over(...args) + 1
  if (BUILTIN_NAMES.has(value)) return made({ kind: 'builtin', name: value, args, at, depth })
  return made({ kind: 'call', callee: { kind: 'identifier', name: toBytes(value), at, depth: 1 }, args, at, depth })
}

function pipe(s: State, node: Node): Node {
  const token = expect(s, 'identifier')
  if (PREDICATES.has(token.value)) {
    expect(s, 'bracket', '(')
    return predicate(s, token, [node])
  }
  return callOf(token, [node, ...list(s)])
}

function closure(s: State): Closure {
  const { at } = current(s)
  const braces = is(s, 'bracket', '{')
  if (braces) next(s)
  s.closures++
  const node = expression(s, 0)
  s.closures--
  if (braces) expect(s, 'bracket', '}')
  return made({ kind: 'closure', node, at, depth: over(node) })
}

/** Arguments of a call. */
function list(s: State): Node[] {
  expect(s, 'bracket', '(')
  const nodes: Node[] = []
  while (!is(s, 'bracket', ')')) {
    if (nodes.length > 0) expect(s, 'operator', ',')
    nodes.push(expression(s, 0))
  }
  next(s)
  return nodes
}

function arrayLiteral(s: State): Node {
  const { at } = next(s)
  const nodes: Node[] = []
  while (!is(s, 'bracket', ']')) {
    if (nodes.length > 0) {
      expect(s, 'operator', ',')
      if (is(s, 'bracket', ']')) break
    }
    nodes.push(expression(s, 0))
  }
  next(s)
  return made({ kind: 'array', nodes, at, depth: over(...nodes) })
}

function mapLiteral(s: State): Node {
  const { at } = next(s)
  const pairs: { key: Node; value: Node }[] = []
  while (!is(s, 'bracket', '}')) {
    if (pairs.length > 0) {
      expect(s, 'operator', ',')
      if (is(s, 'bracket', '}')) break
    }
    const token = current(s)
    let key: Node
    if (token.kind === 'number' || token.kind === 'string' || token.kind === 'identifier') {
      next(s)
      const value = token.kind === 'string' ? token.value : toBytes(token.value)
      key = { kind: 'string', value, at: token.at, depth: 1 }
    } else if (is(s, 'bracket', '(')) {
      key = expression(s, 0)
    } else {
      throw unexpected(s, 'a key: a string, a number, a name, or an expression in parentheses')
    }
    expect(s, 'operator', ':')
    pairs.push({ key, value: expression(s, 0) })
  }
  next(s)
  return made({ kind: 'map', pairs, at, depth: over(...pairs.flatMap(({ key, value }) => [key, value])) })
}

function postfix(s: State, start: Node): Node {
  let node = start
  for (;;) {
    if (is(s, 'operator', '.') || is(s, 'operator', '?.')) node = member(s, node)
    else if (is(s, 'bracket', '[')) node = subscript(s, node)
    else return node
  }
}

function member(s: State, base: Node): Node {
  const optional = next(s).value === '?.'
  const token = current(s)
  if (token.kind !== 'identifier' && !(token.kind === 'operator' && isName(token.value)))
    throw unexpected(s, 'a name after the dot')
  next(s)
  const { at } = token
  const isChain = base.kind === 'chain'
  const inner = isChain ? base.node : base
  const property: Node = { kind: 'string', value: toBytes(token.value), at, depth: 1 }
  let node: Node = made({ kind: 'member', node: inner, property, optional, at, depth: over(inner) })
  if (is(s, 'bracket', '(')) {
    const args = list(s)
    node = made({ kind: 'call', callee: node, args, at, depth: over(node, ...args) })
  }
  return isChain || optional ? made({ kind: 'chain', node, at, depth: over(node) }) : node
}

function subscript(s: State, node: Node): Node {
  const { at } = next(s)
  const from = is(s, 'operator', ':') ? undefined : expression(s, 0)
  if (is(s, 'operator', ':')) {
    next(s)
    const to = is(s, 'bracket', ']') ? undefined : expression(s, 0)
    expect(s, 'bracket', ']')
    return made({ kind: 'slice', node, from, to, at, depth: over(node, from, to) })
  }
  expect(s, 'bracket', ']')
  const property = from as Node
  return made({ kind: 'member', node, property, optional: false, at, depth: over(node, property) })
}
