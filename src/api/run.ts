/** What the API needs to know of a run; the supervisor is one, tests may be another. */
import type { Bus, SourceRef } from '../bus/bus.ts'
import type { Readable } from './scan.ts'
import type { NotServed } from './served.ts'
import type { DeliveryStatus, Status } from './status.ts'

/** What `/readyz` says. */
export interface Readiness {
  /** All entries are served, and the bus answers. */
  ready: boolean
  /** What is wrong beside the entries, a sentence each. */
  reasons: string[]
  /** Entries that nobody serves now, and why. */
  notServed: NotServed[]
}

export interface Run {
  /** The run's own connection to the bus. */
  readonly bus: Bus
  /** For whoever reads over the API: what they have asked for is not before anything else that the run asks the bus. */
  readonly reading: Readable
  status(): Promise<Status>
  /** Null where nothing is delivered. */
  delivery(): DeliveryStatus | null
  /** All hosts have started, whether or not anything is served yet. */
  started(): boolean
  readiness(): Promise<Readiness>
  /** Prometheus text, all hosts together. */
  metrics(): Promise<string>
  /**
   * Hands the lead over; resolves once another replica leads.
   * @throws SOURCE_UNKNOWN; USAGE when it has nothing to hand over; NOT_LEADING when nobody leads or nobody took over
   */
  failOver(source: SourceRef): Promise<{ from: string | null; to: string; term: number }>
  /** The EventSource of that name. @throws SOURCE_UNKNOWN, also when the name is in several namespaces and none is given */
  find(name: string, namespace?: string): SourceRef
  /** The CloudEvent type of an entry. @throws SOURCE_UNKNOWN */
  eventType(source: SourceRef, entry: string): string
  /** Begins the graceful stop. */
  stop(): void
}
