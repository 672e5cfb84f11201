import { fail } from './errors.ts'

const ESCAPES: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}
const TO_ESCAPE = /[<>&\u2028\u2029]/g
const escaped = (c: string): string => ESCAPES[c] ?? c

/** A string as Go's `encoding/json` writes it: HTML characters and U+2028/9 escaped, lone surrogates U+FFFD. */
export function goJsonString(text: string): string {
  const json = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed())
  return TO_ESCAPE.test(json) ? json.replace(TO_ESCAPE, escaped) : json
}

/** JSON text that is put into an encoding as it stands (already compact and escaped). */
export class RawJson {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/**
 * A value as Go's `encoding/json` writes it: no spaces, HTML escapes, `undefined` members left out. Object members
 * keep their order (a struct); for a Go map, sort the keys first with {@link sortedMap}. Bytes become base64.
 */
export function goJson(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return goJsonString(value)
  if (typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value)
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof RawJson) return value.text
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  const members: string[] = []
  for (const [key, member] of Object.entries(value as object)) {
    if (member !== undefined) members.push(`${goJsonString(key)}:${goJson(member)}`)
  }
  return `{${members.join(',')}}`
}

/** A copy of a map with its keys in Go's order (bytewise). */
export function sortedMap<T>(map: Record<string, T>): Record<string, T> {
  const keys = Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return Object.fromEntries(keys.map((key) => [key, map[key] as T]))
}

/**
 * Raw JSON from outside, validated, with white space removed and HTML characters escaped, but otherwise kept: number text,
 * key order and duplicate keys survive (upstream embeds bodies as `json.RawMessage`).
 * @throws EVENT_INVALID with Go's wording when it is empty or not JSON
 */
export function compactJson(body: Uint8Array): RawJson {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  checkJson(text)
  return new RawJson(stripSpace(text).replace(TO_ESCAPE, escaped))
}

/** White space outside strings removed; the text is known to be JSON. */
function stripSpace(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|[\t\n\r ]+/g, (_, string: string | undefined) => string ?? '')
}

function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch {
    const why = text.trim() === '' ? 'unexpected end of JSON input' : goSyntaxError(text)
    throw fail('EVENT_INVALID', why)
  }
}

/** Go's words for the first thing wrong in `text`, which V8 has already refused. */
function goSyntaxError(text: string): string {
  const first = text.trimStart()[0] ?? ''
  if (!/[{["0-9\-tfn]/.test(first)) return `invalid character ${quoteChar(first)} looking for beginning of value`
  let message = ''
  try {
    JSON.parse(text)
  } catch (error) {
    message = (error as Error).message
  }
  const position = /position (\d+)/.exec(message)?.[1]
  if (position === undefined || /end of JSON input|Unterminated/.test(message)) return 'unexpected end of JSON input'
  return `invalid character ${quoteChar(text[Number(position)] ?? '')} in JSON at byte ${position}`
}

function quoteChar(c: string): string {
  return c === "'" ? `'\\''` : `'${JSON.stringify(c).slice(1, -1)}'`
}
