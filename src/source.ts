/**
 * The contract of a source type: one module says everything about it, and everything else (JSON Schema, CRD, docs,
 * `vedette explain`, the guarantee table) is generated from it. CONTRIBUTING.md shows how to add one; what a source is given
 * stands in `source/`, its prose in `docs.md` beside the module, which only the generator of the docs reads.
 */
import type { z } from 'zod'
import type { BackoffOptions } from './core/backoff.ts'
import type { ListenContext, PrepareContext, SourceContext } from './source/context.ts'
import type { HookRegistration } from './source/hooks.ts'

export type * from './source/context.ts'
export type * from './source/hooks.ts'
export type * from './source/http.ts'

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

/**
 * What an entry uses at its origin under a name that others may use too, and that gives each message to one taker only or lets one
 * in only: a queue, a session, a subscription.
 */
export interface Claim {
  /** The origin, as far as the spec tells: the same may be reached by other addresses. */
  at: string
  /** What it is there; two entries that claim the same at the same origin take from each other. */
  name: string
  /** With this, only where the subjects meet (patterns of NATS). */
  subject?: string
  /** For people: `the queue orders at broker:5672`. */
  what: string
  /** What happens to two that claim it, where it is not that each message goes to one of them only. */
  otherwise?: string
  /** What to write instead. */
  remedy: string
  /** True when the second one is better not served than served. */
  fatal?: boolean
}

/** Where an entry stands; names at the origin may be made of it. */
export interface EntryPlace {
  eventSource: string
  entry: string
}

/** What every type is tried by: `contract` is test/contract/source.ts, `delivery` test/faults/delivery.ts. */
export type Suite = 'contract' | 'delivery'

export interface SourceDefinition<Spec = unknown, Position = unknown> {
  /** The key under `spec`, e.g. `azureEventsHub`. */
  type: string
  /** The CloudEvent type, where it is not the key (e.g. `pubsub` for `pubSub`). */
  eventType?: string
  title: string
  /** One sentence: what it watches. */
  summary: string
  strategy: Strategy
  guarantee: Guarantee
  /** The guarantee of one entry, where its fields decide. `hot-standby`: `listen` is called instead of `prepare` and `serve`. */
  guaranteeOf?(spec: Spec): Guarantee
  /** Why the guarantee holds, one or two sentences. */
  because: string
  /**
   * What an event is known by, and why that is one: what two senders, tenants, hooks or clusters may both call 1 is no identity by
   * itself. One or two sentences; begins with `None` where the origin gives nothing.
   */
  ids: string
  /** Suites that cannot try this type, with why, and what tries it instead. For all others it has an adapter in test/origins/. */
  untried?: Partial<Record<Suite, string>>
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
  /** What a position looks like: it comes from the bus, where others may write too. One that does not look so counts as none. */
  position?: z.ZodType
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
  /**
   * How many of the last events of Argo Events' own Pods a first term wants to know, so that it begins where they stopped: see
   * {@link SourceContext.predecessor}. For a type that keeps its place itself and not at its origin.
   */
  follows?: number
  /**
   * On a standby, now and then while Argo Events' own Pods serve: what the first term would have to compare the origin with. Consumes nothing.
   * Left out, of a type that `follows`: the time is enough. Throwing means: looked again soon.
   */
  look?(ctx: PrepareContext<Spec>): Promise<unknown>
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
  /** What other entries must leave alone. For an entry that is warned of nothing else. */
  claims?(spec: Spec, place: EntryPlace): Claim[]
  /** False when {@link remove} has nothing to do for this entry; nothing then holds its object back. */
  removes?(spec: Spec): boolean
  /**
   * Remote clean-up beside hooks, once, when the entry or its object is deleted (never when a process stops), unless another entry
   * claims the same.
   */
  remove?(ctx: PrepareContext<Spec>): Promise<void>
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
