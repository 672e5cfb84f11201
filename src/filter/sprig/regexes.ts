import type { RE2JS } from 're2js'
import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { compileDynamic, matches, textFor } from '../regex.ts'
import { fromBytes, toBytes } from '../text.ts'
import { STRINGS } from '../types.ts'
import { GoSlice, strings } from '../values.ts'
import { define, type Functions } from './define.ts'

interface Found {
  start: number
  end: number
  group: (name: string | number) => string | null
}

/** All matches as Go finds them: an empty match right after another match does not count. */
function* allMatches(regex: RE2JS, text: string, meter: Meter): Generator<Found> {
  const matcher = regex.matcher(text)
  let previousEnd = -1
  for (let at = 0; at <= text.length; ) {
    // Each search may read to the end of the text.
    meter.spend(10 + (text.length - at) * Math.max(2, regex.programSize() / 5))
    if (!matcher.find(at)) return
    const [start, end] = [matcher.start(), matcher.end()]
    const isEmpty = end === at
    const counts = !(isEmpty && start === previousEnd)
    if (isEmpty) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
    else at = end
    previousEnd = end
    if (counts) yield { start, end, group: (name) => matcher.group(name as string) ?? null }
  }
}

function findAll(regex: RE2JS, bytes: string, most: bigint, meter: Meter): GoSlice {
  const text = fromBytes(bytes)
  const found: string[] = []
  if (most !== 0n) {
    for (const { start, end } of allMatches(regex, text, meter)) {
      found.push(toBytes(text.slice(start, end)))
      if (most > 0n && BigInt(found.length) >= most) break
    }
  }
  meter.elements(found.length)
  return found.length === 0 ? new GoSlice(STRINGS, [], { isNil: true }) : strings(found)
}

/** Go's template: `$1`, `${1}`, `$name`, `${name}`, `$$`; what names no group is nothing. */
function expand(template: string, found: Found): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    if (whole === '$$') return '$'
    const name = (braced ?? bare) as string
    try {
      return found.group(/^\d+$/.test(name) ? Number(name) : name) ?? ''
    } catch {
      return ''
    }
  })
}

function replaceAll(regex: RE2JS, bytes: string, by: string, literal: boolean, meter: Meter): string {
  const text = fromBytes(bytes)
  const template = fromBytes(by)
  let out = ''
  let at = 0
  for (const found of allMatches(regex, text, meter)) {
    const piece = text.slice(at, found.start) + (literal ? template : expand(template, found))
    meter.text(piece.length)
    out += piece
    at = found.end
  }
  return toBytes(out + text.slice(at))
}

function split(regex: RE2JS, bytes: string, most: bigint, meter: Meter): GoSlice {
  if (most === 0n) return new GoSlice(STRINGS, [], { isNil: true })
  if (regex.pattern() !== '' && bytes === '') return strings([''])
  const text = fromBytes(bytes)
  const parts: string[] = []
  let from = 0
  let end = 0
  for (const found of allMatches(regex, text, meter)) {
    if (most > 0n && BigInt(parts.length) === most - 1n) break
    end = found.start
    if (found.end !== 0) parts.push(toBytes(text.slice(from, end)))
    from = found.end
  }
  if (end !== text.length) parts.push(toBytes(text.slice(from)))
  meter.elements(parts.length)
  return strings(parts)
}

/** A function whose first argument is a pattern. */
const withRegex = (signature: string, work: (regex: RE2JS, args: any[], meter: Meter) => any) =>
  define(signature, ([pattern, ...args], meter) => work(compileDynamic(pattern, meter), args, meter))

const find = withRegex('ss:s', (regex, [bytes], meter) =>
  textFor(regex, bytes, meter, (text) => {
    const matcher = regex.matcher(text)
    return matcher.find() ? toBytes(text.slice(matcher.start(), matcher.end())) : ''
  }),
)
const findEvery = withRegex('ssi:S', (regex, [bytes, most], meter) => findAll(regex, bytes, most, meter))
const replace = withRegex('sss:s', (regex, [bytes, by], meter) => replaceAll(regex, bytes, by, false, meter))
const replaceLiteral = withRegex('sss:s', (regex, [bytes, by], meter) => replaceAll(regex, bytes, by, true, meter))
const splitAt = withRegex('ssi:S', (regex, [bytes, most], meter) => split(regex, bytes, most, meter))

export const regexes: Functions = {
  regexMatch: define('ss:b', ([pattern, bytes], meter) => {
    let regex: RE2JS
    try {
      regex = compileDynamic(pattern, meter)
    } catch (error) {
      // Upstream swallows a bad pattern here, and only here.
      if (error instanceof Problem && error.message.startsWith('error parsing regexp')) return false
      throw error
    }
    return matches(regex, bytes, meter)
  }),
  mustRegexMatch: withRegex('ss:b', (regex, [bytes], meter) => matches(regex, bytes, meter)),
  regexFind: find,
  mustRegexFind: find,
  regexFindAll: findEvery,
  mustRegexFindAll: findEvery,
  regexReplaceAll: replace,
  mustRegexReplaceAll: replace,
  regexReplaceAllLiteral: replaceLiteral,
  mustRegexReplaceAllLiteral: replaceLiteral,
  regexSplit: splitAt,
  mustRegexSplit: splitAt,
  regexQuoteMeta: define('s:s', ([text], meter) => {
    meter.text(text.length * 2)
    return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')
  }),
}
