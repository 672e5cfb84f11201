/** The fields of a calendar entry, what is wrong with them, and the schedule that they mean. */
import { z } from 'zod'
import { parseDurationMs, parseDurationNs } from '../../core/duration.ts'
import { fail, messageOf } from '../../core/errors.ts'
import { filterSchema, metadataSchema } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { type Cron, neverFires, nextFire, parseCron } from './cron.ts'
import { type ExcludedDays, parseExclusions, skipExcluded } from './exclusions.ts'
import { loadZone, type Zone, zoneError } from './zone.ts'

/** Missed ticks are made up when the first of them is at most this old, milliseconds; older only with `catchup`. */
export const MAKE_UP_MS = 60_000
/** Shorter intervals are refused: they would be one long burst. */
export const SHORTEST_INTERVAL_MS = 100

const NS_PER_MS = 1_000_000n
const NS_PER_SECOND = 1_000_000_000n

export const specSchema = z.object({
  schedule: z
    .string()
    .optional()
    .describe(
      'Cron expression of exactly five fields: minute, hour, day of month, month, day of week (0 to 6 or `sun` to `sat`). ' +
        'May begin with `TZ=<zone> ` or `CRON_TZ=<zone> `. Wins over `scheduleWithSeconds` and `interval`.',
    ),
  scheduleWithSeconds: z
    .string()
    .optional()
    .describe(
      'Cron expression of exactly six fields, the first being seconds: `*/5 * * * * *` fires every five seconds. Wins over `interval`. Not in Argo Events.',
    ),
  interval: z
    .string()
    .optional()
    .describe(
      'Time between ticks, a Go duration: `10s`, `1h30m`. Counted from the first time that the entry served; at least 100ms. ' +
        'From 1s on ticks are at whole seconds.',
    ),
  timezone: z
    .string()
    .optional()
    .describe(
      'IANA name of the time zone of the schedule and of exclusion dates, e.g. `America/New_York`. Default: UTC (in Kubernetes the TZ of the container).',
    ),
  exclusionDates: z
    .array(z.string())
    .optional()
    .describe(
      'Days without ticks: `EXDATE:` and one or more comma-separated `YYYYMMDDTHHMMSSZ`. Only year, month and day count; they are compared with the day in `timezone`.',
    ),
  metadata: metadataSchema.optional(),
  persistence: z
    .object({
      catchup: z
        .object({
          enabled: z
            .boolean()
            .optional()
            .describe('Make up every missed tick, however long nothing served. Without it: outages of up to 60 s.'),
          maxDuration: z
            .string()
            .optional()
            .describe(
              'With `enabled`: ticks older than this are skipped, a Go duration such as `5m`. Default: no bound.',
            ),
        })
        .optional()
        .describe('Whether ticks missed in a long outage are made up.'),
      configMap: z
        .object({
          name: z.string().optional().describe('Accepted for compatibility; not used.'),
          createIfNotExist: z.boolean().optional().describe('Accepted for compatibility; not used.'),
        })
        .optional()
        .describe(
          'Where Argo Events keeps the last tick. Accepted and not used: here the last tick is on the bus, written together with its event.',
        ),
    })
    .optional()
    .describe('What happens to ticks that were missed while nothing served.'),
  filter: filterSchema.optional(),
})

export type CalendarSpec = z.infer<typeof specSchema>

/** What a spec means. Pure: the same spec, anchor and time give the same ticks on every replica. */
export interface Schedule {
  kind: 'cron' | 'interval'
  /** As written, for messages. */
  text: string
  /** The zone whose days are excluded and in which the time of a late tick is written. */
  zone: Zone
  /** How long ago a tick may have been due to be made up, milliseconds (Infinity: no bound). */
  makeUpMs: number
  /** True: in a longer outage only the ticks older than `makeUpMs` are left out; false: all are. */
  keepNewest: boolean
  /** The first tick strictly after `afterMs`, milliseconds, or null when there is none. `anchorMs` matters to intervals only. */
  next(afterMs: number, anchorMs: number): number | null
}

/** The schedule field in force, in order of precedence. */
export function scheduleField(spec: CalendarSpec): 'schedule' | 'scheduleWithSeconds' | 'interval' | null {
  return spec.schedule
    ? 'schedule'
    : spec.scheduleWithSeconds
      ? 'scheduleWithSeconds'
      : spec.interval
        ? 'interval'
        : null
}

/**
 * @param localZone the process's own zone, for specs that name none
 * @throws SPEC_INVALID with the first reason why the entry cannot work
 */
export function compile(spec: CalendarSpec, localZone = 'UTC'): Schedule {
  const refused = validateSpec(spec).find((finding) => finding.severity === 'error' || finding.fatal)
  if (refused !== undefined) throw fail('SPEC_INVALID', refused.message)
  const field = scheduleField(spec) as NonNullable<ReturnType<typeof scheduleField>>
  const text = spec[field] as string
  const zone = loadZone(spec.timezone && spec.timezone !== 'Local' ? spec.timezone : localZone)
  const tick = field === 'interval' ? everyInterval(parseDurationNs(text)) : everyMatch(cronOf(field, text), zone)
  const { catchup } = spec.persistence ?? {}
  return {
    kind: field === 'interval' ? 'interval' : 'cron',
    text,
    zone,
    makeUpMs: catchup?.enabled ? (catchup.maxDuration ? parseDurationMs(catchup.maxDuration) : Infinity) : MAKE_UP_MS,
    keepNewest: catchup?.enabled === true,
    next: without(parseExclusions(spec.exclusionDates ?? []).days, zone, tick),
  }
}

