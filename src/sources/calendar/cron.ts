/**
 * Cron expressions with the grammar, error words and meaning of robfig/cron v3.0.1 (what Argo Events parses with), as pure
 * functions. The fire times are those of its documentation, by a way of its own: see {@link nextFire}.
 */
import { fail } from '../../core/errors.ts'
import { type Zone, zoneError } from './zone.ts'

/** A parsed expression: for each unit the values at which it fires, ascending. */
export interface Cron {
  second: readonly number[]
  minute: readonly number[]
  hour: readonly number[]
  dayOfMonth: readonly number[]
  month: readonly number[]
  /** 0 = Sunday. */
  dayOfWeek: readonly number[]
  /** True when one of the day fields is `*` or `?` (then both must match, else either does). */
  bothDays: boolean
  /** The zone of a `TZ=` or `CRON_TZ=` prefix. */
  zone?: string
}

interface Unit {
  min: number
  max: number
  names?: readonly string[]
}

const SECOND: Unit = { min: 0, max: 59 }
const MINUTE: Unit = { min: 0, max: 59 }
const HOUR: Unit = { min: 0, max: 23 }
const DAY_OF_MONTH: Unit = { min: 1, max: 31 }
const MONTH: Unit = { min: 1, max: 12, names: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') }
const DAY_OF_WEEK: Unit = { min: 0, max: 6, names: 'sun mon tue wed thu fri sat'.split(' ') }

/** 29 February may be eight years off (1896 to 1904, 2096 to 2104): the longest any possible date is away. */
const SEARCH_YEARS = 9
const DAY = 86_400

/**
 * @param withSeconds six fields, the first being seconds; else five
 * @throws SPEC_INVALID in robfig/cron's words
 */
export function parseCron(text: string, { withSeconds = false }: { withSeconds?: boolean } = {}): Cron {
  if (text === '') throw invalid('empty spec string')
  const { zone, rest } = splitZone(text)
  if (rest.startsWith('@')) throw invalid(`parser does not accept descriptors: ${rest}`)
  const fields = rest.split(/[\s\u0085]+/).filter((field) => field !== '')
  const wanted = withSeconds ? 6 : 5
  if (fields.length !== wanted) {
    throw invalid(`expected exactly ${wanted} fields, found ${fields.length}: [${fields.join(' ')}]`)
  }
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = withSeconds ? fields : ['0', ...fields]
  const values = (field: string | undefined, unit: Unit) => parseField(field ?? '', unit)
  const parsed = {
    second: values(second, SECOND).values,
    minute: values(minute, MINUTE).values,
    hour: values(hour, HOUR).values,
  }
  const days = values(dayOfMonth, DAY_OF_MONTH)
  const months = values(month, MONTH)
  const weekdays = values(dayOfWeek, DAY_OF_WEEK)
  return {
    ...parsed,
    dayOfMonth: days.values,
    month: months.values,
    dayOfWeek: weekdays.values,
    bothDays: days.star || weekdays.star,
    ...(zone === undefined ? {} : { zone }),
  }
}

/**
 * The first time after `afterMs` whose wall clock in `zone` matches; milliseconds, always a whole second. A wall time that a
 * change of offset skips does not fire that day; one that comes twice fires twice.
 *
 * Between two changes of offset wall time runs evenly, so the search is plain calendar arithmetic from one change to the
 * next. (robfig/cron steps through the day instead and loses days whose midnight, or half hours which, the change skips.)
 * @returns null when nothing matches within nine years
 */
export function nextFire(cron: Cron, zone: Zone, afterMs: number): number | null {
  const start = Math.floor(afterMs / 1000) + 1
  const end = start + SEARCH_YEARS * 366 * DAY
  for (let from = start; from < end; ) {
    const offset = zone.offsetAt(from)
    const local = nextLocal(cron, from + offset)
    if (local === null) return null
    const at = local - offset
    const change = zone.changeBetween(from, at)
    if (change === null) return at * 1000
    from = change
  }
  return null
}

/** True when no date of any year matches, e.g. 31 February. */
export function neverFires(cron: Cron): boolean {
  return nextLocal(cron, 0) === null
}

/** The first matching second at or after `from`, both in seconds of a clock without zones. */
function nextLocal(cron: Cron, from: number): number | null {
  const first = Math.floor(from / DAY)
  for (let day = first; day <= first + SEARCH_YEARS * 366; day++) {
    if (!dayMatches(cron, day)) continue
    const second = nextSecond(cron, day === first ? from - first * DAY : 0)
    if (second !== null) return day * DAY + second
  }
  return null
}

/** @param day days since 1970-01-01 */
function dayMatches(cron: Cron, day: number): boolean {
  const date = new Date(day * DAY * 1000)
  if (!cron.month.includes(date.getUTCMonth() + 1)) return false
  const dayOfMonth = cron.dayOfMonth.includes(date.getUTCDate())
  const dayOfWeek = cron.dayOfWeek.includes(date.getUTCDay())
  return cron.bothDays ? dayOfMonth && dayOfWeek : dayOfMonth || dayOfWeek
}

/** The first matching second of a day at or after `from`, or null when the rest of the day has none. */
function nextSecond({ hour, minute, second }: Cron, from: number): number | null {
  const [h, m, s] = [Math.floor(from / 3600), Math.floor(from / 60) % 60, from % 60]
  const compose = (hh: number | undefined, mm: number | undefined, ss: number | undefined): number | null =>
    hh === undefined || mm === undefined || ss === undefined ? null : hh * 3600 + mm * 60 + ss
  const atLeast = (values: readonly number[], least: number) => values.find((value) => value >= least)
  const inMinute = hour.includes(h) && minute.includes(m) ? compose(h, m, atLeast(second, s)) : null
  const inHour = hour.includes(h) ? compose(h, atLeast(minute, m + 1), second[0]) : null
  return inMinute ?? inHour ?? compose(atLeast(hour, h + 1), minute[0], second[0])
}

/** Takes `TZ=<zone> ` or `CRON_TZ=<zone> ` off the front. */
function splitZone(text: string): { zone?: string; rest: string } {
  const prefix = /^(?:CRON_)?TZ=/.exec(text)?.[0]
  if (prefix === undefined) return { rest: text }
  const space = text.indexOf(' ')
  // upstream crashes on a prefix without the rest; it gets the words for a missing rest
  const zone = text.slice(prefix.length, space === -1 ? text.length : space)
  const problem = zoneError(zone)
  if (problem !== null) throw invalid(`provided bad location ${zone}: ${problem}`)
  const rest = space === -1 ? '' : text.slice(space).trim()
  return zone === 'Local' ? { rest } : { zone, rest }
}

/** A comma list; empty members are passed over, so `,` alone is valid and matches nothing. */
function parseField(field: string, unit: Unit): { values: number[]; star: boolean } {
  const allowed = new Set<number>()
  let star = false
  for (const part of field.split(',')) {
    if (part === '') continue
    const range = parseRange(part, unit)
    star ||= range.star
    for (let value = range.from; value <= range.to; value += range.step) allowed.add(value)
  }
  return { values: [...allowed].sort((a, b) => a - b), star }
}

/** `*`, `?`, `N` or `N-M`, each with `/step`; `N/step` runs to the end of the unit. */
function parseRange(part: string, unit: Unit): { from: number; to: number; step: number; star: boolean } {
  const [range = '', stepText, ...moreSteps] = part.split('/')
  const [low = '', high, ...moreEnds] = range.split('-')
  const any = low === '*' || low === '?'
  if (!any && moreEnds.length > 0) {
    parseValue(low, unit)
    throw invalid(`too many hyphens: ${part}`)
  }
  const from = any ? unit.min : parseValue(low, unit)
  let to = any ? unit.max : high === undefined ? from : parseValue(high, unit)
  if (moreSteps.length > 0) throw invalid(`too many slashes: ${part}`)
  const step = stepText === undefined ? 1 : parseInteger(stepText)
  if (stepText !== undefined && high === undefined) to = unit.max
  if (from < unit.min) throw invalid(`beginning of range (${from}) below minimum (${unit.min}): ${part}`)
  if (to > unit.max) throw invalid(`end of range (${to}) above maximum (${unit.max}): ${part}`)
  if (from > to) throw invalid(`beginning of range (${from}) beyond end of range (${to}): ${part}`)
  if (step === 0) throw invalid(`step of range should be a positive number: ${part}`)
  return { from, to, step, star: any && step === 1 }
}

function parseValue(text: string, { min, names }: Unit): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1
  return named === -1 ? parseInteger(text) : min + named
}

function parseInteger(text: string): number {
  const because = (why: string) =>
    invalid(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^[+-]?[0-9]+$/.test(text)) throw because('invalid syntax')
  const value = BigInt(text.replace('+', ''))
  if (BigInt.asIntN(64, value) !== value) throw because('value out of range')
  if (value < 0n) throw invalid(`negative number (${value}) not allowed: ${text}`)
  return Number(value)
}

function invalid(message: string) {
  return fail('SPEC_INVALID', message)
}
