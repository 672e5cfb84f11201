import { limits, type Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { characters, codePoints, fromBytes, toBytes } from './text.ts'
import { timeIntText } from './time/methods.ts'
import { GoFunc, GoInt, GoMap, GoSlice, typeName, type Value } from './values.ts'

/** Go's `%v`, as a byte string: `1e+06`, `[a b]`, `map[k:v]`, `<nil>`. */
export function formatValue(value: Value, meter: Meter, depth = 0): string {
  const out = formatted(value, meter, depth)
  meter.text(out.length)
  return out
}

function formatted(value: Value, meter: Meter, depth: number): string {
  if (depth > limits.dataDepth) throw new Problem(`the data is nested deeper than ${limits.dataDepth}`)
  if (value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatFloat(value)
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof GoInt) return toBytes(timeIntText(value) ?? String(value.value))
  if (value instanceof GoSlice) return `[${value.items.map((item) => formatValue(item, meter, depth + 1)).join(' ')}]`
  if (value instanceof GoMap) {
    const pairs = sortedKeys(value).map((key) => {
      const text = formatValue(key, meter, depth + 1)
      return `${text}:${formatValue(value.get(key) ?? null, meter, depth + 1)}`
    })
    return `map[${pairs.join(' ')}]`
  }
  if (value instanceof GoFunc) throw new Problem('a function has no text')
  meter.spend(300)
  return toBytes(value.text())
}

/** A map's keys in the order in which Go prints them: by type, then by value. */
export function sortedKeys(map: GoMap): Value[] {
  return map.keys().sort((a, b) => {
    const [x, y] = [typeName(a), typeName(b)]
    if (x !== y) return x < y ? -1 : 1
    const [l, r] = [a instanceof GoInt ? a.value : a, b instanceof GoInt ? b.value : b]
    return l === r ? 0 : (l as string) < (r as string) ? -1 : 1
  })
}

/** Go's `%v` of a float64: shortest digits, an exponent below 1e-04 and from 1e+06. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits, power] = value.toExponential().split('e') as [string, string]
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 6) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${digits}e${exponent < 0 ? '-' : '+'}${size}`
  }
  return String(value)
}

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

/** Go's `%q`. */
export function quote(bytes: string): string {
  const points = codePoints(bytes)
  const hex = (n: number, width: number) => n.toString(16).padStart(width, '0')
  const shown = characters(bytes).map((character, i) => {
    const point = points[i] as number
    const escaped = ESCAPES[point]
    if (escaped !== undefined) return escaped
    if (point === 0xfffd && character.length === 1) return `\\x${hex(character.charCodeAt(0), 2)}`
    if (PRINTABLE.test(fromBytes(character))) return character
    return point < 0x80 ? `\\x${hex(point, 2)}` : point < 0x10000 ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`
  })
  return `"${shown.join('')}"`
}
