import { repeatCounted, replaceCounted } from '../builtins-texts.ts'
import { formatValue, quote } from '../format.ts'
import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { fromBytes, isSpace, lower, ofCodePoints, splitText, trimSet, trimSpace, upper } from '../text.ts'
import { BYTES, STRING_MAP } from '../types.ts'
import { type GoInt, GoMap, GoSlice, strings, type Value } from '../values.ts'
import { pascal, separated, swapped, titled, uncapitalized } from './casing.ts'
import { define, type Functions } from './define.ts'

/** sprig's text of a value: strings as they are, bytes as a string, the rest as `%v`. */
export function textOf(value: Value, meter: Meter): string {
  if (typeof value === 'string') return value
  if (value instanceof GoSlice && value.type.name === BYTES.name)
    return value.items.map((item) => String.fromCharCode(Number((item as GoInt).value))).join('')
  return formatValue(value, meter)
}

/** sprig's `toStrings`: texts of all elements but nil; of one value, that. */
export function textsOf(value: Value, meter: Meter): string[] {
  if (!(value instanceof GoSlice)) return value === null ? [] : [textOf(value, meter)]
  meter.elements(value.items.length)
  return value.items.filter((item) => item !== null).map((item) => textOf(item, meter))
}

function counted(text: string, meter: Meter): string {
  meter.text(text.length)
  return text
}

/** A mapping that looks at each character, counted. */
function perCharacter(map: (text: string) => string, text: string, meter: Meter): string {
  meter.characters(text.length)
  return counted(map(text), meter)
}

function abbreviate(text: string, from: number, width: number): string {
  if (text.length <= width) return text
  let offset = Math.min(from, text.length)
  if (text.length - offset < width - 3) offset = text.length - (width - 3)
  if (offset <= 4) return `${text.slice(0, width - 3)}...`
  if (offset + width - 3 < text.length) return `...${abbreviate(text.slice(offset), 0, width - 3)}`
  return `...${text.slice(text.length - (width - 3))}`
}

/** Wraps at spaces so that no line is longer than `width` bytes. */
function wrap(text: string, width: number, separator: string, long: boolean, meter: Meter): string {
  const between = separator === '' ? '\n' : separator
  const most = Math.max(1, width)
  const lines: string[] = []
  let at = 0
  meter.text((text.length / most + 1) * between.length)
  while (text.length - at > most) {
    if (text[at] === ' ') {
      at++
      continue
    }
    const space = text.lastIndexOf(' ', at + most)
    const next = space >= at ? space : long ? at + most : text.indexOf(' ', at + most)
    if (next < 0) break
    lines.push(text.slice(at, next))
    at = space >= at || !long ? next + 1 : next
  }
  return counted([...lines, text.slice(at)].join(between), meter)
}

/** By bytes, each of which becomes a character of its own: what upstream does to text that is not ASCII. */
function byBytes(text: string, keep: (byte: number) => boolean): string {
  const kept = [...text].map((c) => c.charCodeAt(0)).filter(keep)
  return kept.length === text.length ? text : ofCodePoints(kept)
}

function initials(text: string): string {
  let gap = true
  const points: number[] = []
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i)
    if (isSpace(byte)) gap = true
    else if (gap) {
      points.push(byte)
      gap = false
    }
  }
  return ofCodePoints(points)
}

function substring(start: number, end: number, text: string): string {
  if (start < 0) {
    if (end < 0 || end > text.length) throw new Problem('substr: out of range')
    return text.slice(0, end)
  }
  const last = end < 0 || end > text.length ? text.length : end
  if (start > last) throw new Problem('substr: out of range')
  return text.slice(start, last)
}

function truncated(count: number, text: string): string {
  if (count < 0 && text.length + count > 0) return text.slice(text.length + count)
  return count >= 0 && text.length > count ? text.slice(0, count) : text
}

function numbered(parts: string[], meter: Meter): GoMap {
  meter.elements(parts.length)
  return new GoMap(STRING_MAP, new Map(parts.map((part, i) => [`_${i}`, part])))
}

function indent(spaces: bigint, text: string, meter: Meter): string {
  const pad = repeatCounted(' ', Number(spaces), meter)
  return pad + replaceCounted(text, '\n', `\n${pad}`, -1, meter)
}

const trimAll = define('ss:s', ([cutset, text], meter) => perCharacter((t) => trimSet(t, cutset), text, meter))

