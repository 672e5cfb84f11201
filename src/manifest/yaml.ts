/**
 * Text → trees with places. Hostile text costs bounded time: size, tokens, depth and what aliases expand to are limited
 * before anything grows, and messages never repeat the text's values (they may be secrets).
 */
import { Composer, type CST, Lexer, Parser, type YAMLParseError } from 'yaml'
import { convert, type Problem, tooDeep, treeLimits } from './convert.ts'
import type { Node } from './tree.ts'

export const limits = {
  /** Characters in one file. A Kubernetes object may have 1.5 MiB. */
  characters: 2 * 1024 * 1024,
  /** Tokens in one file (about six per line); each costs a few microseconds. */
  tokens: 100_000,
  /** Syntax mistakes told per file; those after are mostly echoes. */
  problems: 50,
} as const

export interface ParsedText {
  /** The documents without syntax mistakes, in order; empty ones are left out. */
  documents: Node[]
  problems: Problem[]
  /** Line and column, from 1, of an offset. */
  position(at: number): { line: number; column: number }
}

/** Parses a file's text. Never throws. */
export function parseYaml(original: string): ParsedText {
  const text = original.startsWith('\uFEFF') ? original.slice(1) : original
  const refused = refusal(text)
  if (refused !== null) return { documents: [], problems: [refused], position: positions(text) }
  const problems: Problem[] = []
  const documents: Node[] = []
  // `failsafe` leaves every scalar a string (scalar.ts decides), and the library's own check of keys is quadratic.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, prettyErrors: false, logLevel: 'silent' })
  for (const document of composer.compose(boundedTokens(text, problems))) {
    if (document.errors.length > 0) {
      problems.push(...document.errors.slice(0, limits.problems).map(syntaxProblem))
      continue
    }
    if (document.contents === null) continue
    const root = convert(document.contents, problems)
    if (root.kind !== 'scalar' || root.value !== null) documents.push(root)
  }
  if (problems.length > limits.problems) {
    const at = problems[limits.problems]!.at
    const more = problems.length - limits.problems
    problems.length = limits.problems
    problems.push({ at, severity: 'error', message: `${more} more mistakes of syntax are not shown` })
  }
  return { documents, problems, position: positions(text) }
}

/** What makes a text not worth parsing. */
function refusal(text: string): Problem | null {
  if (text.length > limits.characters) {
    return {
      at: 0,
      severity: 'error',
      message: `the file has ${text.length} characters; at most ${limits.characters} are read`,
      remedy: 'split it into several files',
    }
  }
  const odd = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\uFFFD\uFFFE\uFFFF]/.exec(text)
  if (odd === null) return null
  const code = odd[0].charCodeAt(0)
  return {
    at: odd.index,
    severity: 'error',
    message:
      code === 0xfffd
        ? 'this is not UTF-8 text'
        : `the control character U+${code.toString(16).toUpperCase().padStart(4, '0')} is not allowed in YAML`,
    remedy: 'is this really a YAML file? Save it as UTF-8 text',
  }
}

/** The parser's tokens, until a limit is reached; then a problem is noted and the rest of the file is left. */
function* boundedTokens(text: string, problems: Problem[]): Generator<CST.Token> {
  const parser = new Parser()
  let tokens = 0
  let errors = 0
  const stop = (message: string, remedy: string) => {
    problems.push({ at: Math.min(parser.offset, text.length), severity: 'error', message, remedy })
  }
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') errors++
      yield token
    }
    if (++tokens > limits.tokens)
      return stop(`the file has more than ${limits.tokens} tokens`, 'split it into several files')
    if (errors > limits.problems) return stop('there is too much wrong with the syntax', 'is this really a YAML file?')
    // A nested map and its value take up to three places on the parser's stack.
    if (parser.stack.length > 3 * treeLimits.depth) return stop(tooDeep.message, tooDeep.remedy)
  }
  yield* parser.end()
}

/** The library's message without the piece of text that it quotes, and what to do about it. */
function syntaxProblem({ code, message, pos }: YAMLParseError): Problem {
  const problem = (text: string, remedy?: string): Problem => ({ at: pos[0], severity: 'error', message: text, remedy })
  switch (code) {
    case 'TAB_AS_INDENT':
      return problem('a tab is used to indent', 'indent with spaces')
    case 'BAD_DQ_ESCAPE':
      return problem('invalid escape in double quotes', 'write \\\\ for a backslash, or use single quotes')
    case 'TAG_RESOLVE_FAILED':
      return problem('this tag cannot be used here', 'remove the tag, or quote a value that begins with !')
    case 'BAD_ALIAS':
      return problem('this is not a valid anchor or alias', 'quote a value that begins with * or &')
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'MULTILINE_IMPLICIT_KEY':
      return problem(
        'a key and its value must stand on one line',
        'check the indentation, or quote text with ": " in it',
      )
    case 'BAD_SCALAR_START':
      return problem('a value cannot begin with this character', 'put the value in quotes')
    case 'BAD_INDENT':
      return problem(cut(message), 'line the keys up with those above')
    default:
      return problem(cut(message))
  }
}

function cut(message: string): string {
  const words = message.replace(/: ".*$/s, '').replace(/\s+/g, ' ')
  return words.length > 120 ? 'the YAML cannot be read from here' : words.charAt(0).toLowerCase() + words.slice(1)
}

function positions(text: string): ParsedText['position'] {
  let starts: number[] | undefined
  return (at) => {
    if (at === 0) return { line: 1, column: 1 }
    starts ??= lineStarts(text)
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: Math.max(0, at - starts[low]!) + 1 }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
