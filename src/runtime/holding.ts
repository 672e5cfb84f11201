/** The replicas that one process holds: they share its bus, listeners, Secrets and metrics, and end together. */
import { type Bus, type SourceRef, sourceKey } from '../bus/bus.ts'
import type { Election } from '../buses/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import type { EventSource } from '../manifest/manifest.ts'
import { loadSource } from '../sources/index.ts'
import type { Listeners } from './http/listeners.ts'
import type { ReplicaMetrics } from './metrics.ts'
import { type Replica, startReplica } from './replica.ts'
import { type Failover, type ReplicaReport, shownReport } from './report.ts'
import type { SecretStore } from './secrets.ts'

export interface HoldingOptions {
  bus: Bus
  electionFor(source: EventSource): Election | Promise<Election>
  /** The id that this process's replica of an EventSource has. */
  idFor(source: SourceRef): string
  listeners: Listeners
  secrets: SecretStore
  metrics: ReplicaMetrics
  clock: Clock
  /** The process's own time zone (`TZ`). */
  localZone: string | undefined
  log: Logger
  redactor: Redactor
  /** Stored events are logged, some of many. */
  logEvents?: boolean
  /** Something that status shows has changed. */
  onReport: () => void
  onFailover: (failover: Failover) => void
}

export interface Holding {
  /** Starts, changes and stops replicas so that these objects, and only these, have one. @throws what `electionFor` throws */
  apply(objects: EventSource[]): Promise<void>
  replica(source: SourceRef): Replica | undefined
  reports(): ReplicaReport[]
  /** Stops taking, drains, hands over, releases; then closes the listeners and the bus. */
  drain(): Promise<void>
}

/** How long a drain waits for requests in flight. */
const REQUESTS_PATIENCE_MS = 10_000

export function createHolding(options: HoldingOptions): Holding {
  const { bus, listeners, secrets, metrics, clock, localZone, log, redactor, logEvents, onReport, onFailover } = options
  const held = new Map<string, { replica: Replica; election: Election }>()

  const start = async (object: EventSource): Promise<void> => {
    const election = await options.electionFor(object)
    const replica = await startReplica({
      ...election,
      ...{ object, id: options.idFor(object), bus, listeners, secrets, metrics },
      ...{ clock, localZone, log, redactor, logEvents, onReport, onFailover },
    })
    held.set(sourceKey(object), { replica, election })
    onReport()
  }

  return {
    async apply(objects) {
      // loaded first, so that all replicas know their endpoints before one of them opens a port
      await Promise.all(objects.flatMap(({ entries }) => entries.map(({ type }) => loadSource(type))))
      const wanted = new Set(objects.map(sourceKey))
      // what comes is started before what goes is stopped, so that a port both use stays open
      await Promise.all(
        objects.map(async (object) => {
          const { replica } = held.get(sourceKey(object)) ?? {}
          await (replica === undefined ? start(object) : replica.apply(object))
        }),
      )
      await Promise.all(
        [...held].map(async ([key, { replica, election }]) => {
          if (wanted.has(key)) return
          await replica.stop()
          held.delete(key)
          election.close()
        }),
      )
      onReport()
    },
    replica: (source) => held.get(sourceKey(source))?.replica,
    reports: () => [...held.values()].map(({ replica }) => shownReport(replica.report(), redactor.redact)),
    async drain() {
      await listeners.drain(REQUESTS_PATIENCE_MS)
      await Promise.all([...held.values()].map(({ replica }) => replica.stop()))
      await listeners.close()
      await bus.close()
    },
  }
}
