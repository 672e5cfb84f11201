import { limits, type Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { bufferOf, fromBytes, toBytes } from './text.ts'
import { ANYS, BYTES, OBJECT } from './types.ts'
import { GoFunc, GoInt, GoMap, GoSlice, typeName, type Value } from './values.ts'

/**
 * Decodes JSON as Go does into `any`: numbers are float64, objects maps, arrays slices of any. Objects and arrays are
 * turned into values when they are looked at.
 * @throws Problem when it is not JSON, nested too deeply, or holds a number beyond float64
 */
export function decodeJson(text: string, meter: Meter): Value {
  if (deeper(text, limits.dataDepth)) throw new Problem(`the JSON is nested deeper than ${limits.dataDepth}`)
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (error) {
    throw new Problem(`not JSON: ${(error as Error).message}`)
  }
  // Only a number with a long exponent or very many digits can overflow; then look at all of them now, as Go does.
  if (/[eE]\+?\d{3}|\d{309}/.test(text)) refuseInfinity(raw)
  return fromRaw(raw, meter)
}

function refuseInfinity(raw: unknown): void {
  if (raw === Number.POSITIVE_INFINITY || raw === Number.NEGATIVE_INFINITY)
    throw new Problem('the JSON holds a number beyond float64')
  if (typeof raw === 'object' && raw !== null) for (const member of Object.values(raw)) refuseInfinity(member)
}

function fromRaw(raw: unknown, meter: Meter): Value {
  if (typeof raw === 'string') return toBytes(raw)
  if (Array.isArray(raw))
    return new GoSlice(ANYS, () => {
      meter.spend(raw.length / 2)
      return raw.map((item) => fromRaw(item, meter))
    })
  if (typeof raw === 'object' && raw !== null) {
    return new GoMap(OBJECT, () => {
      const members = Object.entries(raw)
      meter.spend(2 + members.length)
      return new Map(members.map(([key, value]) => [toBytes(key), fromRaw(value, meter)]))
    })
  }
  return raw as null | boolean | number
}

/** True when brackets outside strings are nested deeper than `most`. */
function deeper(text: string, most: number): boolean {
  if (text.length <= most) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: {
        i++
        while (i < text.length && text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1
        break
      }
      case 0x5b:
      case 0x7b:
        if (++depth > most) return true
        break
      case 0x5d:
      case 0x7d:
        depth--
    }
  }
  return false
}

export interface JsonStyle {
  /** Two spaces per level. */
  pretty?: boolean
  /** Leave `<`, `>` and `&` as they are. */
  raw?: boolean
}

/** JSON of a value as Go's encoder writes it, as a byte string. @throws Problem for what has no JSON */
export function encodeJson(value: Value, meter: Meter, style: JsonStyle = {}): string {
  return encode(value, meter, style, 0)
}

function encode(value: Value, meter: Meter, style: JsonStyle, depth: number): string {
  if (depth > limits.dataDepth) throw new Problem(`the data is nested deeper than ${limits.dataDepth}`)
  const text = encoded(value, meter, style, depth)
  meter.text(text.length)
  return text
}

function encoded(value: Value, meter: Meter, style: JsonStyle, depth: number): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return encodeString(value, style)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Problem('NaN and infinity have no JSON')
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (value instanceof GoInt) return String(value.value)
  if (value instanceof GoSlice) {
    if (value.isNil) return 'null'
    if (value.type.name === BYTES.name) {
      const bytes = Buffer.from(value.items.map((item) => Number((item as GoInt).value)))
      return `"${bytes.toString('base64')}"`
    }
    return enclose(
      '[]',
      value.items.map((item) => encode(item, meter, style, depth + 1)),
      style,
      depth,
    )
  }
  if (value instanceof GoMap) {
    if (value.isNil) return 'null'
    if (value.type.key?.kind !== 'string') throw new Problem(`${value.type.name} has no JSON: its keys are not strings`)
    const members = [...value.entries.keys()].sort().map((key) => {
      const member = encode(value.entries.get(key) as Value, meter, style, depth + 1)
      return `${encodeString(key, style)}:${style.pretty ? ' ' : ''}${member}`
    })
    return enclose('{}', members, style, depth)
  }
  if (value instanceof GoFunc) throw new Problem(`${typeName(value)} has no JSON`)
  meter.spend(300)
  return value.json()
}

function enclose([open, close]: string, parts: string[], { pretty }: JsonStyle, depth: number): string {
  if (!pretty || parts.length === 0) return open + parts.join(',') + close
  const indent = '  '.repeat(depth + 1)
  return `${open}\n${indent}${parts.join(`,\n${indent}`)}\n${'  '.repeat(depth)}${close}`
}

const HTML = /[<>&]/g
const SEPARATORS = /[\u2028\u2029]/g
const escaped = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`

function encodeString(bytes: string, { raw }: JsonStyle): string {
  const json = JSON.stringify(fromBytes(bytes)).replace(SEPARATORS, escaped)
  return toBytes(raw ? json : json.replace(HTML, escaped))
}

/** The bytes of a byte string decoded as JSON text. */
export function decodeBytes(bytes: string, meter: Meter): Value {
  meter.spend(20 + bytes.length / 4)
  return decodeJson(fromBytes(bytes), meter)
}

/** Base64 (standard, padded) of a byte string. */
export function toBase64(bytes: string): string {
  return bufferOf(bytes).toString('base64')
}

/** The reverse of {@link toBase64}; line breaks are skipped, everything else must be exact. @throws Problem */
export function fromBase64(text: string): string {
  const compact = text.replace(/[\r\n]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact))
    throw new Problem('illegal base64 data')
  return Buffer.from(compact, 'base64').toString('latin1')
}
