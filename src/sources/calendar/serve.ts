/**
 * Turns a schedule into events. Each tick's id is its nominal time, and its position travels with it, so it does not matter who
 * emits a tick, or how often: the log holds it once, and whoever serves next goes on after the last one there.
 */
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { rfc3339Nano } from '../../core/event.ts'
import { goJsonString } from '../../core/json.ts'
import type { EntryContext, FollowContext, Told } from '../../source.ts'
import { goTimeMs, goTimeString } from './go-time.ts'
import { inFlight } from './in-flight.ts'
import { type CalendarSpec, compile, type Schedule } from './spec.ts'
import { loadZone, type Zone } from './zone.ts'

/** Times are RFC 3339 in UTC. */
export interface CalendarPosition {
  /** Nominal time of the last tick; before the first one, when the entry first served; after a skip, until when. */
  last: string
  /** Intervals only: tick n is due at anchor + n × interval. */
  anchor?: string
}

/** A tick handed over within this time counts as on time: its `eventTime` is then the clock's, not the tick's. */
const ON_TIME_MS = 1000
/** The wall clock is looked at this often, so that a step of it is noticed. */
const LONGEST_SLEEP_MS = 1000
/** It looks at the clock each second: after so long without a look it stands still. */
const SILENT_MS = 30_000
/** Ticks handed over and not yet durable. More would only help a bus that has been slow for minutes. */
export const MOST_IN_FLIGHT = 128
/** A timer of theirs may be early by the wall clock; a cron's ticks lie further apart. */
const EARLY_MS = 50
/** Skipped ticks are counted up to here; the exact number of more is worth no one's time. */
const MOST_COUNTED = 10_000

/**
 * Computes one tick and forgets it: the first use of a time zone in a process costs tens of milliseconds, and a standby should have
 * them behind it.
 */
export async function warmUp({ spec, localZone, clock }: EntryContext<CalendarSpec>): Promise<void> {
  compile(spec, localZone).next(clock.now(), clock.now())
}

export async function serveCalendar(ctx: FollowContext<CalendarSpec, CalendarPosition>): Promise<void> {
  const schedule = compile(ctx.spec, ctx.localZone)
  const local = loadZone(ctx.localZone ?? 'UTC')
  const flight = inFlight(MOST_IN_FLIGHT, ctx.signal)
  try {
    let { lastMs, anchorMs } = await start(ctx, schedule)
    const position = (at: number): CalendarPosition =>
      schedule.kind === 'interval' ? { anchor: iso(anchorMs), last: iso(at) } : { last: iso(at) }
    // up to here it has been decided that missed ticks are made up
    let madeUpTo = Number.NEGATIVE_INFINITY
    for (;;) {
      const due = nextTick(schedule, lastMs, anchorMs)
      await waitUntil(due, lastMs, ctx, flight.signal)
      const now = ctx.clock.now()
      // a tick on time is never skipped, however short the bound
      if (due > madeUpTo && now - due > Math.max(schedule.makeUpMs, ON_TIME_MS)) {
        await flight.settled()
        flight.signal.throwIfAborted()
        madeUpTo = ctx.clock.now()
        const skipTo = Math.floor(madeUpTo - (schedule.keepNewest ? schedule.makeUpMs : 0))
        logSkipped(ctx, schedule, { lastMs, skipTo, anchorMs })
        lastMs = Math.max(lastMs, skipTo)
        await ctx.advance(position(lastMs))
        continue
      }
      if (due > madeUpTo && now - due > ON_TIME_MS) {
        ctx.log.info('making up missed ticks', { since: rfc3339Nano(due), lateMs: Math.round(now - due) })
      }
      madeUpTo = Math.max(madeUpTo, now)
      await flight.add(() => {
        const data = payload(due, schedule.zone, local, ctx.clock, ctx.spec.metadata)
        return ctx.emit({ data, id: rfc3339Nano(due), position: position(due) })
      })
      lastMs = due
    }
  } catch (error) {
    if (!ctx.signal.aborted || error !== ctx.signal.reason) throw error
  } finally {
    await flight.settled()
  }
}

/**
 * Where to begin: the last position, or where Argo Events' own Pods stopped after it, or now; what is no position yet is made durable first, so that
 * a next leader misses nothing from here on.
 */
