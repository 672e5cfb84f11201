/** What the runtime gives an entry, before it leads, while it listens and while it serves. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { HttpRoute } from './http.ts'

/** What every entry has, whatever it does. */
export interface EntryContext<Spec = unknown> {
  readonly spec: Spec
  /** The entry's name. */
  readonly entry: string
  /** The EventSource's name. */
  readonly eventSource: string
  readonly namespace: string
  /** Aborts when the entry must stop. Nothing may happen after that, above all no reconnect. */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly clock: Clock
  /** The process's time zone, an IANA name (in a Pod its TZ); absent: UTC. */
  readonly localZone?: string
  /** The value of a Secret's key, one trailing newline removed, read anew each time. @throws SECRET_MISSING */
  secret(selector: SecretKeySelector): Promise<string>
  /** The value of a ConfigMap's key, likewise. @throws SECRET_MISSING */
  configMap(selector: SecretKeySelector): Promise<string>
  /**
   * Says what is wrong with the origin (`null`: nothing any more). Shown in status, logged once per change. Whoever has said it once has
   * begun: see {@link Watched.reading}.
   */
  condition(error: string | null): void
  /**
   * Something of the origin can never become an event: counted as skipped, logged and shown, never stepped over silently.
   * @param what as in {@link Item} @param fate as there
   */
  skip(what: string, error: unknown, fate?: string): void
}

/** What an entry has that stands by. */
export interface PrepareContext<Spec = unknown> extends EntryContext<Spec> {
  /** Leaves a warm connection to the next `serve` of this replica. Whatever is not taken is closed. */
  keep(connection: Closable): void
}

export interface Closable {
  close(): void | Promise<void>
}

/** An entry that reads its origin is watched: one that stands still is shown, counted and begun anew. */
export interface Watched {
  /**
   * Says that the entry reads its origin now, or waits for it to say something. To be said by the code that does the reading, not by a
   * timer beside it.
   * @param withinMs it will be said again by then (what waits for the bus meanwhile is not counted); left out: until further notice, for
   * an origin that calls and whose connection is watched, so that its loss is noticed
   * @param part of the entry's reading, where several go on side by side; each has its own time
   */
  reading(withinMs?: number, part?: string): void
}

/** What an entry has that listens on every replica. */
export interface ListenContext<Spec = unknown> extends EntryContext<Spec>, Watched {
  /** The subscription stands: from here on everything is heard. Says too that nothing is wrong, and that the entry reads. */
  subscribed(): void
  /**
   * Hands over what the origin told everybody who listens. Never rejects, never waits for room.
   * @returns what became of it, where this replica leads; else null, at once
   */
  hear(message: Heard): Promise<Emitted['outcome'] | null>
}

/** What becomes an event. */
export interface Incoming {
  /** The payload: JSON text, exactly as it goes into the event. */
  data: string | Uint8Array
  /** What the source saw, reproducibly (offset, delivery id, tick time…). Left out: a random id. */
  id?: string | undefined
  /** What it is made of. Absent where a sender waits for the answer. */
  item?: Item | undefined
}

/** Its payload has the same bytes on every replica that hears the message; its id is what the origin or the sender says. */
export type Heard = Incoming

/** Something of an origin that people may want to find again when it can never become an event. */
export interface Item {
  /** What the origin calls it: `the message 12:0 of topic orders`. */
  what: string
  /** A sentence on where it is then: `it goes to the dead-letter exchange of the queue, if it has one`. */
  fate: string
}

/** What an entry has that all replicas serve: each event stands for itself, and there is nothing to resume. */
interface ActiveContext<Spec> extends EntryContext<Spec> {
  /**
   * Hands an event over. Resolves only when the bus holds it durably, or it was filtered out or already there; only
   * then ack upstream. Calls may overlap.
   *
   * What the bus will never take (too large, no valid event) is `skipped`, where it has an `item`: counted, logged and shown with that. Only a
   * sender who waits for an answer, so that there is no `item`, is told by an error.
   * @throws BUS_UNAVAILABLE, BUS_FULL, BUS_BUSY: not stored, tell the sender to retry; EVENT_TOO_LARGE, EVENT_INVALID (without an `item`): never
   * storable; NOT_LEADING: this entry is being stopped, let it through
   */
  emit(event: Incoming): Promise<Emitted>
}

