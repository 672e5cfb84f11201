import { Problem } from './problem.ts'
import { toBytes } from './text.ts'

export type TokenKind = 'identifier' | 'number' | 'string' | 'operator' | 'bracket' | 'eof'

export interface Token {
  kind: TokenKind
  /** As written; for strings the unescaped byte string. */
  value: string
  at: number
}

const WORD_START = /[\p{L}_$]/u
const WORD = /[\p{L}\p{Nd}_$]/u
const SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/
const WORD_OPERATORS = new Set(['not', 'in', 'or', 'and', 'matches', 'contains', 'startsWith', 'endsWith', 'let'])

/** True for what may stand after a `.`: a name, also one that is an operator elsewhere. */
export function isName(text: string): boolean {
  return /^[\p{L}_$][\p{L}\p{Nd}_$]*$/u.test(text)
}

/** Splits an expression into tokens, the last of which is `eof`. @throws Problem */
export function lex(source: string): Token[] {
  const tokens: Token[] = []
  let i = 0
  const char = (k: number): string => {
    const point = source.codePointAt(k)
    return point === undefined ? '' : String.fromCodePoint(point)
  }
  const push = (kind: TokenKind, from: number, value = source.slice(from, i)) => tokens.push({ kind, value, at: from })
  const word = () => {
    for (let c = char(i); c !== '' && WORD.test(c); c = char(i)) i += c.length
  }

  while (i < source.length) {
    const from = i
    const c = char(i)
    i += c.length
    if (SPACE.test(c)) continue
    if (c === '"' || c === "'") {
      const end = endOfString(source, from)
      i = end
      push('string', from, unescaped(source.slice(from + 1, end - 1), c, from))
    } else if (c >= '0' && c <= '9') {
      i = endOfNumber(source, from)
      push('number', from)
    } else if (c === '?') {
      if (source[i] === '.' || source[i] === '?') i++
      push('operator', from)
    } else if (c === '/' && source[i] === '/') {
      const end = source.indexOf('\n', i)
      i = end < 0 ? source.length : end + 1
    } else if (c === '/' && source[i] === '*') {
      i = endOfComment(source, from)
    } else if (c === '#') {
      if (source[i] === '#') i++
      push('operator', from)
      const name = i
      word()
      if (i > name) push('identifier', name)
    } else if (c === '|') {
      if (source[i] === '|') i++
      push('operator', from)
    } else if ('([{)]}'.includes(c)) {
      push('bracket', from)
    } else if ('/,:;%+-^'.includes(c)) {
      push('operator', from)
    } else if ('&!=*<>'.includes(c)) {
      const next = source[i]
      if (next === '&' || next === '=' || next === '*') i++
      push('operator', from)
    } else if (c === '.') {
      const next = source[i] ?? ''
      if (next >= '0' && next <= '9') {
        i = endOfNumber(source, from)
        push('number', from)
      } else {
        if (next === '.') i++
        push('operator', from)
      }
    } else if (WORD.test(c)) {
      word()
      push(WORD_OPERATORS.has(source.slice(from, i)) ? 'operator' : 'identifier', from)
    } else {
      throw new Problem(`unrecognized character ${JSON.stringify(c)}`, from)
    }
  }
  tokens.push({ kind: 'eof', value: '', at: source.length })
  return tokens
}

function endOfComment(source: string, from: number): number {
  const end = source.indexOf('*/', from + 2)
  if (end < 0) throw new Problem('unclosed comment: expected */', from)
  return end + 2
}

/** Numbers as upstream's scanner takes them; whether they mean anything is the parser's business. */
function endOfNumber(source: string, from: number): number {
  let i = from
  let digits = /[0-9_]/
  if (source[i] === '0') {
    i++
    const base = source[i] ?? ''
    if ('xX'.includes(base) && base !== '') digits = /[0-9a-fA-F_]/
    else if ('oO'.includes(base) && base !== '') digits = /[0-7_]/
    else if ('bB'.includes(base) && base !== '') digits = /[01_]/
    if (base !== '' && 'xXoObB'.includes(base)) i++
  }
  const run = () => {
    while (i < source.length && digits.test(source[i] as string)) i++
  }
  run()
  if (source[i] === '.') {
    if (source[i + 1] === '.') return i // the range operator of `1..2`
    i++
    run()
  }
  if (source[i] === 'e' || source[i] === 'E') {
    i++
    if (source[i] === '+' || source[i] === '-') i++
    run()
  }
  const next = source.codePointAt(i)
  if (next !== undefined && (WORD_START.test(String.fromCodePoint(next)) || WORD.test(String.fromCodePoint(next))))
    throw new Problem(`bad number syntax: ${JSON.stringify(source.slice(from, i + 1))}`, from)
  return i
}

function endOfString(source: string, from: number): number {
  const quote = source[from]
  for (let i = from + 1; i < source.length; i++) {
    const c = source[i]
    if (c === quote) return i + 1
    if (c === '\n') break
    if (c === '\\') i++
  }
  throw new Problem('string is not terminated: expected the closing quote on the same line', from)
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

function unescaped(text: string, quote: string, at: number): string {
  const normal = text.replace(/\r\n?/g, '\n')
  if (!normal.includes('\\')) return toBytes(normal)
  let out = ''
  for (let i = 0; i < normal.length; ) {
    const c = normal[i] as string
    if (c !== '\\') {
      out += c
      i++
      continue
    }
    const e = normal[i + 1] ?? ''
    const simple = e === quote ? quote : Object.hasOwn(SIMPLE, e) ? SIMPLE[e] : undefined
    if (simple !== undefined) {
      out += simple
      i += 2
      continue
    }
    const match =
      /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/.exec(normal.slice(i + 1, i + 10)) ??
      undefined
    const hex = match?.[1] ?? match?.[2] ?? match?.[3]
    const point = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(match?.[4] ?? '', 8)
    if (match === undefined || Number.isNaN(point) || point > 0x10ffff)
      throw new Problem(`invalid escape \\${e} in a string`, at + 1 + i)
    out += point >= 0xd800 && point < 0xe000 ? '\ufffd' : String.fromCodePoint(point)
    i += 1 + match[0].length
  }
  return toBytes(out)
}
