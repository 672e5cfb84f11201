/**
 * Events that people put on the bus by hand: `vedette send` and `vedette replay`. They are stored like active-active events, beside
 * the leader's fence, since they move no position; their source ids (`send:…`, `replay:…`) say where they come from.
 */

import type { Append, Bus, Outcome, SourceRef, Stored } from '../bus/bus.ts'
import { systemClock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import { type DecodedEvent, decodeEvent, encodeEvent, eventData, eventId, randomId } from '../core/event.ts'
import { compactJson } from '../core/json.ts'
import type { Run } from './run.ts'
import { scan } from './scan.ts'

export interface Sent {
  id: string
  seq: number
}

/** Stores one event for an entry. Its filter is not asked. @throws SOURCE_UNKNOWN, EVENT_INVALID, or the bus's refusal */
export async function sendEvent(run: Run, source: SourceRef, entry: string, data: unknown): Promise<Sent> {
  const type = run.eventType(source, entry)
  const sourceId = `send:${randomId()}`
  const id = eventId(source.namespace, source.name, entry, sourceId)
  const payload = Buffer.from(compactJson(Buffer.from(JSON.stringify(data))).text)
  const event = encodeEvent({ id, source: source.name, type, subject: entry, timeMs: systemClock.now() }, payload)
  const [outcome] = await run.bus.append(source, [{ entry, id, sourceId, event }])
  if (outcome?.outcome === 'stored') return { id, seq: outcome.seq }
  throw refusalOf(outcome)
}

export interface Replay {
  /** First sequence number. */
  from: number | 'start' | 'now'
  /** Last sequence number, included; `now`: the newest there is. */
  to: number | 'start' | 'now'
  source?: string | undefined
  namespace?: string | undefined
  entry?: string | undefined
  /** False: only count. */
  execute: boolean
}

export interface Replayed {
  /** Events in the range. */
  count: number
  firstSeq: number | null
  lastSeq: number | null
  /** How many per `<eventsource>/<entry>`. */
  entries: Record<string, number>
  /** Events stored again; 0 when only counted. */
  published: number
}

const BATCH = 100
/** What is gathered before it is stored; of a larger event that event. */
const BATCH_BYTES = 4 << 20

/**
 * Stores events of the log again, in order, each under a new id, into the entry it came from; data and event time stay as they were.
 * @throws USAGE when the range is none; the bus's refusal, saying how far it got
 */
export async function republish(bus: Bus, { from, to, source, namespace, entry, execute }: Replay): Promise<Replayed> {
  const { lastSeq: newest } = await bus.state()
  const last = to === 'now' ? newest : to === 'start' ? 0 : Math.min(to, newest)
  if (typeof from === 'number' && typeof to === 'number' && from > to) {
    throw fail('USAGE', `--from ${from} lies after --to ${to}: the range is empty`)
  }
  const done: Replayed = { count: 0, firstSeq: null, lastSeq: null, entries: {}, published: 0 }
  const run = randomId()
  let [batch, bytes] = [[] as Stored[], 0]
  const flush = async () => {
    if (execute && batch.length > 0) done.published += await storeAgain(bus, run, batch, done.published)
    ;[batch, bytes] = [[], 0]
  }
  if (last > 0 && from !== 'now') {
    for await (const stored of scan(bus, { source, namespace, entry, from, follow: false })) {
      if (stored.seq > last) break
      const of = stored.subject.slice('default.'.length).replace('.', '/')
      done.count++
      done.firstSeq ??= stored.seq
      done.lastSeq = stored.seq
      done.entries[of] = (done.entries[of] ?? 0) + 1
      if (!execute) continue
      batch.push(stored)
      bytes += stored.event.byteLength
      if (batch.length >= BATCH || bytes >= BATCH_BYTES) await flush()
    }
    await flush()
  }
  return done
}

/** Stores one batch, source by source, in order. */
async function storeAgain(bus: Bus, run: string, batch: Stored[], before: number): Promise<number> {
  let published = 0
  let rest = batch
  while (rest.length > 0) {
    const ref = { namespace: rest[0]!.namespace, name: decoded(rest[0]!, before + published).source }
    const length = rest.findIndex(
      (one) => one.namespace !== ref.namespace || decoded(one, before + published).source !== ref.name,
    )
    const together = length < 0 ? rest : rest.slice(0, length)
    rest = length < 0 ? [] : rest.slice(length)
    const outcomes = await bus.append(
      ref,
      together.map((stored) => again(ref, run, stored)),
    )
    for (const outcome of outcomes) {
      if (outcome.outcome === 'stored' || outcome.outcome === 'duplicate') published++
      else {
        const error = refusalOf(outcome)
        throw fail(error.code, `${messageOf(error)} (replayed ${before + published} events before that)`)
      }
    }
  }
  return published
}

/** @throws EVENT_INVALID for what others put on the bus and is no event: it is not left out without a word */
function decoded({ seq, event }: Stored, replayed: number): DecodedEvent {
  try {
    const found = decodeEvent(event)
    if (typeof found?.source === 'string' && typeof found.subject === 'string') return found
  } catch {
    // said below
  }
  throw fail(
    'EVENT_INVALID',
    `number ${seq} on the log is no CloudEvent in JSON: leave it out with --from and --to (replayed ${replayed} events before that)`,
  )
}

function again(source: SourceRef, run: string, stored: Stored): Append {
  const old = decodeEvent(stored.event)
  const sourceId = `replay:${run}:${stored.seq}`
  const id = eventId(source.namespace, source.name, old.subject, sourceId)
  const timeMs = Date.parse(old.time)
  return {
    entry: old.subject,
    id,
    sourceId,
    event: encodeEvent(
      {
        id,
        source: old.source,
        type: old.type,
        subject: old.subject,
        timeMs: Number.isNaN(timeMs) ? stored.timeMs : timeMs,
      },
      eventData(old),
    ),
  }
}

function refusalOf(outcome: Outcome | undefined) {
  if (outcome !== undefined && 'error' in outcome) return outcome.error
  return fail(
    'OUTCOME_UNKNOWN',
    'the bus did not say whether the event is stored: look with vedette tail before you try again',
  )
}
