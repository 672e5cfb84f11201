/**
 * The contract of a source type: one module says everything about it, and everything else (JSON Schema, CRD, docs,
 * `vedette explain`, the guarantee table) is generated from it. CONTRIBUTING.md shows how to add one.
 */
import type { z } from 'zod'
import type { BackoffOptions } from './core/backoff.ts'
import type { Clock } from './core/clock.ts'
import type { Logger } from './core/log.ts'

/** `active-active`: all replicas serve. `active-passive`: one serves, a standby is elected when it is gone. */
export type Strategy = 'active-active' | 'active-passive'

/** What a kill -9 of the serving replica under load may do; see docs/guarantees.md. */
export type Guarantee = 'exactly-once' | 'at-least-once' | 'hot-standby' | 'at-most-once'

/**
 * Something to say about a spec: an error is what upstream refuses, a warning what it accepts but cannot work, advice what works as
 * written but is seldom meant (no signature is checked…).
 */
export interface Finding {
  severity: 'error' | 'warning' | 'advice'
  /** Where, relative to the entry's spec, e.g. `['webhook', 'port']`. */
  path: (string | number)[]
  /** What is wrong; for errors, upstream's own words. */
  message: string
  /** What to write instead. */
  remedy?: string
  /** True when the entry can never work as written: `run` does not serve it and shows this message. */
  fatal?: boolean
}

export interface Example {
  /** File name without ending: `examples/<name>.yaml`. */
  name: string
  title: string
  /** A whole manifest. */
  yaml: string
}

/** A TCP port that an entry listens on. */
export interface Listens {
  port: number
  endpoint: string
}

export interface SourceDefinition<Spec = unknown, Position = unknown> {
  /** The key under `spec`, e.g. `azureEventsHub`. */
  type: string
  /** The CloudEvent type, where it is not the key (e.g. `pubsub` for `pubSub`). */
  eventType?: string
  title: string
  /** One sentence: what it watches. */
  summary: string
  /** Markdown for the docs page: behaviour, failure, what differs from upstream. */
  docs: string
  strategy: Strategy
  guarantee: Guarantee
  /** The guarantee of one entry, where its fields decide. `hot-standby`: `listen` is called instead of `prepare` and `serve`. */
  guaranteeOf?(spec: Spec): Guarantee
  /** Why the guarantee holds, one or two sentences. */
  because: string
  /** Every field, described, with upstream's names. Lenient as upstream's decoder: rules live in `validate`. */
  spec: z.ZodType<Spec>
  /** The payload that lands on the bus (the CloudEvent's data). */
  event: z.ZodType
  /** True when `filter.expression` applies (false for types with a filter of their own shape). */
  filterable: boolean
  examples: Example[]
  /** Upstream's validation rules in upstream's order and words, then what cannot work. Pure. */
  validate?(spec: Spec): Finding[]
  /** The fields that say *what* is read (queue, path, schedule…): when they change, positions start afresh. */
  identity?(spec: Spec): unknown
  /** The ports that the entry needs. */
  listens?(spec: Spec): Listens[]
  /** True when requests get in without a signature or token: status shows it. */
  unsigned?(spec: Spec): boolean
  /** The pauses between attempts after `serve`, `prepare` or `listen` threw; the runtime's own where it says nothing. */
  reconnect?(spec: Spec): BackoffOptions
  /**
   * How many of its last stored events a new leader compares what it emits with, for an origin that redelivers without a position:
   * at least twice of what may be unacknowledged. Only ids that outlive the bus's window of repeats need it.
   */
  recall?: number
  /** On a standby: connect, authenticate, be warm; must consume nothing. Until `ctx.signal` aborts. */
  prepare?(ctx: PrepareContext<Spec>): Promise<void>
  /** Serves until `ctx.signal` aborts. Throwing means: try again with backoff, for ever; status shows the message. */
  serve(ctx: SourceContext<Spec, Position>): Promise<void>
  /**
   * The hooks that should exist at a provider (GitHub, SNS…), or null when the entry manages none. The runtime's registrar sees to
   * it, once among all replicas, beside serving and after the port accepts. Called often: makes no request, only reads Secrets.
   * @throws SECRET_MISSING… shown in status, tried again
   */
  hooks?(ctx: PrepareContext<Spec>): Promise<HookRegistration | null>
  /**
   * Hot standby, for an origin that forgets: receives on every replica, leading or not, until `ctx.signal` aborts. What to publish,
   * and when, is the runtime's business. Throwing means the same as in `serve`.
   */
  listen?(ctx: ListenContext<Spec>): Promise<void>
  /** Remote clean-up beside hooks, once, when the object is deleted (never when a process stops). */
  remove?(ctx: PrepareContext<Spec>): Promise<void>
}

