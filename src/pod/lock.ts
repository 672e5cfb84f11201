/** Which lock the replicas of an EventSource elect their leader by; upstream's choice, first match. */
import type { Election, OpenBus } from '../buses/index.ts'
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Lock } from '../ha/lock.ts'
import { leaseTimingDefaults } from '../ha/timing.ts'
import { loadSource } from '../sources/index.ts'
import type { PodEnvironment } from './environment.ts'

/** A Kubernetes Lease when the bus has no lock or the EventSource asks for it, else the bus's own lock. */
export async function lockFor(
  environment: PodEnvironment,
  { electionFor }: Pick<OpenBus, 'electionFor'>,
  { bind, taken, clock, log }: { bind: string; taken: ReadonlySet<number>; clock: Clock; log: Logger },
): Promise<Election> {
  const { source, byKubernetes, timing, podIp } = environment
  if ((byKubernetes || electionFor === null) && (await electsLeader(source))) {
    const { leaseElection, reachableAddress } = await import('./kubernetes.ts')
    const host = reachableAddress(bind, podIp)
    return await leaseElection({ source, timing: timing ?? leaseTimingDefaults, host, taken, clock, log })
  }
  const election = electionFor?.(source) ?? { lock: noLock, suspicions: [], close() {} }
  return timing === undefined ? election : { ...election, timing }
}

const withoutLock = () => Promise.reject(fail('LOCK_UNAVAILABLE', 'this bus has no lock: elect by a Kubernetes Lease'))
/** Nobody elects by it: without an entry that only one replica may serve there is no Lease either. */
const noLock: Lock = { read: withoutLock, write: withoutLock, onChange: () => () => {} }

/** Whether it has an entry that only one replica may serve. */
async function electsLeader({ entries }: PodEnvironment['source']): Promise<boolean> {
  const definitions = await Promise.all(
    entries.map(({ type, refused }) => (refused === undefined ? loadSource(type) : null)),
  )
  return definitions.some((definition) => definition?.strategy === 'active-passive')
}
