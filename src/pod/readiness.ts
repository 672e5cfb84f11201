/** Whether a Pod is ready, if not, why, and which entries nobody serves. Pure. */
import type { BusStatus } from '../bus/bus.ts'
import type { ReplicaReport } from '../runtime/report.ts'

export interface PodState {
  /** Null before the replica has started. */
  report: ReplicaReport | null
  bus: BusStatus
  /** Entries that have a port to listen on. */
  listening: Pick<ReadonlySet<string>, 'has'>
  /** Entries that cannot work as written, and are served by nobody. */
  refused: Pick<ReadonlySet<string>, 'has'>
  stopping: boolean
}

/**
 * One reason a line; none: ready. A standby is ready once it knows who leads, or may lead itself, and whether Argo Events' Pods serve. What another Pod would do no better is no
 * reason: an entry whose origin fails, or that nobody leads for the moment. With every Pod unready a rolling update would stand still, a
 * PodDisruptionBudget would hold nodes back, and the webhooks beside it would lose their traffic. {@link notServedHere} says it all the same.
 */
export function notReadyBecause({ report, bus, listening, refused, stopping }: PodState): string[] {
  if (stopping) return ['stopping: requests go to other replicas']
  const reasons: string[] = []
  if (!bus.connected) reasons.push(`the bus does not answer: ${bus.error}`)
  const deaf = (report?.entries ?? []).filter(({ name, serving }) => listening.has(name) && !serving)
  // an object of listeners alone has no lease, and starts as long as none of them listens
  if (report === null || (report.state === 'starting' && (report.lockError !== null || deaf.length === 0))) {
    reasons.push(`starting: ${report?.lockError ?? 'who serves is not known yet'}`)
  }
  if (report?.state === 'standby' && report.leader === null && report.lockError !== null) {
    reasons.push(`nobody leads, and this replica cannot: ${report.lockError}`)
  }
  const entries = report?.entries ?? []
  // such a change of an object is not to take the Pods away that serve the one before
  if (entries.length > 0 && entries.every(({ name }) => refused.has(name)))
    reasons.push('none of its entries can be served')
  for (const { name, error } of deaf) reasons.push(`${name} does not listen: ${error ?? 'its port is being opened'}`)
  return reasons
}

/**
 * Entries that, as far as this Pod knows, nobody serves, one a line; those of {@link notReadyBecause} aside. What another Pod leads is its own to say.
 */
export function notServedHere({
  report,
  listening,
  refused,
}: Pick<PodState, 'report' | 'listening' | 'refused'>): string[] {
  const { entries = [], leader = null, id } = report ?? {}
  return entries.flatMap(({ name, type, serving, error }) => {
    if (serving || listening.has(name)) return []
    if (refused.has(name)) return `${name} (${type}): ${error}`
    if (leader !== null && leader !== id) return []
    return `${name} (${type}): ${error ?? (leader === null ? 'nobody leads now' : 'it has not begun yet')}`
  })
}
