/**
 * The metrics of all host processes as one. Counters of a process that has died stay in the sums (as last seen), so that a
 * restart does not look like a fall to whoever computes a rate; gauges of the dead do not.
 */
import { AggregatorRegistry, Gauge, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client'
import { addBuildInfo } from '../runtime/metrics.ts'

export type Snapshot = MetricObjectWithValues<MetricValue<string>>[]

export interface MetricSums {
  /** A host's metrics as they are now. */
  seen(host: string, snapshot: Snapshot): void
  /** That process is gone. */
  gone(host: string): void
  /** Prometheus text of everything, with `own` beside it. */
  render(own: Snapshot): Promise<string>
}

export function createMetricSums(): MetricSums {
  const living = new Map<string, Snapshot>()
  let dead: Snapshot[] = []
  const sum = async (snapshots: Snapshot[]): Promise<Snapshot> =>
    snapshots.length === 0 ? [] : ((await AggregatorRegistry.aggregate(snapshots).getMetricsAsJSON()) as Snapshot)
  return {
    seen: (host, snapshot) => void living.set(host, snapshot),
    gone(host) {
      const last = living.get(host)
      living.delete(host)
      if (last !== undefined) dead.push(last.filter(({ type }) => String(type) !== 'gauge'))
    },
    async render(own) {
      // folded here, so that a host that dies every second does not make this grow
      if (dead.length > 1) {
        const folding = dead
        dead = []
        dead.unshift(await sum(folding))
      }
      return await AggregatorRegistry.aggregate([...living.values(), ...dead, own]).metrics()
    },
  }
}

/** What the supervisor itself measures. */
export interface RunFacts {
  version: string
  hosts: { index: number; up: boolean; restarts: number }[]
  busRestarts: number
  bytes: number
  messages: number
  delivery: { delivered: number; skipped: number; lag: number; failing: boolean } | null
}

export async function runMetrics(facts: RunFacts): Promise<Snapshot> {
  const registers = [new Registry()]
  const gauge = (name: string, help: string, value: number, labels: Record<string, string> = {}) => {
    const known = registers[0]!.getSingleMetric(name) as Gauge | undefined
    const metric = known ?? new Gauge({ name, help, labelNames: Object.keys(labels), registers })
    metric.set(labels, value)
  }
  addBuildInfo(registers[0]!, facts.version)
  for (const { index, up, restarts } of facts.hosts) {
    gauge('vedette_host_up', '1 while the host process runs', up ? 1 : 0, { host: String(index) })
    gauge('vedette_host_restarts', 'Restarts of the host process in this run', restarts, { host: String(index) })
  }
  gauge('vedette_bus_restarts', 'Restarts of the bus process in this run', facts.busRestarts)
  gauge('vedette_bus_bytes', 'Size of the stored events', facts.bytes)
  gauge('vedette_bus_messages', 'Stored events', facts.messages)
  if (facts.delivery !== null) {
    gauge('vedette_deliver_delivered', 'Events delivered in this run', facts.delivery.delivered)
    gauge('vedette_deliver_skipped', 'Events the receiver refused for good, in this run', facts.delivery.skipped)
    gauge('vedette_deliver_lag', 'Sequence numbers between the newest event and the cursor', facts.delivery.lag)
    gauge('vedette_deliver_failing', '1 while delivery fails', facts.delivery.failing ? 1 : 0)
  }
  return (await registers[0]!.getMetricsAsJSON()) as Snapshot
}
