/**
 * The metrics of all host processes as one. Counters of a process that has died stay in the sums (as last seen), so that a
 * restart does not look like a fall to whoever computes a rate; gauges of the dead do not.
 */
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import { addBuildInfo } from '../runtime/metrics.ts'
import type { DeliveryStatus } from './status.ts'

export type Snapshot = MetricObjectWithValues<MetricValue<string>>[]

export interface MetricSums {
  /** A host's metrics as they are now. */
  seen(host: string, snapshot: Snapshot): void
  /** It does not answer: its counters stay, but what its gauges said last is no news. */
  silent(host: string): void
  /** That process is gone. */
  gone(host: string): void
  /** Prometheus text of everything, with `own` beside it. */
  render(own: Snapshot): Promise<string>
}

export function createMetricSums(): MetricSums {
  const living = new Map<string, Snapshot>()
  let dead: Snapshot[] = []
  const countersOf = (snapshot: Snapshot) => snapshot.filter(({ type }) => String(type) !== 'gauge')
  const sum = async (snapshots: Snapshot[]): Promise<Snapshot> =>
    snapshots.length === 0 ? [] : ((await AggregatorRegistry.aggregate(snapshots).getMetricsAsJSON()) as Snapshot)
  return {
    seen: (host, snapshot) => void living.set(host, snapshot),
    silent(host) {
      const last = living.get(host)
      if (last !== undefined) living.set(host, countersOf(last))
    },
    gone(host) {
      const last = living.get(host)
      living.delete(host)
      if (last !== undefined) dead.push(countersOf(last))
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
  delivery: DeliveryStatus | null
  /** Wall clock. */
  nowMs: number
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
  if (facts.delivery !== null) deliveryMetrics(registers, facts.delivery, facts.nowMs)
  return (await registers[0]!.getMetricsAsJSON()) as Snapshot
}

/** Counters begin with the run. */
function deliveryMetrics(registers: Registry[], delivery: DeliveryStatus, nowMs: number): void {
  const counter = (name: string, help: string, value: number) => new Counter({ name, help, registers }).inc(value)
  const gauge = (name: string, help: string, value: number) => new Gauge({ name, help, registers }).set(value)
  const seconds = (since: string | undefined) =>
    since === undefined ? 0 : Math.max(0, (nowMs - Date.parse(since)) / 1000)
  counter('vedette_deliver_delivered_total', 'Events that the receiver took', delivery.delivered)
  counter('vedette_deliver_attempts_total', 'Requests to the receiver', delivery.attempts)
  const refused = new Counter({
    name: 'vedette_deliver_refused_total',
    help: 'Requests that took no event, by the status of the answer or what kept one from coming',
    labelNames: ['reason'],
    registers,
  })
  for (const [reason, count] of Object.entries(delivery.refused)) refused.inc({ reason }, count)
  counter('vedette_deliver_lost_total', 'Events that the bus let go before they were delivered, at most', delivery.lost)
  gauge(
    'vedette_deliver_lag',
    'Sequence numbers between the newest event and the cursor',
    delivery.head - delivery.cursor,
  )
  gauge('vedette_deliver_failing', '1 while delivery is held up', delivery.error === null ? 0 : 1)
  gauge('vedette_deliver_failing_seconds', 'Since when it is', seconds(delivery.errorSince))
  gauge(
    'vedette_deliver_oldest_undelivered_seconds',
    'Age of the oldest event that was not delivered, 0 when there is none',
    seconds(delivery.oldestAt),
  )
}