/** What an entry has before it leads. */
export interface PrepareContext<Spec = unknown> {
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
  /** Says what is wrong with the origin (`null`: nothing any more). Shown in status, logged once per change. */
  condition(error: string | null): void
  /** Something of the origin can never become an event: counted as skipped, logged and shown, never stepped over silently. */
  skip(what: string, error: unknown): void
  /** Leaves a warm connection to the next `serve` of this replica. Whatever is not taken is closed. */
  keep(connection: Closable): void
}

export interface Closable {
  close(): void | Promise<void>
}

/** What an entry has that listens on every replica. */
export interface ListenContext<Spec = unknown> extends PrepareContext<Spec> {
  /** The subscription stands: from here on everything is heard. Says too that nothing is wrong. */
  subscribed(): void
  /**
   * Hands over what the origin told everybody who listens. Never rejects, never waits for room.
   * @returns when it is on the bus, where this replica leads; else at once
   */
  hear(message: Heard): Promise<void>
}

export interface Heard {
  /** The payload: JSON text, exactly as it goes into the event; the same bytes on every replica that hears the message. */
  data: string | Uint8Array
  /** What identifies the message, where the origin or its sender says so. */
  id?: string
}

/** What a serving entry has. */
export interface SourceContext<Spec = unknown, Position = unknown> extends PrepareContext<Spec> {
  /**
   * Hands an event over. Resolves only when the bus holds it durably, or it was filtered out or already there; only
   * then ack upstream. Calls may overlap; they are stored in call order. Waits while too much is in flight.
   * @throws FENCED or OUTCOME_UNKNOWN: this entry is being stopped, let it through; BUS_UNAVAILABLE, BUS_FULL,
   * BUS_BUSY (active-active only): not stored, tell the sender to retry; EVENT_TOO_LARGE, EVENT_INVALID: never storable
   */
  emit(event: Emit<Position>): Promise<Emitted>
  /** Moves the position on without an event (filtered or skipped upstream items). Resolves when durable; may be batched. */
  advance(position: Position): Promise<void>
  /** The last durable position of this entry, or null on a fresh start. Fixed for one call of `serve`. */
  resume(): Position | null
  /** What `prepare` kept on this replica, or null. Taken once; it may have died meanwhile. */
  kept(): Closable | null
  /** State too big for a position (known paths, uids), beside it. A lagging one may only cause re-evaluation. */
  readonly snapshot: Snapshot
  /** Adds a route; see {@link HttpRoute}. It is active until `signal` aborts. @throws PORT_IN_USE */
  http(route: HttpRoute): Promise<void>
  /**
   * The secret that a provider made for the hook of a target (see {@link HookTarget.create}), or null while there is none. May be a
   * second old. @throws BUS_UNAVAILABLE
   */
  hookSecret(target: string): Promise<string | null>
}

/** The hooks of an entry, as they should be now. */
export interface HookRegistration {
  /**
   * Everything that decides what the hooks look like, secrets included, as JSON. When it changes, hooks are updated within
   * seconds. Kept only as a salted, slow hash.
   */
  wanted: unknown
  /** The places where a hook should be; may ask the provider (the repositories of a project…). @throws as {@link HookTarget.list} */
  targets(signal: AbortSignal): Promise<HookTarget<any>[]>
  /** How often existing hooks are looked at, milliseconds. Default 60 s. */
  everyMs?: number
  /** Remove the hooks when the EventSource is deleted. */
  removeOnDelete: boolean
}

/** A hook (webhook, subscription…) as its provider lists it; a provider's own type has more. */
export interface Hook {
  /** The provider's id; of two hooks the one made first is kept: by `createdMs`, else by the smaller id. */
  id: string
  /** Milliseconds since the epoch. */
  createdMs?: number
}

/**
 * One place at a provider where the entry wants exactly one hook. Its functions make one request each (`list`: one per page) and throw
 * whatever went wrong: the registrar tries again with growing pauses, for ever, and not before `details.retryAfterMs` of a
 * {@link VedetteError} (the provider's Retry-After) has passed. The signal aborts when the entry stops or the registrar's lease is lost.
 */