async function start(
  ctx: FollowContext<CalendarSpec, CalendarPosition>,
  { kind }: Schedule,
): Promise<{ lastMs: number; anchorMs: number }> {
  const resumed = ctx.resume()
  const lastMs = Date.parse(resumed?.last ?? '')
  const anchorMs = Date.parse(resumed?.anchor ?? '')
  const now = Math.floor(ctx.clock.now())
  const followed = lastOfPredecessor(ctx, now)
  const resumes = !Number.isNaN(lastMs) && (kind === 'cron' || !Number.isNaN(anchorMs))
  // Of theirs that have told nothing since, no tick is missing but all of them.
  if (resumes && !(followed?.ticked && followed.lastMs > lastMs)) return { lastMs, anchorMs }
  const begun = followed?.lastMs ?? now
  // Whole seconds, so that the ticks of whole intervals are; theirs count from their last one.
  const anchor = followed?.ticked ? begun : Math.floor(begun / 1000) * 1000
  const last = kind === 'cron' && followed?.ticked ? begun + EARLY_MS : begun
  await ctx.advance(kind === 'interval' ? { anchor: iso(anchor), last: iso(last) } : { last: iso(last) })
  return { lastMs: last, anchorMs: anchor }
}

/**
 * Argo Events' last tick; or, where they have told none that is still on the bus, when this replica saw them serve. What they missed themselves is made
 * up by the rule for what we miss.
 */
function lastOfPredecessor(
  ctx: FollowContext<CalendarSpec, CalendarPosition>,
  now: number,
): { lastMs: number; ticked: boolean } | null {
  const before = ctx.predecessor()
  if (before === null) return null
  const tick = before.told.at(-1)
  if (tick !== undefined) return { lastMs: Math.min(now, Math.floor(timeOfTick(tick))), ticked: true }
  return { lastMs: Math.min(now, Math.floor(before.seen?.atMs ?? now)), ticked: false }
}

/** The time in the payload: when it ticked, or was due. Else when they made the event. */
function timeOfTick({ data, atMs }: Told): number {
  try {
    return goTimeMs((JSON.parse(data) as { eventTime: string }).eventTime) ?? atMs
  } catch {
    return atMs
  }
}

function nextTick(schedule: Schedule, afterMs: number, anchorMs: number): number {
  const due = schedule.next(afterMs, anchorMs)
  if (due === null)
    throw fail('SPEC_INVALID', `${schedule.text} has no tick after ${iso(afterMs)}; write a schedule that has`)
  return due
}

/** Never returns before `due` by the wall clock, whichever way that is set meanwhile. */
async function waitUntil(
  due: number,
  lastMs: number,
  { clock, condition, reading }: Pick<FollowContext, 'clock' | 'condition' | 'reading'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  let behind = false
  for (let now = clock.now(); now < due; now = clock.now()) {
    if (!behind && now < lastMs - ON_TIME_MS) {
      behind = true
      condition(
        `the clock says ${iso(now)}, which is before the last tick (${iso(lastMs)}); the next one is at ${iso(due)}. Check the clock`,
      )
    }
    reading(SILENT_MS)
    await clock.sleep(Math.min(due - now, LONGEST_SLEEP_MS), signal)
  }
  if (behind) condition(null)
}

function logSkipped(
  { log }: Pick<FollowContext, 'log'>,
  schedule: Schedule,
  { lastMs, skipTo, anchorMs }: { lastMs: number; skipTo: number; anchorMs: number },
): void {
  let skipped = 0
  for (let at = schedule.next(lastMs, anchorMs); at !== null && at <= skipTo; at = schedule.next(at, anchorMs)) {
    if (++skipped >= MOST_COUNTED) break
  }
  log.warn('ticks were missed for too long and are skipped; persistence.catchup.enabled would make them up', {
    skipped: skipped >= MOST_COUNTED ? `${MOST_COUNTED} or more` : skipped,
    from: iso(lastMs),
    to: iso(skipTo),
  })
}

/** Upstream's bytes: the clock's time for a tick that is on time, the tick's own, in the zone of the schedule, for a late one. */
function payload(due: number, zone: Zone, local: Zone, clock: Clock, metadata: Record<string, string> = {}): string {
  const now = clock.now()
  const onTime = now - due <= ON_TIME_MS
  const eventTime = onTime ? goTimeString(Math.max(now, due), local, clock.monotonic()) : goTimeString(due, zone)
  const entries = Object.entries(metadata).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  if (entries.length === 0) return `{"eventTime":${goJsonString(eventTime)}}`
  const members = entries.map(([key, value]) => `${goJsonString(key)}:${goJsonString(value)}`)
  return `{"eventTime":${goJsonString(eventTime)},"metadata":{${members.join(',')}}}`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
