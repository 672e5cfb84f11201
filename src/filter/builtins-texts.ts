import { systemClock } from '../core/clock.ts'
import type { BuiltinFunction } from './builtins.ts'
import { formatValue } from './format.ts'
import { decodeBytes, encodeJson, fromBase64, toBase64 } from './json.ts'
import type { Meter } from './limits.ts'
import { Problem } from './problem.ts'
import { fromBytes, isAscii, lower, replaceText, splitText, trimSet, trimSpace, upper } from './text.ts'
import { parseDuration } from './time/duration.ts'
import { cutLayout } from './time/layout.ts'
import { parseTime, readTime } from './time/parse.ts'
import { type Time, timeAt } from './time/time.ts'
import { DURATION, TIME } from './time/types.ts'
import { loadZone, UTC } from './time/zone.ts'
import { ANY, ANYS, BOOL, funcOf, INT, STRING, STRINGS, type Type } from './types.ts'
import { GoInt, GoSlice, strings, toIndex, toText, typeName, type Value } from './values.ts'

/** A function of texts only; `result` is what it gives, each list in `ways` the types of its arguments. */
function text(
  result: Type,
  ways: readonly (readonly Type[])[],
  work: (args: string[], meter: Meter, values: Value[]) => Value,
): BuiltinFunction {
  return {
    overloads: ways.map((params) => funcOf(params, result)),
    call: (values, meter) => {
      const args = values.map((value) => (typeof value === 'string' ? value : ''))
      // Calls through a variable are not checked before; a missing or odd argument then fails here, as in Go.
      for (const [i, type] of (ways[0] as readonly Type[]).entries()) if (type === STRING) toText(values[i] ?? null)
      let length = 0
      for (const arg of args) length += arg.length
      meter.scan(length)
      return work(args, meter, values)
    },
  }
}

const S = [STRING]
const SS = [STRING, STRING]

/** Counts a text that was made. */
function grown(result: string, meter: Meter): string {
  meter.text(result.length)
  return result
}

/** Counts work that looks at characters, which is slow where there are others than ASCII. */
export function charwise(subject: string, meter: Meter): void {
  if (!isAscii(subject)) meter.characters(subject.length)
}

function mapped(map: (bytes: string) => string, subject: string, meter: Meter): string {
  charwise(subject, meter)
  return grown(map(subject), meter)
}

function pieces(parts: string[], meter: Meter): GoSlice {
  meter.elements(parts.length)
  return strings(parts)
}

function splitting(keep: boolean): BuiltinFunction {
  return text(STRINGS, [SS, [STRING, STRING, INT]], ([subject, separator], meter, values) => {
    if (values.length > 3) throw new Problem('takes 2 or 3 arguments')
    const limit = values.length === 3 ? toIndex(values[2] as Value) : -1
    if (limit === 0) return new GoSlice(STRINGS, [], { isNil: true })
    return pieces(splitText(subject as string, separator as string, limit, keep), meter)
  })
}

function affix(cut: (subject: string, affix: string) => string): BuiltinFunction {
  return text(STRING, [S, SS], ([subject], _, values) =>
    cut(subject as string, values.length === 2 ? toText(values[1] as Value) : ' '),
  )
}

/** Replacement whose result is counted before it is made. */
export function replaceCounted(subject: string, old: string, by: string, limit: number, meter: Meter): string {
  meter.spend(subject.length / 2)
  if (by.length > old.length) {
    const found = old === '' ? subject.length + 1 : subject.split(old).length - 1
    const times = limit < 0 ? found : Math.min(limit, found)
    meter.text(times * (by.length - old.length))
  }
  return grown(replaceText(subject, old, by, limit), meter)
}

/** Repetition whose result is counted before it is made. @throws Problem for a negative count */
export function repeatCounted(subject: string, count: number, meter: Meter): string {
  if (count < 0) throw new Problem('negative repeat count')
  meter.text(subject.length * count)
  return subject.repeat(count)
}

const LAYOUTS = [
  '2006-01-02',
  '15:04:05',
  '2006-01-02 15:04:05',
  '2006-01-02T15:04:05Z07:00',
  '02 Jan 06 15:04 MST',
  'Monday, 02-Jan-06 15:04:05 MST',
  'Mon, 02 Jan 2006 15:04:05 MST',
].map(cutLayout)