export interface HookTarget<H extends Hook = Hook> {
  /** Names the place within the entry, for status, logs and the bus's records: `repos/acme/shop`. */
  name: string
  /** All hooks of the place, every page, also those of others. */
  list(signal: AbortSignal): Promise<H[]>
  /** Whether a listed hook is one of this entry: by its URL. */
  isOurs(hook: H): boolean
  /** False when what the provider shows of our hook is not what is wanted (events, active…): it is updated. */
  isCurrent(hook: H): boolean
  /** Makes the hook. @returns it, and the secret if the provider made one */
  create(signal: AbortSignal): Promise<{ hook: H; secret?: string }>
  /** Makes our hook as wanted, secret included. Left out: hooks of this provider cannot be changed, so it is replaced. */
  update?(hook: H, signal: AbortSignal): Promise<void>
  /** Deletes a hook of ours; one that is gone already is no error. */
  delete(hook: H, signal: AbortSignal): Promise<void>
  /** Asks the provider to send again what it could not hand over lately. Called at each look. @returns how many. @throws why it sends nothing */
  recover?(hook: H, signal: AbortSignal): Promise<number>
  /** True when the provider makes the secret and shows it only at creation: a hook whose secret is not known is replaced. */
  secretAtCreation?: boolean
}

export interface Emit<Position = unknown> {
  /** The payload: JSON text, exactly as it goes into the event. */
  data: string | Uint8Array
  /** What the source saw, reproducibly (offset, delivery id, tick time…). Left out: a random id. */
  id?: string
  /** The CloudEvent id itself, where upstream's form is kept (Kafka). Wins over `id`. */
  eventId?: string
  /** Where the entry stands once this event is stored. */
  position?: Position
}

export interface Emitted {
  /** The CloudEvent id. */
  id: string
  outcome: 'stored' | 'duplicate' | 'filtered' | 'skipped'
}

export interface Snapshot {
  load(): Promise<Uint8Array | null>
  save(bytes: Uint8Array): Promise<void>
}

export interface SecretKeySelector {
  name: string
  key: string
  optional?: boolean | undefined
}

/** One HTTP route of an entry. One listener per distinct port, shared by all entries of all types. */
export interface HttpRoute {
  port: number
  /** Path, matched exactly; `{var}` and `{var:regexp}` templates work as in upstream's router. */
  endpoint: string
  /** TLS when both are given; files or Secrets are re-read when they change. */
  tls?: { cert: SecretKeySelector; key: SecretKeySelector } | undefined
  /** Bearer guard; compared in constant time; read at each request, so rotation needs no restart. */
  authSecret?: SecretKeySelector | undefined
  /** Methods that are let through; others get 405. Left out: all. */
  methods?: string[] | undefined
  /** Bytes; larger bodies get 413 before they are read whole. Default 1 MiB. */
  maxPayloadSize?: number | undefined
  /** Requests beyond it get 429, per replica. Left out: no limit. */
  rateLimit?: RateLimit | undefined
  handle(request: HttpRequest): Promise<HttpAnswer>
}

/** A token bucket: `burst` requests at once, `requestsPerSecond` in the long run. */
export interface RateLimit {
  requestsPerSecond: number
  burst: number
}

export interface HttpRequest {
  method: string
  /** Path and query as sent. */
  url: URL
  /** Canonical names (`X-Github-Event`), values in arrival order, secrets masked; as it goes into the payload. */
  headers: Record<string, string[]>
  /** First value of a header by any spelling, unmasked. */
  header(name: string): string | undefined
  /** The raw body, within the route's limit. */
  body: Buffer
  /** Values of `{var}` in the endpoint. */
  params: Record<string, string>
}

export interface HttpAnswer {
  status: number
  body?: string
  headers?: Record<string, string>
}

/** The guarantee of an entry with this spec. */
export function guaranteeOf<Spec>(definition: SourceDefinition<Spec, any>, spec: Spec): Guarantee {
  return definition.guaranteeOf?.(spec) ?? definition.guarantee
}

/** Types a source module; the identity function, so that a module is plain data and functions. */
export function defineSource<Spec, Position = unknown>(
  definition: SourceDefinition<Spec, Position>,
): SourceDefinition<Spec, Position> {
  return definition
}
