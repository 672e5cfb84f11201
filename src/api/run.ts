/** What the API needs to know of a run; the supervisor is one, tests may be another. */
import type { Bus, SourceRef } from '../bus/bus.ts'
import type { DeliveryStatus, Status } from './status.ts'

export interface Run {
  /** The run's own connection to the bus. */
  readonly bus: Bus
  status(): Promise<Status>
  /** Every entry is served or shows an error, and the bus answers. */
  ready(): boolean
  /** Null where nothing is delivered. */
  delivery(): DeliveryStatus | null
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
