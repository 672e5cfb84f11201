/**
 * The contract of a kind of bus: one module says everything about it, as a source's does (`source.ts`), and everybody else asks the registry
 * (`index.ts`) and knows no kind by its name. Its prose is `docs.md` in its folder, which only the generator of the docs reads.
 */
import type { z } from 'zod'
import type { Example, Finding } from '../source.ts'

/** Where the object is. */
export interface BusPlace {
  namespace: string
  name: string
}

export interface BusDefinition<Spec = unknown> {
  /** The key under `spec` of an EventBus. */
  kind: string
  title: string
  /** One sentence: what it is. */
  summary: string
  /** Every field, described, with upstream's names. Lenient as upstream's decoder: rules live in `validate`. */
  spec: z.ZodType<Spec>
  examples: Example[]
  /** Upstream's rules in upstream's order and words, then what cannot work; paths are relative to the kind's own spec. Pure. */
  validate?(spec: Spec): Finding[]
  /** It carries every name: those of others become tokens of a subject, which hold no dot, blank or wildcard. */
  anyName?: boolean
  /** What its object becomes in a cluster. */
  rendered: Rendered
}

export type Rendered =
  /** NATS servers, made and kept by the controller. */
  | { what: 'servers' }
  /** Nothing: the servers are somebody else's. */
  | { what: 'address' }
  /** Nothing, since nobody serves this kind. */
  | { what: 'nothing' }

/** Types a module of a bus; the identity function, so that a module is plain data and functions. */
export function defineBus<Spec>(definition: BusDefinition<Spec>): BusDefinition<Spec> {
  return definition
}
