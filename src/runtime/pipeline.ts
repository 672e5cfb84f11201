/** The emit pipeline of one entry: filter → id → CloudEvent as upstream's bytes → append; and the position that moves with it. */
import type { Advance, Append, Outcome } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import { fail, type VedetteError } from '../core/errors.ts'
import { eventEncoder, eventId, randomId } from '../core/event.ts'
import { type CompiledFilter, compileFilter } from '../filter/filter.ts'
import type { Filter } from '../manifest/manifest.ts'
import type { Consumed, Emit, Emitted, Snapshot } from '../source.ts'
import type { Account } from './account.ts'
import type { StoredPosition } from './fingerprint.ts'

/** Where an entry's events go: the fenced publisher of a lead, or the appender of active-active entries. */
export interface Sink {
  append(member: Append | Advance): Promise<Outcome>
  /** Resolves when there is room (active-passive entries wait, active-active ones are refused instead). */
  ready(): Promise<void>
  /** Something of this replica is on its way to the bus, or waits until that takes it: who waits for an outcome waits rightly. */
  busy(): boolean
  /** Its failures are acted upon here: who calls it only lets them through. */
  snapshot: (entry: string) => Snapshot
}

export interface Pipeline {
  emit(event: Emit<unknown>): Promise<Emitted>
  advance(position: unknown, consumed?: Consumed): Promise<void>
  /** The last position known durable, in stored form; null when there is none. */
  position(): unknown
  /** Writes what waits to be written and resolves when everything handed over has an outcome. */
  settle(): Promise<void>
  /** What comes from now on is refused: the source was left behind, or another one goes on in its place. */
  end(): void
}

/** Positions that move without an event are written at least this often. */
const ADVANCE_EVERY_MS = 1_000

