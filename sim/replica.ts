/** A replica in a simulated process: the real one, whole, with a synthetic source and without HTTP. */

import type { Logger } from '../src/core/log.ts'
import { createRedactor } from '../src/core/redact.ts'
import type { ElectorView } from '../src/ha/elector.ts'
import type { LeaseTiming } from '../src/ha/lock.ts'
import type { EventSource } from '../src/manifest/manifest.ts'
import type { Listeners } from '../src/runtime/http/listeners.ts'
import type { EntryMetrics, ReplicaMetrics } from '../src/runtime/metrics.ts'
import { startReplica } from '../src/runtime/replica.ts'
import type { Checker } from './checker.ts'
import type { Client } from './client.ts'
import { originSource } from './origin.ts'
import type { Process } from './process.ts'
import type { Random } from './random.ts'

export interface SimulatedReplica {
  readonly client: Client
  readonly stopping: boolean
  readonly stopped: boolean
  /** `leading` only while it really serves. */
  view(): ElectorView
  apply(object: EventSource): void
  handOver(successor: string | undefined): void
  stop(): void
}

const nothing = () => {}
const entryMetrics: EntryMetrics = {
  ...{ sent: nothing, sendFailed: nothing, processingFailed: nothing, duration: nothing, filtered: nothing },
  ...{ filterError: nothing, duplicate: nothing, skipped: nothing, serving: nothing, stalled: nothing },
}
const metrics = {
  entry: () => entryMetrics,
  lead: nothing,
  failover: nothing,
  bus: nothing,
  fencing: nothing,
  lock: nothing,
  forget: nothing,
} as unknown as ReplicaMetrics

export function startSimulatedReplica({
  object,
  index,
  pid,
  process,
  client,
  random,
  timing,
  checker,
  log,
  pace,
}: {
  object: EventSource
  index: number
  /** Names this process among all of its world. */
  pid: string
  process: Process
  client: Client
  random: Random
  timing: LeaseTiming
  checker: Checker
  log: Logger
  pace: { gapMs: number; window: number }
}): SimulatedReplica {
  let [stopping, stopped] = [false, false]
  const definition = originSource({
    random: random.fork(),
    ...pace,
    watch: {
      resumed: (entry, position) => log.info(`resumes ${entry} at ${position}`),
      ahead: (entry, saved, position) => checker.ahead(pid, entry, saved, position),
      outcome(entry, item, outcome) {
        if (outcome !== 'stored') log.info(`${entry}-${item}: ${outcome}`)
        checker.outcome(pid, entry, item, outcome)
      },
    },
  })
  const { bus, lock, suspicion } = client
  const starting = startReplica({
    ...{
      object,
      id: `${object.name}-${index}`,
      bus,
      lock,
      suspicions: [suspicion],
      timing,
      metrics,
      clock: process.clock,
      random,
      log,
    },
    listeners: {} as Listeners,
    redactor: createRedactor(),
    secrets: { secret: () => Promise.reject(new Error('none')), configMap: () => Promise.reject(new Error('none')) },
    onReport: nothing,
    onFailover: ({ from, reason, gapMs }) => log.info(`takes over from ${from} (${reason}), gap ${gapMs} ms`),
    load: async () => definition,
  })
  let replica: Awaited<typeof starting> | null = null
  void starting.then((started) => {
    replica = started
  })
  return {
    client,
    get stopping() {
      return stopping
    },
    get stopped() {
      return stopped
    },
    view() {
      if (replica === null) return { state: 'starting', leader: null, term: null }
      const { state, leader, term } = replica.report()
      return { state: state === 'serving' ? 'leading' : state, leader, term }
    },
    apply: (edited) => void starting.then((started) => started.apply(edited)),
    handOver: (successor) => void starting.then((started) => started.handOver(successor)),
    stop() {
      stopping = true
      void starting
        .then((started) => started.stop())
        .then(() => {
          stopped = true
          log.info('stopped')
        })
    },
  }
}
