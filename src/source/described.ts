/** What a source type says of itself and of its specs, apart from the code that serves. */
import type { z } from 'zod'

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

/** Beside what the controller makes for every Pod: `kubernetes` a token for the API, `files` the right to read what others have written. */
export type Need = 'kubernetes' | 'files'

/** What all types say. */
export interface Described<Spec = unknown> {
  /** The key under `spec`, e.g. `azureEventsHub`. */
  type: string
  /** The CloudEvent type, where it is not the key (e.g. `pubsub` for `pubSub`). */
  eventType?: string
  title: string
  /** One sentence: what it watches. */
  summary: string
  /** Why the guarantee holds, one or two sentences. */
  because: string
  /**
   * What an event is known by, and why that is one: what two senders, tenants, hooks or clusters may both call 1 is no identity by
   * itself. One or two sentences; begins with `None` where the origin gives nothing.
   */
  ids: string
  /** Suites that cannot try this type, with why, and what tries it instead. For all others it has an adapter in test/origins/. */
  untried?: Partial<Record<Suite, string>>
  /** What the process that serves it must have. */
  needs?: readonly Need[]
  /** Every field, described, with upstream's names. Lenient as upstream's decoder: rules live in `validate`. */
  spec: z.ZodType<Spec>
  /** The payload that lands on the bus (the CloudEvent's data). */
  event: z.ZodType
  /** True when `filter.expression` applies (false for types with a filter of their own shape). */
  filterable: boolean
  examples: Example[]
  /** Upstream's validation rules in upstream's order and words, then what cannot work. Pure. */
  validate?(spec: Spec): Finding[]
}
