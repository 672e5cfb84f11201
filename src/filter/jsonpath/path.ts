import { Problem } from '../problem.ts'
import { closing, endOfQuote } from './brackets.ts'
import { parseScript, type Script } from './script.ts'

/** One step of a JSONPath. */
export type Step =
  | { kind: 'root' | 'current' | 'wildcard' | 'recursive' | 'length' }
  | { kind: 'key'; key: string }
  | { kind: 'index'; index: number }
  | { kind: 'range'; bounds: [from: Bound, to: Bound, step: Bound] }
  | { kind: 'union'; members: (string | number | Script)[] }
  | { kind: 'filter' | 'script'; script: Script }

type Bound = number | Script | undefined

const LONGEST = 4096

/**
 * Parses a JSONPath: `$.a['b'][0]`, `$..c[*]`, `$[1:3]`, `$['a','b']`, `$[?(@.x > 1)]`, `$[(@.length-1)]`.
 * @throws Problem
 */
export function parsePath(text: string): Step[] {
  if (text.length > LONGEST) throw new Problem(`the JSONPath is longer than ${LONGEST} bytes`)
  const bad = () => new Problem(`invalid JSONPath ${JSON.stringify(text)}`)
  const head = text[0]
  if (head !== '$' && head !== '@') throw bad()
  const steps: Step[] = [{ kind: head === '$' ? 'root' : 'current' }]
  if (text.length > 1 && text[1] !== '.' && text[1] !== '[') throw bad()
  for (let i = 1; i < text.length; ) {
    if (text.startsWith('..', i)) {
      steps.push({ kind: 'recursive' })
      i += 2
      if (i === text.length || text[i] === '.' || text[i] === '[') continue
    } else if (text[i] === '.') {
      i++
      if (text[i] === '[') continue
    }
    if (text[i] === '[') {
      const end = closing(text, i)
      if (end < 0) throw bad()
      steps.push(subscript(text.slice(i + 1, end).trim(), bad))
      i = end + 1
    } else {
      const name = /^[^.[]*/.exec(text.slice(i))?.[0] as string
      steps.push(named(name.trim(), bad))
      i += name.length
    }
  }
  return steps
}

function named(name: string, bad: () => Problem): Step {
  if (name === '') throw bad()
  if (name === '*') return { kind: 'wildcard' }
  return name === 'length' ? { kind: 'length' } : { kind: 'key', key: name }
}

/** Cuts at separators outside quotes and brackets. */
function cut(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string
    if (c === "'" || c === '"') i = Math.max(i, endOfQuote(text, i))
    else if (c === '(' || c === '[') i = Math.max(i, closing(text, i))
    else if (c === separator) {
      parts.push(text.slice(from, i).trim())
      from = i + 1
    }
  }
  return [...parts, text.slice(from).trim()]
}

const INTEGER = /^[+-]?\d{1,15}$/
const isScript = (text: string): boolean =>
  text.length > 2 && text.startsWith('(') && closing(text, 0) === text.length - 1

function subscript(text: string, bad: () => Problem): Step {
  if (text === '') throw bad()
  if (text === '*') return { kind: 'wildcard' }
  if (text.startsWith('?')) {
    const inner = text.slice(1)
    if (!inner.startsWith('(') || !inner.endsWith(')')) throw bad()
    return { kind: 'filter', script: parseScript(inner.slice(1, -1), parsePath) }
  }
  const members = cut(text, ',')
  const bounds = cut(text, ':')
  if (members.length > 1) {
    if (bounds.length > 1) throw bad()
    return { kind: 'union', members: members.map((member) => argument(member, bad)) }
  }
  if (bounds.length > 3) throw bad()
  if (bounds.length > 1) {
    const [from, to, step] = bounds.map((bound) => {
      if (bound === '') return undefined
      const value = argument(bound, bad)
      if (typeof value === 'string') throw bad()
      return value
    })
    return { kind: 'range', bounds: [from, to, step] }
  }
  const only = argument(text, bad)
  if (typeof only === 'string') return { kind: 'key', key: only }
  return typeof only === 'number' ? { kind: 'index', index: only } : { kind: 'script', script: only }
}

function argument(text: string, bad: () => Problem): string | number | Script {
  const quote = text[0]
  if (text.length > 1 && (quote === "'" || quote === '"') && endOfQuote(text, 0) === text.length - 1)
    return text.slice(1, -1).replaceAll(`\\${quote}`, quote)
  if (INTEGER.test(text)) return Number(text)
  if (isScript(text)) return parseScript(text.slice(1, -1), parsePath)
  throw bad()
}
