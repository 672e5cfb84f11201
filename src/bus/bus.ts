/**
 * The bus port: an ordered, durable log of events that refuses the writes of an older term.
 *
 * Guarantees every adapter gives, held by test/contract/bus.ts:
 * - an append is all or nothing where the adapter says `atomic`, else member by member, and each member's outcome is known or `unknown`
 * - an id stored within the window is not stored again: `duplicate`
 * - after `claim` resolved with term t, no append of a fence with a smaller term is ever stored
 * - positions move in the same write as the events they cover
 */
import type { VedetteError } from '../core/errors.ts'
import type { Consumed } from '../source.ts'

/** Names an EventSource. */
export interface SourceRef {
  namespace: string
  name: string
}

/** `<namespace>/<eventsource>`: its lock's name, and the key in maps of EventSources. Unambiguous: neither part may hold a slash. */
export const sourceKey = ({ namespace, name }: SourceRef): string => `${namespace}/${name}`

/** An event to be stored. */
export interface Append {
  /** The entry's name: the event lands on `default.<source>.<entry>`. */
  entry: string
  /** The CloudEvent id: the de-duplication key. */
  id: string
  /** What the id was derived from, for people and for aligning standbys. Travels beside the event, not in it. */
  sourceId?: string | undefined
  /** The CloudEvent as it lands on the bus. */
  event: Uint8Array
  /** The entry's position once this is stored. Any JSON-like value. */
  position?: unknown
  /** Committed in the same write, where {@link Bus.commits} says so. */
  consumed?: Consumed | undefined
}

/** A position that moves on without an event. */
export interface Advance {
  entry: string
  position: unknown
  consumed?: Consumed | undefined
}

export type Outcome =
  /** Durable, at this sequence number. */
  | { outcome: 'stored'; seq: number }
  /** Was there already; its position, if any, has been taken over. */
  | { outcome: 'duplicate' }
  /** Certainly not stored: a newer term or incarnation rules. */
  | { outcome: 'fenced'; error: VedetteError }
  /** Certainly not stored, and never will be (too large, not a valid name). Its position has been taken over when fenced. */
  | { outcome: 'refused'; error: VedetteError }
  /** Certainly not stored; the bus takes nothing now (BUS_UNAVAILABLE, BUS_FULL, BUS_BUSY). */
  | { outcome: 'unavailable'; error: VedetteError }
  /** May or may not be stored, now or a little later. Unfenced: repeat with the same id. Fenced: claim anew, then read positions. */
  | { outcome: 'unknown'; error: VedetteError }

/** The right to write as one term of one EventSource. Opaque but for what is shown. */
export interface Fenced {
  readonly source: SourceRef
  /** Grows by each claim. */
  readonly term: number
  /** Each entry's position at the claim: the record, moved on by the events after it. */
  readonly positions: ReadonlyMap<string, unknown>
  /** `strict`: the bus itself refuses older terms. `lease-only`: it cannot, for `reason`. */
  readonly fencing: 'strict' | 'lease-only'
  readonly reason?: string
}

/** Who claims. The nonce lets an own record whose ack was lost be recognised. */
export interface Claim {
  holder: string
  nonce: string
  /** The term must be greater than this (from the lease record, in case the bus has lost its own). */
  floor: number
  /** The lease has been this holder's without a break since its last claim: no other record can be of anybody who may write. */
  unbroken?: boolean
}

export interface Stored {
  seq: number
  /** When the bus stored it, milliseconds since the epoch. */
  timeMs: number
  /** `default.<eventsource>.<entry>`. */
  subject: string
  namespace: string
  id: string
  sourceId?: string | undefined
  /** The term that wrote it; absent for active-active entries. */
  term?: number | undefined
  event: Uint8Array
}

export interface ReadOptions {
  /** First sequence number wanted (or the next one after it that exists). Default: the oldest. */
  from?: number
  eventSource?: string
  namespace?: string
  entry?: string
  /** Waits for more at the end instead of ending. */
  follow?: boolean
  signal?: AbortSignal
}

export interface LogState {
  /** Another one after the log was deleted and made anew; absent where the bus does not say. */
  log?: string | undefined
  /** 0 when empty. */
  firstSeq: number
  /** The last one given, also when its event has been let go. */
  lastSeq: number
  messages: number
  bytes: number
  /** What each entry has on the log, as counted by the bus: survives any restart of replicas. */
  entries: { namespace: string; eventSource: string; entry: string; published: number; lastMs: number }[]
}