/** What an entry has whose origin calls it, on every replica. It reads as soon as its port accepts. */
export interface HttpContext<Spec = unknown> extends ActiveContext<Spec> {
  /** Adds a route; see {@link HttpRoute}. It is active until `signal` aborts. @throws PORT_IN_USE */
  http(route: HttpRoute): Promise<void>
  /**
   * The secret that a provider made for the hook of a target (see {@link HookTarget.create}), or null while there is none. May be a
   * second old. @throws BUS_UNAVAILABLE
   */
  hookSecret(target: string): Promise<string | null>
  /**
   * Since when the hooks of the entry are known to be as they should: what was wanted then, secrets included, the provider has. Monotonic
   * milliseconds; null: not yet.
   */
  hooksSettledMs(): number | null
}

/** What an entry has that asks its origin, on every replica. */
export interface PollContext<Spec = unknown> extends ActiveContext<Spec>, Watched {}

/** What an entry has that serves on one replica only. */
export interface ServeContext<Spec = unknown, Position = unknown> extends EntryContext<Spec>, Watched {
  /**
   * Hands an event over. Resolves only when the bus holds it durably, or it was filtered out or already there; only
   * then ack upstream. Calls may overlap; they are stored in call order. Waits while too much is in flight.
   *
   * What the bus will never take (too large, no valid event) is `skipped`: counted, logged and shown with its `item`, and only then is the
   * position beyond it. Reject it to the origin, where that has a place for such things (see `handOver` in sources/queues).
   * @throws FENCED, OUTCOME_UNKNOWN or NOT_LEADING: this entry is being stopped, let it through
   */
  emit(event: Emit<Position>): Promise<Emitted>
  /** Moves the position on without an event (filtered or skipped upstream items). Resolves when durable; may be batched. */
  advance(position: Position, consumed?: Consumed): Promise<void>
  /**
   * Whether the bus commits what a consumer group has consumed, in the same write as the event or position that it is handed over with. Else
   * the source commits it itself. May change while the entry serves.
   * @param cluster the id of the cluster that the group is on
   */
  commits(cluster: string, group: string): boolean
  /** The last durable position of this entry, or null on a fresh start. Fixed for one call of `serve`. */
  resume(): Position | null
  /** What `prepare` kept on this replica, or null. Taken once; it may have died meanwhile. */
  kept(): Closable | null
  /** State too big for a position (known paths, uids), beside it. A lagging one may only cause re-evaluation. */
  readonly snapshot: Snapshot
}

/** What an entry has besides, whose type says `follows`. */
export interface FollowContext<Spec = unknown, Position = unknown> extends ServeContext<Spec, Position> {
  /**
   * What Argo Events' own Pods left of this entry, where they served it last; null: they did not, or nobody knows. Fixed for one call of
   * `serve`. With a position it says what they told after it.
   */
  predecessor(): Predecessor | null
}

/** Argo Events' own Pods, which served the entry before. They leave their events and no position. */
export interface Predecessor {
  /** What they told since Vedette last told something, oldest first; the last ones only, where there are more than `follows`. */
  told: readonly Told[]
  /** There are more: what Vedette knew before them says little of what they did since, and `seen` is the place to begin at. */
  more?: boolean
  /** What {@link SourceDefinition.look} saw of the origin while they still served; null: this replica did not stand by then. */
  seen: Seen | null
}

export interface Told {
  /** The CloudEvent id. */
  id: string
  /** When they made the event, by their clock, whole milliseconds since the epoch. */
  atMs: number
  /** The payload. */
  data: string
}

export interface Seen {
  /** When that look began, milliseconds since the epoch. */
  atMs: number
  look: unknown
}

/** An event of an entry that has a position. */
export interface Emit<Position = unknown> extends Incoming {
  /** The CloudEvent id itself, where upstream's form is kept (Kafka). Wins over `id`. */
  eventId?: string
  /** Where the entry stands once this event is stored. */
  position?: Position
  /** See {@link ServeContext.commits}. */
  consumed?: Consumed | undefined
}

/** How far a consumer group has read a topic. */
export interface Consumed {
  group: string
  topic: string
  /** The next offset of each partition. */
  offsets: Readonly<Record<string, number>>
}

export interface Emitted {
  /** The CloudEvent id. */
  id: string
  outcome: 'stored' | 'duplicate' | 'filtered' | 'skipped'
}

export interface Snapshot {
  /** @throws BUS_UNAVAILABLE: let it through, the entry is begun anew */
  load(): Promise<Uint8Array | null>
  /** @throws FENCED, OUTCOME_UNKNOWN: this entry is being stopped; BUS_UNAVAILABLE, BUS_FULL, EVENT_TOO_LARGE: not written */
  save(bytes: Uint8Array): Promise<void>
}

export interface SecretKeySelector {
  name: string
  key: string
  optional?: boolean | undefined
}
