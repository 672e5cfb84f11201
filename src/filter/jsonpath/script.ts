import { parseFloat64 } from '../builtins-numbers.ts'
import { formatValue } from '../format.ts'
import { decodeBytes } from '../json.ts'
import type { Meter } from '../limits.ts'
import { Problem, swallow } from '../problem.ts'
import { compileDynamic, matches } from '../regex.ts'
import { GoMap, GoSlice, type Value } from '../values.ts'
import { closing, endOfQuote } from './brackets.ts'
import type { Step } from './path.ts'

/** What stands in `[?( … )]` and `[( … )]`. */
export type Script =
  | { kind: 'literal'; text: string }
  | { kind: 'path'; steps: Step[] }
  | { kind: 'not'; of: Script }
  | { kind: 'operation'; operator: string; left: Script; right: Script }

/** How a script gets at the document. */
export interface Scope {
  readonly meter: Meter
  /** The value of a path from the document or the current element. @throws Problem when there is none */
  select(steps: Step[]): Value
}

/** From the loosest to the tightest; each takes its first occurrence, so all of them group to the right. */
const OPERATORS = ['||', '&&', '==', '!=', '<=', '>=', '<', '>', '=~', '+', '-', '**', '*', '/', '%', 'not in', 'in']
const MOST_NESTED = 100

/**
 * @param path parses the paths in it
 * @throws Problem
 */
export function parseScript(text: string, path: (text: string) => Step[], depth = 0): Script {
  if (depth > MOST_NESTED) throw new Problem('the expression in the JSONPath is nested too deeply')
  const trimmed = text.trim()
  if (trimmed === '') throw new Problem('an expression in the JSONPath is empty')
  for (const [level, operator] of OPERATORS.entries()) {
    if (level === 9 && trimmed.startsWith('!'))
      return { kind: 'not', of: parseScript(trimmed.slice(1), path, depth + 1) }
    const at = find(trimmed, operator)
    if (at < 0) continue
    const [left, right] = [trimmed.slice(0, at), trimmed.slice(at + operator.length)]
    if (left.trim() === '' || right.trim() === '') continue
    return {
      kind: 'operation',
      operator,
      left: parseScript(left, path, depth + 1),
      right: parseScript(right, path, depth + 1),
    }
  }
  if (trimmed.startsWith('(') && closing(trimmed, 0) === trimmed.length - 1)
    return parseScript(trimmed.slice(1, -1), path, depth + 1)
  if (trimmed.startsWith('@') || trimmed.startsWith('$')) return { kind: 'path', steps: path(trimmed) }
  return { kind: 'literal', text: trimmed }
}

/** The first place of an operator outside quotes and brackets. */
function find(text: string, operator: string): number {
  const isWord = /[a-z]/.test(operator)
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string
    if (c === "'" || c === '"') i = Math.max(i, endOfQuote(text, i))
    else if (c === '(' || c === '[') i = Math.max(i, closing(text, i))
    else if (text.startsWith(operator, i) && stands(text, i, operator, isWord)) return i
  }
  return -1
}

function stands(text: string, at: number, operator: string, isWord: boolean): boolean {
  const [before, after] = [text[at - 1] ?? ' ', text[at + operator.length] ?? ' ']
  if (isWord) return /[\s\])'"]/.test(before) && /[\s[(@$'"]/.test(after)
  // `.*` is a wildcard and `**` no product.
  return !(operator === '*' && (before === '.' || before === '*' || after === '*'))
}

/** Evaluates a script. Texts that a path gives are in quotes, as upstream compares them. @throws Problem */
export function runScript(script: Script, scope: Scope): Value {
  if (script.kind !== 'literal') return operand(script, scope)
  const number = parseFloat64(script.text)
  if (number !== undefined) return number
  return boolOf(script.text) ?? (isNull(script.text) ? null : script.text)
}

const isNull = (text: string): boolean => text === 'null' || text === 'nil'

function operand(script: Script, scope: Scope): Value {
  scope.meter.spend(1)
  switch (script.kind) {
    case 'literal':
      return isNull(script.text) ? null : script.text
    case 'path': {
      const value = scope.select(script.steps)
      return typeof value === 'string' && !/^'[\s\S]*'$/.test(value) ? `'${value}'` : value
    }
    case 'not':
      return !toBoolean(operand(script.of, scope), scope)
    case 'operation':
      return operation(script, scope)
  }
}

function operation({ operator, left, right }: Extract<Script, { kind: 'operation' }>, scope: Scope): Value {
  const a = operand(left, scope)
  const b = operand(right, scope)
  const numbers = (): [number, number] => [toNumber(a, scope), toNumber(b, scope)]
  switch (operator) {
    case '||':
    case '&&': {
      const [x, y] = [toBoolean(a, scope), toBoolean(b, scope)]
      return operator === '||' ? x || y : x && y
    }
    case '==':
      return isEqual(a, b, scope)
    case '!=':
      return !isEqual(a, b, scope)
    case '=~': {
      const [text, pattern] = [a, b].map((x) => toText(x, scope).replace(/^'([\s\S]*)'$/, '$1')) as [string, string]
      return matches(compileDynamic(pattern, scope.meter), text, scope.meter)
    }
    case 'in':
      return isIn(a, b, scope)
    case 'not in':
      return !isIn(a, b, scope)
  }
  const [x, y] = numbers()
  switch (operator) {
    case '<':
      return x < y
    case '<=':
      return x <= y
    case '>':
      return x > y
    case '>=':
      return x >= y
    case '+':
      return x + y
    case '-':
      return x - y
    case '*':
      return x * y
    case '/':
      return x / y
    case '**':
      return x ** y
    default:
      if (!Number.isSafeInteger(x) || !Number.isSafeInteger(y) || y === 0) throw new Problem('% takes integers')
      return x % y
  }
}

function toNumber(value: Value, { meter }: Scope): number {
  const number = parseFloat64(formatValue(value, meter))
  if (number === undefined) throw new Problem('expected a number in the JSONPath')
  return number
}

function boolOf(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
}

function toBoolean(value: Value, { meter }: Scope): boolean {
  if (value === null) return false
  const bool = boolOf(formatValue(value, meter))
  if (bool === undefined) throw new Problem('expected a bool in the JSONPath')
  return bool
}

function toText(value: Value, { meter }: Scope): string {
  return formatValue(value, meter).replace(/^"([\s\S]*)"$/, "'$1'")
}

function isEqual(a: Value, b: Value, scope: Scope): boolean {
  const [x, y] = [a, b].map((value) => swallow(() => toNumber(value, scope), undefined))
  return x !== undefined && y !== undefined ? x === y : toText(a, scope) === toText(b, scope)
}

function isIn(needle: Value, haystack: Value, scope: Scope): boolean {
  const list = typeof haystack === 'string' ? decodeBytes(haystack, scope.meter) : haystack
  const items = list instanceof GoSlice ? list.items : list instanceof GoMap ? [...list.entries.values()] : undefined
  if (items === undefined) throw new Problem('expected a list after in')
  const wanted = swallow<Value>(() => toNumber(needle, scope), toText(needle, scope).replace(/^'([\s\S]*)'$/, '$1'))
  scope.meter.spend(items.length)
  return items.some((item) => item === wanted || (typeof item === 'boolean' && String(item) === wanted))
}