function date(texts: string[], meter: Meter): Time {
  const [subject, layout, zone] = texts.map(fromBytes) as [string, string?, string?]
  meter.spend(50)
  if (layout !== undefined) {
    const where = zone === undefined ? UTC : loadZone(zone, meter)
    meter.spend(where.slow ? 400 : layout.length)
    return parseTime(layout, subject, where)
  }
  for (const known of LAYOUTS) {
    const time = readTime(known, subject, UTC)
    if (time !== undefined) return time
    meter.spend(20)
  }
  throw new Problem(`invalid date ${JSON.stringify(subject)}: give the layout as a second argument`)
}

/** The moment of evaluation. */
export function now(): Time {
  return timeAt(BigInt(Math.round(systemClock.now() * 1000)) * 1000n, UTC)
}

export const texts: Readonly<Record<string, BuiltinFunction>> = {
  string: { direct: true, overloads: [funcOf([ANY], STRING)], call: ([x], meter) => formatValue(x as Value, meter) },
  trim: text(STRING, [S, SS], ([subject], meter, values) => {
    charwise(subject as string, meter)
    return values.length === 1 ? trimSpace(subject as string) : trimSet(subject as string, toText(values[1] ?? null))
  }),
  trimPrefix: affix((subject, prefix) => (subject.startsWith(prefix) ? subject.slice(prefix.length) : subject)),
  trimSuffix: affix((subject, suffix) =>
    subject.endsWith(suffix) ? subject.slice(0, subject.length - suffix.length) : subject,
  ),
  upper: { ...text(STRING, [S], ([subject], meter) => mapped(upper, subject as string, meter)), direct: true },
  lower: { ...text(STRING, [S], ([subject], meter) => mapped(lower, subject as string, meter)), direct: true },
  split: splitting(false),
  splitAfter: splitting(true),
  replace: text(
    STRING,
    [
      [STRING, STRING, STRING],
      [STRING, STRING, STRING, INT],
    ],
    ([subject, old, by], meter, values) => {
      if (values.length > 4) throw new Problem('takes 3 or 4 arguments')
      const limit = values.length === 4 ? toIndex(values[3] as Value) : -1
      return replaceCounted(subject as string, old as string, by as string, limit, meter)
    },
  ),
  repeat: text(STRING, [[STRING, INT]], ([subject], meter, values) => {
    const count = toIndex(values[1] ?? null)
    if (count > 1e6) throw new Problem('memory budget exceeded: too many repeats')
    return repeatCounted(subject as string, count, meter)
  }),
  join: {
    overloads: [STRINGS, ANYS].flatMap((list) => [funcOf([list, STRING], STRING), funcOf([list], STRING)]),
    call: ([list, glue], meter) => {
      const between = glue === undefined ? '' : toText(glue)
      if (!(list instanceof GoSlice) || (list.type.name !== ANYS.name && list.type.name !== STRINGS.name))
        throw new Problem(`invalid argument for join (type ${typeName(list ?? null)})`)
      meter.spend(list.length)
      const items = list.items.map(toText)
      meter.text(items.reduce((sum, item) => sum + item.length + between.length, 0))
      return items.join(between)
    },
  },
  indexOf: text(INT, [SS], ([subject, part]) => BigInt((subject as string).indexOf(part as string))),
  lastIndexOf: text(INT, [SS], ([subject, part]) => BigInt((subject as string).lastIndexOf(part as string))),
  hasPrefix: text(BOOL, [SS], ([subject, prefix]) => (subject as string).startsWith(prefix as string)),
  hasSuffix: text(BOOL, [SS], ([subject, suffix]) => (subject as string).endsWith(suffix as string)),
  toJSON: { overloads: [funcOf([ANY], STRING)], call: ([x], meter) => encodeJson(x ?? null, meter, { pretty: true }) },
  fromJSON: text(ANY, [S], ([subject], meter) => decodeBytes(subject as string, meter)),
  toBase64: text(STRING, [S], ([subject], meter) => grown(toBase64(subject as string), meter)),
  fromBase64: text(STRING, [S], ([subject], meter) => grown(fromBase64(subject as string), meter)),
  now: { overloads: [funcOf([], TIME)], call: now },
  duration: text(DURATION, [S], ([subject], meter) => {
    meter.spend(15 + (subject as string).length / 2)
    return new GoInt(DURATION, parseDuration(fromBytes(subject as string)))
  }),
  date: text(TIME, [S, SS, [STRING, STRING, STRING]], (args, meter, values) => {
    for (const value of values) toText(value)
    return date(args, meter)
  }),
}