export function createPipeline({
  namespace,
  eventSource,
  entry,
  eventType,
  fingerprint,
  fenced,
  filter,
  recalled,
  sink,
  position: resumed,
  clock,
  account,
  maxEventBytes,
}: {
  namespace: string
  eventSource: string
  /** The entry's name. */
  entry: string
  /** The CloudEvent type. */
  eventType: string
  fingerprint: string
  /** Active-passive: waits for room, and has a position. */
  fenced: boolean
  filter: EventFilter
  /** Ids of events that are on the log for longer than the bus may remember them. */
  recalled: ReadonlySet<string>
  sink: Sink
  /** In stored form. */
  position: unknown
  clock: Clock
  account: Account
  maxEventBytes: () => number
}): Pipeline {
  const inFlight = new Set<Promise<unknown>>()
  let position = resumed
  /** Calls are numbered, so that what waits for room cannot be overtaken by the position of a later call. */
  let calls = 0
  let behind: { call: number; position: StoredPosition; consumed: Consumed | undefined } | null = null
  let cancelFlush: (() => void) | null = null
  let ended = false

  const encode = eventEncoder({ source: eventSource, type: eventType, subject: entry })

  const stored = (at: unknown): StoredPosition => ({ f: fingerprint, p: at })

  const append = async (member: Append | Advance): Promise<Outcome> => {
    const outcome = await sink.append(member)
    const settled =
      outcome.outcome === 'stored' || outcome.outcome === 'duplicate' || (fenced && outcome.outcome === 'refused')
    if (settled && member.position !== undefined) position = member.position
    return outcome
  }

  /** In the order of the calls: whoever came earlier and still waits for room goes first. @throws NOT_LEADING when another one goes on */
  const turn = async (): Promise<void> => {
    if (fenced) await sink.ready()
    if (ended) throw fail('NOT_LEADING', `${entry} is served anew: what an earlier attempt still hands over is refused`)
  }

  const track = <T>(work: Promise<T>): Promise<T> => {
    inFlight.add(work)
    const done = () => inFlight.delete(work)
    work.then(done, done)
    return work
  }

  const moveOnLater = (call: number, { position: at, consumed }: Emit<unknown>) => {
    if (at === undefined) return
    if (behind === null || behind.call < call) behind = { call, position: stored(at), consumed }
    cancelFlush ??= clock.after(ADVANCE_EVERY_MS, () => track(flushBehind()))
  }

  const flushBehind = async (): Promise<void> => {
    cancelFlush?.()
    cancelFlush = null
    if (behind === null || ended) return
    await turn()
    if (behind === null) return
    const member: Advance = { entry, position: behind.position, consumed: behind.consumed }
    behind = null
    await append(member)
  }

  const emit = async (event: Emit<unknown>): Promise<Emitted> => {
    const call = ++calls
    const startedMs = clock.monotonic()
    const sourceId = event.id === undefined || fingerprint === '' ? event.id : `${fingerprint}/${event.id}`
    const id = event.eventId ?? (sourceId === undefined ? randomId() : eventId(namespace, eventSource, entry, sourceId))
    if (!filter(event.data, id, account)) {
      moveOnLater(call, event)
      return { id, outcome: 'filtered' }
    }
    await turn()
    if (recalled.has(id)) {
      account.settled({ outcome: 'duplicate' }, startedMs, id)
      moveOnLater(call, event)
      return { id, outcome: 'duplicate' }
    }
    const data = typeof event.data === 'string' ? Buffer.from(event.data) : event.data
    const bytes = encode(id, clock.now(), data)
    const member: Append = { entry, id, sourceId, event: bytes, consumed: event.consumed }
    if (event.position !== undefined) {
      member.position = stored(event.position)
      // The event carries a newer position than what waited to be written alone.
      if (behind !== null && behind.call < call) behind = null
    }
    const fits = bytes.byteLength <= maxEventBytes()
    const outcome = fits ? await append(member) : tooLarge(id, bytes.byteLength, maxEventBytes())
    if (outcome.outcome === 'refused' && (fenced || event.item !== undefined)) {
      const { what = `event ${sourceId ?? id}`, fate } = event.item ?? {}
      account.skip(what, outcome.error, fate)
      // What the bus itself refused it has passed already.
      if (!fits && member.position !== undefined)
        await pass({ entry, position: member.position, consumed: event.consumed })
      return { id, outcome: 'skipped' }
    }
    account.settled(outcome, startedMs, id)
    switch (outcome.outcome) {
      case 'stored':
      case 'duplicate':
        return { id, outcome: outcome.outcome }
      case 'fenced':
        // An active-active entry has no term of its own: what is over is this whole run, and the sender may retry.
        throw fenced ? outcome.error : fail('BUS_UNAVAILABLE', outcome.error.message)
      default:
        throw outcome.error
    }
  }

  /** Moves the position on, and nothing else. */
  const pass = async (member: Advance): Promise<void> => {
    const outcome = await append(member)
    if (outcome.outcome !== 'stored' && outcome.outcome !== 'duplicate') throw outcome.error
  }

  const advance = async (at: unknown, consumed: Consumed | undefined): Promise<void> => {
    const call = ++calls
    await turn()
    if (behind !== null && behind.call < call) behind = null
    await pass({ entry, position: stored(at), consumed })
  }

  return {
    emit: (event) => track(emit(event)),
    advance: (at, consumed) => track(advance(at, consumed)),
    position: () => position,
    async settle() {
      await Promise.allSettled(inFlight)
      await flushBehind()
      await Promise.allSettled(inFlight)
    },
    end() {
      ended = true
      cancelFlush?.()
    },
  }
}

/** True when the event is to be published; failures are put into the account. */
export type EventFilter = (data: string | Uint8Array, eventId: string, account: Account) => boolean

/** A filter as the pipeline uses it. One that does not even compile fails on every event, visibly. */
export function eventFilter(filter: Filter | undefined): EventFilter {
  if (filter === undefined) return () => true
  const compiled = compileOrFail(filter.expression)
  return (data, id, account) => {
    try {
      if (compiled instanceof Error) throw compiled
      const matches = compiled.matches(data)
      if (!matches) account.filtered()
      return matches
    } catch (error) {
      const publish = filter.onError === 'publish'
      account.filterFailed(id, error, publish)
      return publish
    }
  }
}

function compileOrFail(expression: string): CompiledFilter | Error {
  try {
    return compileFilter(expression)
  } catch (error) {
    return error as Error
  }
}

function tooLarge(id: string, bytes: number, limit: number): { outcome: 'refused'; error: VedetteError } {
  return {
    outcome: 'refused',
    error: fail('EVENT_TOO_LARGE', `event ${id} has ${bytes} bytes, the bus takes ${limit}`, { bytes, limit }),
  }
}