/** How a connection is protected; `encrypted`: without a look at who answers. */
export type Transport = 'plain' | 'encrypted' | 'verified'

export type BusStatus = { connected: true } | { connected: false; error: string }

/** Small values with a revision: registrar secrets, delivery cursors. */
export interface KeyValue {
  /** @throws BUS_UNAVAILABLE */
  get(key: string): Promise<{ value: Uint8Array; revision: number } | null>
  /** @param expected the revision it must have (0: must not exist); left out: whatever. @returns the new revision, or null when it had another. @throws BUS_UNAVAILABLE, BUS_FULL…; OUTCOME_UNKNOWN it may have been written */
  put(key: string, value: Uint8Array, expected?: number): Promise<number | null>
  delete(key: string): Promise<void>
}

export interface Bus {
  /** For people. */
  readonly kind: string
  /** What the next claim would give, as far as is known. */
  readonly fencing: 'strict' | 'lease-only'
  /** Why it is `lease-only`, once that is known. */
  readonly fencingReason?: string | undefined
  /** Known once connected; absent where nothing leaves this machine. */
  readonly transport?: Transport | undefined
  /** Largest event it stores, bytes; known once connected. */
  readonly maxEventBytes: number
  status(): BusStatus
  /** Calls back at each change of `status()`. @returns unsubscribe */
  onStatus(listener: (status: BusStatus) => void): () => void
  /**
   * Writes a new term record. Only to be called by who holds the lease; the order in design §4 *Claim* is its caller's duty.
   * @param progress called when the bus is heard meanwhile: where it takes several requests, a slow bus takes long; with what is begun, in words
   * @throws FENCED when another claim came between (the caller looks at the lease again); BUS_UNAVAILABLE, OUTCOME_UNKNOWN
   */
  claim(source: SourceRef, claim: Claim, progress?: (step?: string) => void): Promise<Fenced>
  /**
   * Appends under a fence, in order. The caller keeps one call in flight per fence. Never throws: each member has an outcome;
   * after the first `fenced` or `unknown` all later members are `fenced` or `unknown` too.
   */
  appendFenced(fence: Fenced, batch: (Append | Advance)[]): Promise<Outcome[]>
  /** Whether `appendFenced` commits what this group of this cluster has consumed. Left out: never. */
  commits?(cluster: string, group: string): boolean
  /** Appends for active-active entries; may be pipelined. Never throws. */
  append(source: SourceRef, batch: Append[]): Promise<Outcome[]>
  // Reads. Whatever happens to one, it changed nothing and may be asked again: @throws BUS_UNAVAILABLE, never OUTCOME_UNKNOWN.
  /** The last `limit` events of an entry, oldest first. */
  tail(source: SourceRef, entry: string, limit: number): Promise<Stored[]>
  /**
   * What others than Vedette (Argo Events' own Pods) have stored of an entry since Vedette last stored one of it, oldest first, at most the last
   * `limit`. Costs next to nothing where the last one is Vedette's.
   */
  others(source: SourceRef, entry: string, limit: number): Promise<Stored[]>
  /** Events in order, without our own records. */
  read(options?: ReadOptions): AsyncIterable<Stored>
  state(): Promise<LogState>
  loadSnapshot(source: SourceRef, entry: string): Promise<Uint8Array | null>
  /** Never throws: `stored`, or `fenced` from an older term, and so on as for {@link appendFenced}; `refused` when it is too large. */
  saveSnapshot(fence: Fenced, entry: string, bytes: Uint8Array): Promise<Outcome>
  readonly kv: KeyValue
  close(): Promise<void>
}

/** `default.<eventsource>.<entry>`: upstream's subject. */
export function subjectOf(source: Pick<SourceRef, 'name'>, entry: string): string {
  return `default.${source.name}.${entry}`
}

/** Whether Vedette wrote it: others name no namespace. */
export const isOfOthers = ({ namespace }: Pick<Stored, 'namespace'>): boolean => namespace === ''

/** The events at the end that are of others. */
export const othersAtEnd = (events: Stored[]): Stored[] =>
  events.slice(events.findLastIndex((stored) => !isOfOthers(stored)) + 1)

export function isAppend(member: Append | Advance): member is Append {
  return 'event' in member
}

/** How much of a batch it makes up. */
export const bytesOf = (member: Append | Advance): number => (isAppend(member) ? member.event.byteLength : 0)
