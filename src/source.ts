/**
 * The contract of a source type: one module says everything about it, and everything else (JSON Schema, CRD, docs,
 * `vedette explain`, the guarantee table) is generated from it. CONTRIBUTING.md shows how to add one; what a source is given
 * stands in `source/`, its prose in `docs.md` beside the module, which only the generator of the docs reads.
 *
 * A type is called on all replicas, or asks on all; or it serves on one; or listens on all, and one tells; or its fields decide between the last
 * two. What does not belong to a kind does not compile in it.
 */
import type { z } from 'zod'
import type { BackoffOptions } from './core/backoff.ts'
import type {
  EntryContext,
  FollowContext,
  HttpContext,
  ListenContext,
  PollContext,
  PrepareContext,
  ServeContext,
} from './source/context.ts'
import type { Claim, Described, EntryPlace, Guarantee, Listens } from './source/described.ts'
import type { HookRegistration } from './source/hooks.ts'

export type * from './source/context.ts'
export type * from './source/described.ts'
export type * from './source/hooks.ts'
export type * from './source/http.ts'

export type SourceDefinition<Spec = unknown, Position = unknown> =
  | HttpDefinition<Spec>
  | PollDefinition<Spec>
  | ServeDefinition<Spec, Position>
  | FollowDefinition<Spec, Position>
  | ListenDefinition<Spec>
  | EitherDefinition<Spec, Position>

/** Members that other kinds have: asked for they are `undefined`, and cannot be written. */
type Without<Members extends string> = { [Member in Members]?: never }

/** Guarantees of entries that do not listen on all replicas. */
type Served = Exclude<Guarantee, 'hot-standby'>

/** All replicas listen on a port, and the origin calls one of them. */
export interface HttpDefinition<Spec = unknown>
  extends Described<Spec>,
    Without<OfTerm | OfPlace | 'listen' | 'poll' | 'reconnect' | 'claims' | 'identity'> {
  strategy: 'active-active'
  guarantee: Served
  guaranteeOf?(spec: Spec): Served
  /** The ports that the entry needs. */
  listens(spec: Spec): Listens[]
  /** True when requests get in without a signature or token: status shows it. */
  unsigned?(spec: Spec): boolean
  /**
   * The hooks that should exist at a provider (GitHub, SNS…), or null when the entry manages none. The runtime's registrar sees to
   * it, once among all replicas, beside serving and after the port accepts. Called often: makes no request, only reads Secrets.
   * @throws SECRET_MISSING… shown in status, tried again
   */
  hooks?(ctx: EntryContext<Spec>): Promise<HookRegistration | null>
  /** Serves until `ctx.signal` aborts. Throwing means: try again soon, for ever; status shows the message. */
  serve(ctx: HttpContext<Spec>): Promise<void>
}

/** All replicas ask the origin, which gives each thing to one of them. */
export interface PollDefinition<Spec = unknown>
  extends Described<Spec>,
    Asking<Spec>,
    Without<OfTerm | OfPlace | OfPort | 'listen' | 'serve' | 'identity'> {
  strategy: 'active-active'
  guarantee: Served
  guaranteeOf?(spec: Spec): Served
  /** Asks until `ctx.signal` aborts. Throwing means: try again with backoff, for ever; status shows the message. */
  poll(ctx: PollContext<Spec>): Promise<void>
}

/** One replica serves, the others stand by. */
export type ServeDefinition<Spec = unknown, Position = unknown> = OfOne<Spec> & Alone<Spec, Position>

/** Likewise, and a first term begins where Argo Events' own Pods stopped. */
export type FollowDefinition<Spec = unknown, Position = unknown> = OfOne<Spec> & Following<Spec, Position>

type OfOne<Spec> = Described<Spec> &
  Asking<Spec> &
  Placed<Spec> &
  Standing<Spec> &
  Removing<Spec> &
  Without<OfPort | 'listen' | 'poll'> & {
    strategy: 'active-passive'
    guarantee: Served
    /** The guarantee of one entry, where its fields decide. */
    guaranteeOf?(spec: Spec): Served
  }