/** Upstream's rule in upstream's words first, then what upstream accepts and cannot work. */
export function validateSpec(spec: CalendarSpec): Finding[] {
  const field = scheduleField(spec)
  if (field === null) {
    return [
      {
        severity: 'error',
        path: [],
        message: 'must have either schedule or interval',
        remedy: 'add e.g. interval: 10s',
      },
    ]
  }
  const text = spec[field] as string
  try {
    if (field === 'interval') parseDurationNs(text)
    else cronOf(field, text)
  } catch (error) {
    const message = `failed to parse ${field} ${text} from calendar event. Cause: ${messageOf(error)}`
    return [{ severity: 'error', path: [field], message, remedy: remedyFor(field, text) }]
  }
  return [
    ...(field === 'interval' ? intervalFindings(parseDurationNs(text), text) : cronFindings(field, text)),
    ...shadowedFindings(spec, field),
    ...zoneFindings(spec.timezone),
    ...exclusionFindings(spec.exclusionDates ?? []),
    ...catchupFindings(spec),
  ]
}

function remedyFor(field: string, text: string): string {
  if (field === 'interval') return 'a Go duration with a unit, e.g. 10s or 1h30m'
  if (text.startsWith('@every ')) return `interval: ${text.slice(7)}`
  if (field === 'schedule' && text.trim().split(/\s+/).length === 6) return 'scheduleWithSeconds takes six fields'
  return 'e.g. "30 * * * *"; days of the week are 0 (Sunday) to 6'
}

function cronFindings(field: 'schedule' | 'scheduleWithSeconds', text: string): Finding[] {
  if (!neverFires(cronOf(field, text))) return []
  return [cannotWork([field], `${field} ${text} matches no date of any year`, 'a date that exists')]
}

function intervalFindings(ns: bigint, text: string): Finding[] {
  if (ns < BigInt(SHORTEST_INTERVAL_MS) * NS_PER_MS) {
    return [cannotWork(['interval'], `interval ${text} is too short`, `at least ${SHORTEST_INTERVAL_MS}ms`)]
  }
  if (ns < NS_PER_SECOND && ns % NS_PER_MS !== 0n) {
    return [cannotWork(['interval'], `interval ${text} is not a whole number of milliseconds`, 'e.g. 250ms')]
  }
  return []
}

function shadowedFindings(spec: CalendarSpec, winner: string): Finding[] {
  return (['scheduleWithSeconds', 'interval'] as const)
    .filter((field) => field !== winner && spec[field])
    .map((field) => ({
      severity: 'warning',
      path: [field],
      message: `${field} has no effect, because ${winner} is set and wins`,
      remedy: `remove ${field} or ${winner}`,
    }))
}

function zoneFindings(timezone: string | undefined): Finding[] {
  const problem = zoneError(timezone ?? '')
  return problem === null ? [] : [cannotWork(['timezone'], problem, 'an IANA name, e.g. Europe/Berlin')]
}

function exclusionFindings(lines: string[]): Finding[] {
  const { malformed, ignored } = parseExclusions(lines)
  return [
    ...malformed.map(({ line, text }) =>
      cannotWork(
        ['exclusionDates', line],
        `${JSON.stringify(text)} is not a date of the form YYYYMMDDTHHMMSSZ`,
        'EXDATE:20190102T150405Z',
      ),
    ),
    ...ignored.map(
      ({ line, text }): Finding => ({
        severity: 'warning',
        path: ['exclusionDates', line],
        message: `${JSON.stringify(text)} has no effect, because it does not start with EXDATE:`,
        remedy: 'EXDATE:20190102T150405Z; rules (RRULE) and TZID are not supported',
      }),
    ),
  ]
}

function catchupFindings({ persistence }: CalendarSpec): Finding[] {
  const { enabled, maxDuration } = persistence?.catchup ?? {}
  if (!enabled || !maxDuration) return []
  const path = ['persistence', 'catchup', 'maxDuration']
  try {
    if (parseDurationNs(maxDuration) >= 0n) return []
    return [cannotWork(path, `maxDuration ${maxDuration} is negative`, 'e.g. 5m')]
  } catch (error) {
    return [cannotWork(path, messageOf(error), 'a Go duration with a unit, e.g. 5m')]
  }
}

function cannotWork(path: (string | number)[], message: string, remedy: string): Finding {
  return { severity: 'warning', path, message, remedy, fatal: true }
}

function cronOf(field: 'schedule' | 'scheduleWithSeconds', text: string): Cron {
  return parseCron(text, { withSeconds: field === 'scheduleWithSeconds' })
}

function everyMatch(cron: Cron, zone: Zone): Schedule['next'] {
  const evaluatedIn = cron.zone === undefined ? zone : loadZone(cron.zone)
  return (afterMs) => nextFire(cron, evaluatedIn, afterMs)
}

/** Tick n is at anchor + n × interval; from one second on rounded down to the whole second, so that none drifts. */
function everyInterval(ns: bigint): Schedule['next'] {
  const whole = ns >= NS_PER_SECOND
  const tick = (n: bigint) => (whole ? Number((n * ns) / NS_PER_SECOND) * 1000 : Number((n * ns) / NS_PER_MS))
  return (afterMs, anchorMs) => {
    const passed = BigInt(Math.max(0, Math.floor(afterMs - anchorMs))) * NS_PER_MS
    let n = passed / ns || 1n
    while (anchorMs + tick(n) <= afterMs) n++
    return anchorMs + tick(n)
  }
}

function without(days: ExcludedDays, zone: Zone, next: Schedule['next']): Schedule['next'] {
  return (afterMs, anchorMs) => {
    let tick = next(afterMs, anchorMs)
    while (tick !== null) {
      const resumeAt = skipExcluded(days, zone, tick)
      if (resumeAt === null) return tick
      tick = next(resumeAt, anchorMs)
    }
    return null
  }
}
