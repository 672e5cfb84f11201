/** Whether a Pod is ready, and if not, why. Pure. */
import type { BusStatus } from '../bus/bus.ts'
import type { ReplicaReport } from '../runtime/report.ts'

export interface PodState {
  /** Null before the replica has started. */
  report: ReplicaReport | null
  bus: BusStatus
  /** Entries that have a port to listen on. */
  listening: Pick<ReadonlySet<string>, 'has'>
  stopping: boolean
}

/**
 * One reason a line; none: ready. A standby is ready once it knows who leads, or may lead itself. An entry whose origin fails is no reason: the bus and the
 * ports are in order, and another replica would fare no better.
 */
export function notReadyBecause({ report, bus, listening, stopping }: PodState): string[] {
  if (stopping) return ['stopping: requests go to other replicas']
  const reasons: string[] = []
  if (!bus.connected) reasons.push(`the bus does not answer: ${bus.error}`)
  if (report === null || report.state === 'starting') {
    reasons.push(`starting: ${report?.lockError ?? 'the lease has not been read yet'}`)
  }
  if (report?.state === 'standby' && report.leader === null && report.lockError !== null) {
    reasons.push(`nobody leads, and this replica cannot: ${report.lockError}`)
  }
  for (const { name, serving, error } of report?.entries ?? []) {
    if (listening.has(name) && !serving) reasons.push(`${name} does not listen: ${error ?? 'its port is being opened'}`)
  }
  return reasons
}