/** The origin forgets and tells everybody: all replicas listen, and the one that leads tells the bus. */
export interface ListenDefinition<Spec = unknown>
  extends Described<Spec>,
    Asking<Spec>,
    Identified<Spec>,
    Hearing<Spec>,
    Without<OfTerm | OfPlace | OfPort | 'serve' | 'poll' | 'guaranteeOf'> {
  strategy: 'active-passive'
  guarantee: 'hot-standby'
}

/** Its fields decide which of the last two an entry is. */
export type EitherDefinition<Spec = unknown, Position = unknown> = Described<Spec> &
  Asking<Spec> &
  Placed<Spec> &
  Standing<Spec> &
  Removing<Spec> &
  Hearing<Spec> &
  Alone<Spec, Position> &
  Without<OfPort | 'poll'> & {
    strategy: 'active-passive'
    guarantee: Guarantee
    /** The guarantee of one entry. `hot-standby`: `listen` is called instead of `prepare` and `serve`. */
    guaranteeOf(spec: Spec): Guarantee
  }

type OfPort = 'listens' | 'unsigned' | 'hooks'
type OfPlace = 'position' | 'recall'
type OfTerm = 'prepare' | 'follows' | 'look' | 'removes' | 'remove'

/** It goes to its origin. */
interface Asking<Spec> {
  /** The pauses between attempts after `serve`, `poll`, `prepare` or `listen` threw; the runtime's own where it says nothing. */
  reconnect?(spec: Spec): BackoffOptions
  /** What other entries must leave alone. For an entry that is warned of nothing else. */
  claims?(spec: Spec, place: EntryPlace): Claim[]
}

interface Identified<Spec> {
  /**
   * The fields that say *what* is read (queue, path, schedule…): when they change, positions start afresh, and ids of events are others than
   * before.
   */
  identity?(spec: Spec): unknown
}

/** It has a place at its origin. */
interface Placed<Spec> extends Identified<Spec> {
  /** What a position looks like: it comes from the bus, where others may write too. One that does not look so counts as none. */
  position?: z.ZodType
  /**
   * How many of its last stored events a new leader compares what it emits with, for an origin that redelivers without a position:
   * at least twice of what may be unacknowledged. Only ids that outlive the bus's window of repeats need it.
   */
  recall?: number
}

interface Standing<Spec> {
  /** On a standby: connect, authenticate, be warm; must consume nothing. Until `ctx.signal` aborts. */
  prepare?(ctx: PrepareContext<Spec>): Promise<void>
}

interface Hearing<Spec> {
  /**
   * Hot standby, for an origin that forgets: receives on every replica, leading or not, until `ctx.signal` aborts. What to publish,
   * and when, is the runtime's business. Throwing means the same as in `serve`.
   */
  listen(ctx: ListenContext<Spec>): Promise<void>
}

/** It keeps its place itself and not at its origin, so that a first term has to begin where Argo Events' own Pods stopped. */
interface Following<Spec, Position> {
  /** How many of the last events of those Pods a first term wants to know: see {@link FollowContext.predecessor}. */
  follows: number
  /**
   * On a standby, now and then while Argo Events' own Pods serve: what the first term would have to compare the origin with. Consumes nothing.
   * Left out: the time is enough. Throwing means: looked again soon.
   */
  look?(ctx: EntryContext<Spec>): Promise<unknown>
  /** Serves until `ctx.signal` aborts. Throwing means: try again with backoff, for ever; status shows the message. */
  serve(ctx: FollowContext<Spec, Position>): Promise<void>
}

interface Alone<Spec, Position> extends Without<'follows' | 'look'> {
  /** As in {@link Following}. */
  serve(ctx: ServeContext<Spec, Position>): Promise<void>
}

/** Remote clean-up: both members or neither. */
type Removing<Spec> =
  | Without<'removes' | 'remove'>
  | {
      /** False when {@link remove} has nothing to do for this entry; nothing then holds its object back. */
      removes(spec: Spec): boolean
      /** Once, when the entry or its object is deleted (never when a process stops), unless another entry claims the same. */
      remove(ctx: EntryContext<Spec>): Promise<void>
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
