/** The controller's metrics, under the names of upstream's (controller-runtime's and client-go's). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../core/clock.ts'
import type { WorkQueue } from '../kube/queue.ts'
import { version } from '../local/version.ts'
import { addBuildInfo } from '../runtime/metrics.ts'
import { CONTROLLER_LEASE } from './install/rbac.ts'

export interface ControllerMetrics {
  registry: Registry
  /** Counts and times one reconcile. */
  timed<T>(controller: string, work: () => Promise<T>): Promise<T>
  watchQueues(queues: Record<string, WorkQueue>): void
  leading(leads: boolean): void
}

export function createControllerMetrics(clock: Clock): ControllerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  addBuildInfo(registry, version())
  let queues: Record<string, WorkQueue> = {}
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Total number of reconciliations per controller',
    labelNames: ['controller', 'result'],
    registers,
  })
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Total number of reconciliation errors per controller',
    labelNames: ['controller'],
    registers,
  })
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Length of time per reconciliation per controller',
    labelNames: ['controller'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  })
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process is the leader of the Lease: 1 it is, 0 it stands by',
    labelNames: ['name'],
    registers,
  })
  new Gauge({
    name: 'workqueue_depth',
    help: 'Current depth of the work queue: keys waiting, being worked on or put off',
    labelNames: ['name', 'controller'],
    registers,
    collect() {
      for (const [name, queue] of Object.entries(queues)) this.set({ name, controller: name }, queue.size)
    },
  })
  leader.set({ name: CONTROLLER_LEASE }, 0)
  return {
    registry,
    async timed(controller, work) {
      const from = clock.monotonic()
      try {
        const result = await work()
        total.inc({ controller, result: 'success' })
        return result
      } catch (error) {
        total.inc({ controller, result: 'error' })
        errors.inc({ controller })
        throw error
      } finally {
        seconds.observe({ controller }, (clock.monotonic() - from) / 1000)
      }
    },
    watchQueues(now) {
      queues = now
    },
    leading: (leads) => leader.set({ name: CONTROLLER_LEASE }, leads ? 1 : 0),
  }
}
