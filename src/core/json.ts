import { fail } from './errors.ts'
import { compactBytes, scanJson } from './json-scan.ts'

const ESCAPES: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
  '\ufffd': '\\ufffd',
}
const MUST_ESCAPE = /[<>&\u2028\u2029\ufffd]/
const TO_ESCAPE = /[<>&\u2028\u2029\ufffd]/g
/** Text that needs no escape at all, which most is. */
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/
const escaped = (c: string): string => ESCAPES[c] ?? c

/**
 * A string as Go's `encoding/json` writes it: HTML characters and U+2028/9 escaped; what could not be decoded (U+FFFD, lone
 * surrogates) as `\ufffd`, which is how Go marks invalid UTF-8.
 */
export function goJsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  const json = JSON.stringify(text.isWellFormed() ? text : text.toWellFormed())
  return MUST_ESCAPE.test(json) ? json.replace(TO_ESCAPE, escaped) : json
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
 * keep their order (a struct); a `Map` is a Go map, its keys sorted (see {@link sortedMap}). Bytes become base64.
 */
export function goJson(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return goJsonString(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : JSON.stringify(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof RawJson) return value.text
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`
  const members: string[] = []
  if (value instanceof Map) {
    for (const key of sortedKeys(value as Map<string, unknown>)) {
      members.push(`${goJsonString(key)}:${goJson(value.get(key))}`)
    }
    return `{${members.join(',')}}`
  }
  for (const [key, member] of Object.entries(value as object)) {
    if (member !== undefined) members.push(`${goJsonString(key)}:${goJson(member)}`)
  }
  return `{${members.join(',')}}`
}

/** A Go map, for {@link goJson}: written with its keys in Go's order (bytewise). */
export function sortedMap<T>(map: Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return new Map(Object.entries(map))
}

/**
 * A decoded JSON value as Go decodes it into an `interface{}`: objects become maps, whose keys {@link goJson} sorts.
 * @throws EVENT_INVALID for a number that is none in Go; RangeError for nesting that this process cannot follow
 */
export function goValue(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw fail('EVENT_INVALID', 'json: cannot unmarshal number into Go value of type float64')
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(goValue)
  return new Map(Object.entries(value).map(([key, member]) => [key, goValue(member)]))
}

/** A Go map of strings or string lists, written as {@link goJson} does, without a detour: the header maps of a busy listener. */
export function goJsonOfMap(map: Readonly<Record<string, string | readonly string[]>>): string {
  let json = ''
  let before = ''
  for (const key of Object.keys(map)) {
    // Not in order, or perhaps not in bytewise order: the long way.
    if (key < before || !ASCII.test(key)) return goJson(sortedMap(map))
    before = key
    const value = map[key]!
    json += json === '' ? '{' : ','
    json += `${goJsonString(key)}:${typeof value === 'string' ? goJsonString(value) : goJsonList(value)}`
  }
  return json === '' ? '{}' : `${json}}`
}

function goJsonList(values: readonly string[]): string {
  return values.length === 1 ? `[${goJsonString(values[0]!)}]` : `[${values.map(goJsonString).join(',')}]`
}

/** Keys in the bytewise order of UTF-8, which is that of UTF-16 code units only as long as all is ASCII. */
function sortedKeys(map: ReadonlyMap<string, unknown>): string[] {
  const keys = [...map.keys()]
  return keys.every((key) => ASCII.test(key))
    ? keys.sort()
    : keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
const ASCII = /^[\x00-\x7f]*$/

/**
 * Raw JSON from outside as upstream embeds it (`json.RawMessage`): validated, white space removed, HTML characters escaped,
 * but otherwise kept byte for byte: number text, key order, duplicate keys, invalid UTF-8.
 * @returns `body` itself when it is compact already
 * @throws EVENT_INVALID with upstream's whole message when it is empty or not JSON
 */
export function compactJsonBytes(body: Uint8Array): Uint8Array {
  const scan = scanJson(body)
  if (scan.error !== null) {
    throw fail('EVENT_INVALID', `json: error calling MarshalJSON for type *json.RawMessage: ${scan.error}`)
  }
  return compactBytes(body, scan)
}

/** {@link compactJsonBytes} as text for {@link goJson}; invalid UTF-8 becomes U+FFFD. @throws EVENT_INVALID */
export function compactJson(body: Uint8Array): RawJson {
  const bytes = compactJsonBytes(body)
  return new RawJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
}
