/** Which lock the replicas of an EventSource elect their leader by; upstream's choice, first match. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { leaseTimingDefaults } from '../ha/timing.ts'
import type { Election } from '../runtime/holding.ts'
import type { OpenBus } from '../runtime/openNats.ts'
import { loadSource } from '../sources/index.ts'
import type { PodEnvironment } from './environment.ts'

/** A Kubernetes Lease when the EventBus is Kafka or the EventSource asks for it, else the bus's own lock. */
export async function lockFor(
  environment: PodEnvironment,
  { electionFor }: Pick<OpenBus, 'electionFor'>,
  { bind, taken, clock, log }: { bind: string; taken: ReadonlySet<number>; clock: Clock; log: Logger },
): Promise<Election> {
  const { source, bus, byKubernetes, timing, podIp } = environment
  if ((byKubernetes || bus.kind === 'kafka') && (await electsLeader(source))) {
    const { leaseElection, reachableAddress } = await import('./kubernetes.ts')
    const host = reachableAddress(bind, podIp)
    return await leaseElection({ source, timing: timing ?? leaseTimingDefaults, host, taken, clock, log })
  }
  const election = electionFor(source)
  return timing === undefined ? election : { ...election, timing }
}

/** Whether it has an entry that only one replica may serve. */
async function electsLeader({ entries }: PodEnvironment['source']): Promise<boolean> {
  const definitions = await Promise.all(
    entries.map(({ type, refused }) => (refused === undefined ? loadSource(type) : null)),
  )
  return definitions.some((definition) => definition?.strategy === 'active-passive')
}
