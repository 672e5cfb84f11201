/**
 * The contract of a kind of bus: one module says everything about it, as a source's does (`source.ts`), and everybody else asks the registry
 * (`index.ts`) and knows no kind by its name. Its prose is `docs.md` in its folder, which only the generator of the docs reads.
 */
import type { z } from 'zod'
import type { Bus, SourceRef } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { LeaseTiming, Lock, Outsiders, Suspicion } from '../ha/lock.ts'
import type { Example, Finding, SecretKeySelector } from '../source.ts'

/** Where the object is. */
export interface BusPlace {
  namespace: string
  name: string
}

export interface OpenOptions extends BusPlace {
  secrets: { secret(namespace: string, selector: SecretKeySelector): Promise<string> }
  /** Where the text of the bus's access secret comes from, when not from `secrets`. Read anew at each connect. */
  access?: (selector: SecretKeySelector) => Promise<string>
  /** Names this process in the logs of the bus. */
  session: string
  /** The one EventSource that it serves: then what it uses there is apart from that of others. */
  serves?: SourceRef
  clock: Clock
  log: Logger
}

/** What the replicas of one EventSource elect their leader by. */
export interface Election {
  lock: Lock
  suspicions: Suspicion[]
  outsiders?: Outsiders | undefined
  timing?: Partial<LeaseTiming>
  close(): void
}

/** A bus that is open, and the election on it. */
export interface ElectingBus {
  bus: Bus
  electionFor(source: SourceRef): Election
}

/** A bus that is open; with null it has no lock, and who opens it brings one. */
export type OpenBus = ElectingBus | { bus: Bus; electionFor: null }

/** How it is opened: it then connects in the background, for ever. Loads what it needs by `await import`. @throws SPEC_INVALID for what it cannot use */
type Opening<Spec> =
  /** Nobody opens it: its clients are told of it as of another kind (`config`), or it is not served. */
  | { elects?: undefined; open?: undefined }
  /** The replicas elect by the bus itself. */
  | { elects: true; open(spec: Spec, options: OpenOptions): Promise<ElectingBus> }
  /** They elect by a Kubernetes Lease, or by the store of the run. */
  | { elects: false; open(spec: Spec, options: OpenOptions): Promise<{ bus: Bus; electionFor: null }> }

export type BusDefinition<Spec = unknown> = Opening<Spec> & {
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
  /** The key of `status.config` and of `EVENTBUS_CONFIG` that tells clients of it; left out: the kind. */
  config?: string
  /** What its object becomes in a cluster. */
  rendered: Rendered<Spec>
  /** Of what its clients are told; left out: all Secrets that are named there, whole. */
  mounted?(told: any): MountedSecrets
  /**
   * What upstream's admission refuses of a change, in its words; of both the spec as written, in any shape. Left out: nothing, and an object of another
   * kind may become one of this.
   */
  forbidden?(before: any, after: any): string[]
}

export type Rendered<Spec> =
  /** NATS servers, made and kept by the controller, which reads the spec of `jetstream.ts`: one kind only. */
  | { what: 'servers' }
  /** Nothing: the servers are somebody else's. */
  | {
      what: 'address'
      /** What clients are told of it, as upstream has it. */
      told(spec: Spec, place: BusPlace): object
      /** What the exchange of Argo Events' controller for ours does to it, as a sentence without its end. */
      exchanged(spec: Spec, place: BusPlace): string
    }
  | NotServed

/** Nothing, since nobody serves this kind. */
export interface NotServed {
  what: 'nothing'
  /** `which is …` */
  why: string
  instead: string
  /** Of the condition `Deployed`. */
  reason: string
  message: string
  /** Why the exchange leaves it to Argo Events while somebody uses it. */
  kept: { reason: string; remedy: string }
}

/** Which Secrets the Pods that use a bus get. */
export interface MountedSecrets {
  /** The login, as the file of upstream's name. */
  access?: SecretKeySelector | undefined
  /** Values in which Secrets are named: the keys that are named. */
  keys?: unknown
  /** The same: all their keys, as those of an EventSource. */
  whole?: unknown
}

/** Types a module of a bus; the identity function, so that a module is plain data and functions. */
export function defineBus<Spec>(definition: BusDefinition<Spec>): BusDefinition<Spec> {
  return definition
}