export const texts: Functions = {
  fail: define('s:s', ([message]) => {
    throw new Problem(fromBytes(message))
  }),
  hello: define(':s', () => 'Hello!'),
  abbrev: define('is:s', ([width, text]) => (width < 4n ? text : abbreviate(text, 0, Number(width)))),
  abbrevboth: define('iis:s', ([left, right, text]) =>
    right < 4n || (left > 0n && right < 7n) ? text : abbreviate(text, Number(left), Number(right)),
  ),
  trunc: define('is:s', ([count, text]) => truncated(Number(count), text)),
  trim: define('s:s', ([text], meter) => perCharacter(trimSpace, text, meter)),
  upper: define('s:s', ([text], meter) => perCharacter(upper, text, meter)),
  lower: define('s:s', ([text], meter) => perCharacter(lower, text, meter)),
  title: define('s:s', ([text], meter) => perCharacter(titled, text, meter)),
  untitle: define('s:s', ([text], meter) => perCharacter(uncapitalized, text, meter)),
  swapcase: define('s:s', ([text], meter) => perCharacter(swapped, text, meter)),
  snakecase: define('s:s', ([text], meter) => perCharacter((t) => separated(t, '_'), text, meter)),
  kebabcase: define('s:s', ([text], meter) => perCharacter((t) => separated(t, '-'), text, meter)),
  camelcase: define('s:s', ([text], meter) => perCharacter(pascal, text, meter)),
  substr: define('iis:s', ([start, end, text]) => substring(Number(start), Number(end), text)),
  repeat: define('is:s', ([count, text], meter) => repeatCounted(text, Number(count), meter)),
  trimall: trimAll,
  trimAll,
  trimSuffix: define('ss:s', ([suffix, text]) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  trimPrefix: define('ss:s', ([prefix, text]) => (text.startsWith(prefix) ? text.slice(prefix.length) : text)),
  nospace: define('s:s', ([text], meter) =>
    counted(
      byBytes(text, (byte) => !isSpace(byte)),
      meter,
    ),
  ),
  initials: define('s:s', ([text], meter) => perCharacter(initials, text, meter)),
  wrap: define('is:s', ([width, text], meter) => wrap(text, Number(width), '', false, meter)),
  wrapWith: define('iss:s', ([width, separator, text], meter) => wrap(text, Number(width), separator, true, meter)),
  contains: define('ss:b', ([part, text]) => text.includes(part)),
  hasPrefix: define('ss:b', ([prefix, text]) => text.startsWith(prefix)),
  hasSuffix: define('ss:b', ([suffix, text]) => text.endsWith(suffix)),
  quote: define('a*:s', (args, meter) =>
    args
      .filter((x) => x !== null)
      .map((x) => perCharacter(quote, textOf(x, meter), meter))
      .join(' '),
  ),
  squote: define('a*:s', (args, meter) =>
    args
      .filter((x) => x !== null)
      .map((x) => `'${formatValue(x, meter)}'`)
      .join(' '),
  ),
  cat: define('a*:s', (args, meter) =>
    args
      .filter((x) => x !== null)
      .map((x) => formatValue(x, meter))
      .join(' '),
  ),
  indent: define('is:s', ([spaces, text], meter) => indent(spaces, text, meter)),
  nindent: define('is:s', ([spaces, text], meter) => `\n${indent(spaces, text, meter)}`),
  replace: define('sss:s', ([old, by, text], meter) => replaceCounted(text, old, by, -1, meter)),
  plural: define('ssi:s', ([one, many, count]) => (count === 1n ? one : many)),
  toString: define('a:s', ([x], meter) => textOf(x, meter)),
  toStrings: define('a:S', ([x], meter) => strings(textsOf(x, meter))),
  join: define('sa:s', ([separator, list], meter) => {
    const parts = textsOf(list, meter)
    meter.text(parts.reduce((sum, part) => sum + part.length + separator.length, 0))
    return parts.join(separator)
  }),
  sortAlpha: define('a:S', ([list], meter) => {
    const parts = list instanceof GoSlice ? textsOf(list, meter) : [textOf(list, meter)]
    meter.spend(parts.length * 20)
    return strings(parts.sort())
  }),
  split: define('ss:M', ([separator, text], meter) => numbered(splitText(text, separator, -1), meter)),
  splitn: define('sis:M', ([separator, count, text], meter) =>
    numbered(splitText(text, separator, Number(count)), meter),
  ),
  splitList: define('ss:S', ([separator, text], meter) => {
    const parts = splitText(text, separator, -1)
    meter.elements(parts.length)
    return strings(parts)
  }),
}
