/** Prometheus metrics: upstream's names (reference: argo_events_*), then ours (vedette_*). */
import { Counter, Gauge, Registry, Summary } from 'prom-client'

/** The labels of one entry; resolved once, so that the hot path does no look-up. */
export interface EntryMetrics {
  sent(count: number): void
  sendFailed(): void
  processingFailed(): void
  duration(ms: number): void
  filtered(): void
  filterError(): void
  duplicate(): void
  skipped(): void
  /** The entry stood still and was begun anew. */
  stalled(): void
  /** Whether this replica serves the entry now. Told again: counted once. */
  serving(now: boolean): void
}

export interface ReplicaMetrics {
  readonly registry: Registry
  entry(namespace: string, eventSource: string, entry: string): EntryMetrics
  /** This replica no longer has the entry. */
  forget(namespace: string, eventSource: string, entry: string): void
  /** What a replica knows of the lead. */
  lead(namespace: string, eventSource: string, leading: boolean, term: number | null): void
  failover(namespace: string, eventSource: string, reason: string): void
  /** Whether the lock of the election can be used. */
  lock(namespace: string, eventSource: string, usable: boolean): void
  bus(connected: boolean): void
  /** Whether everybody who may write is refused once a newer term exists. */
  fencing(namespace: string, eventSource: string, strict: boolean): void
}

/** Upstream's `build_info`: always 1, the labels say what runs. */
export function addBuildInfo(registry: Registry, version: string): void {
  const labels = { version, goversion: '', goarch: process.arch, commit: '' }
  const help = 'Always 1; the labels say what runs'
  new Gauge({ name: 'build_info', help, labelNames: Object.keys(labels), registers: [registry] }).set(labels, 1)
}

export function createMetrics(): ReplicaMetrics {
  const registry = new Registry()
  const perEntry = ['namespace', 'eventsource_name', 'event_name'] as const
  const perSource = ['namespace', 'eventsource_name'] as const
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames: perEntry, registers })

  const running = new Gauge({
    name: 'argo_events_event_service_running_total',
    help: 'Entries that this replica serves now',
    labelNames: perSource,
    registers,
  })
  const serving = new Gauge({
    name: 'vedette_entry_serving',
    help: '1 while this replica serves the entry; summed over the replicas 0: nobody does',
    labelNames: perEntry,
    registers,
  })
  const sent = counter('argo_events_events_sent_total', 'Events that the bus holds durably')
  const sendFailed = counter('argo_events_events_sent_failed_total', 'Events that the bus did not take')
  const processingFailed = counter(
    'argo_events_events_processing_failed_total',
    'Events that failed anywhere on their way',
  )
  const duration = new Summary({
    name: 'argo_events_event_processing_duration_milliseconds',
    help: 'From receipt to durable on the bus',
    labelNames: perEntry,
    percentiles: [],
    registers,
  })
  const filtered = counter('vedette_events_filtered_total', 'Events that their filter held back')
  const filterErrors = counter('vedette_filter_errors_total', 'Filters that failed on an event')
  const duplicates = counter('vedette_events_duplicate_total', 'Events that were on the bus already')
  const skipped = counter('vedette_events_skipped_total', 'Events that can never be stored, e.g. too large')
  const stalls = counter('vedette_entry_stalls_total', 'Times that an entry stood still and was begun anew')
  const leading = new Gauge({
    name: 'vedette_leading',
    help: '1 while this replica leads',
    labelNames: perSource,
    registers,
  })
  const term = new Gauge({
    name: 'vedette_term',
    help: 'Term of the leader, as last seen',
    labelNames: perSource,
    registers,
    aggregator: 'max',
  })
  const failovers = new Counter({
    name: 'vedette_failovers_total',
    help: 'Takeovers by this replica',
    labelNames: [...perSource, 'reason'] as const,
    registers,
  })
  const lockUsable = new Gauge({
    name: 'vedette_lock_usable',
    help: '1 while the lock of the election can be read and written',
    labelNames: perSource,
    registers,
    aggregator: 'min',
  })
  const connected = new Gauge({
    name: 'vedette_bus_connected',
    help: '1 while the bus answers',
    registers,
    aggregator: 'min',
  })
  const leaseOnly = new Gauge({
    name: 'vedette_fencing_lease_only',
    help: '1 while not every older write is refused: by the bus, or of Pods of Argo Events beside it',
    labelNames: perSource,
    registers,
    aggregator: 'max',
  })

  return {
    registry,
    entry(namespace, eventSource, entry) {
      const labels = { namespace, eventsource_name: eventSource, event_name: entry }
      const on = running.labels({ namespace, eventsource_name: eventSource })
      const of = (metric: Counter<(typeof perEntry)[number]>) => {
        const child = metric.labels(labels)
        child.inc(0)
        return child
      }
      const [s, sf, pf, fi, fe, du, sk, st] = [
        sent,
        sendFailed,
        processingFailed,
        filtered,
        filterErrors,
        duplicates,
        skipped,
        stalls,
      ].map(of)
      const time = duration.labels(labels)
      on.inc(0)
      const own = serving.labels(labels)
      own.inc(0)
      let counted = false
      return {
        sent: (count) => s!.inc(count),
        sendFailed: () => sf!.inc(),
        processingFailed: () => pf!.inc(),
        duration: (ms) => time.observe(Math.round(ms)),
        filtered: () => fi!.inc(),
        filterError: () => fe!.inc(),
        duplicate: () => du!.inc(),
        skipped: () => sk!.inc(),
        stalled: () => st!.inc(),
        serving(now) {
          if (now === counted) return
          counted = now
          own.inc(now ? 1 : -1)
          on.inc(now ? 1 : -1)
        },
      }
    },
    forget: (namespace, eventSource, entry) =>
      serving.remove({ namespace, eventsource_name: eventSource, event_name: entry }),
    lead(namespace, eventSource, leads, seen) {
      const labels = { namespace, eventsource_name: eventSource }
      leading.set(labels, leads ? 1 : 0)
      if (seen !== null) term.set(labels, seen)
    },
    failover: (namespace, eventSource, reason) => failovers.inc({ namespace, eventsource_name: eventSource, reason }),
    lock: (namespace, eventSource, usable) =>
      lockUsable.set({ namespace, eventsource_name: eventSource }, usable ? 1 : 0),
    bus: (isConnected) => connected.set(isConnected ? 1 : 0),
    fencing: (namespace, eventSource, strict) =>
      leaseOnly.set({ namespace, eventsource_name: eventSource }, strict ? 0 : 1),
  }
}
