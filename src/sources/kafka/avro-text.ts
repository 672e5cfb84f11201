/** Avro's scalar values as goavro writes them into JSON, with what Go's JSON encoder escapes besides. */
import { formatFloat } from '../../filter/format.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  // Of Go's encoder, whose digits are small while goavro's are large.
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
}
/** All but printable ASCII without what is escaped. By code units: what needs two of them is written as two escapes. */
const TO_ESCAPE = /["\\/<>&]|[^ -~]/g

const escaped = (c: string): string => ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`

const quoted = (text: string): string => `"${text.replace(TO_ESCAPE, escaped)}"`

/** UTF-8; what is none as `\uFFFD`. */
export const goText = (bytes: Uint8Array): string => quoted(decoded(bytes, 'utf8'))

/** Each byte as the character of its number. */
export const goBytes = (bytes: Uint8Array): string => quoted(decoded(bytes, 'latin1'))

const decoded = (bytes: Uint8Array, encoding: 'utf8' | 'latin1'): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding)

export function goDouble(value: number): string {
  if (Number.isNaN(value)) return 'null'
  if (!Number.isFinite(value)) return value > 0 ? '1e999' : '-1e999'
  return formatFloat(value)
}

/** @param value a number that a 32-bit float holds: its fewest digits are those that lead back to it, of two as near the even one */
export function goFloat(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return goDouble(value)
  const [all, power] = value.toExponential(EXACT).split('e') as [string, string]
  for (let digits = 0; digits < 9; digits++) {
    const end = all.indexOf('.') + 1 + digits
    const cut = Number(`${all.slice(0, end)}e${power}`)
    const halfway = /^50*$/.test(all.slice(end)) && Number(all.slice(0, end).at(-1)) % 2 === 0
    const short = halfway ? cut : Number(value.toExponential(digits))
    if (Math.fround(short) === value) return goDouble(short)
  }
  return goDouble(value)
}
/** Digits behind the point that tell a number halfway between two shorter ones from all others; the standard allows 100. */
const EXACT = 60
