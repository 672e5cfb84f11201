/** Which lock the replicas of an EventSource elect their leader by; upstream's choice, first match. */
import { fail } from '../core/errors.ts'
import type { Election } from '../runtime/holding.ts'
import type { OpenBus } from '../runtime/openNats.ts'
import { loadSource } from '../sources/index.ts'
import type { PodEnvironment } from './environment.ts'

/**
 * A Kubernetes Lease when the EventBus is Kafka or the EventSource asks for it, else the bus's own lock.
 * @throws SPEC_INVALID for a lock that this version does not have
 */
export async function lockFor(
  { source, bus, byKubernetes, timing }: PodEnvironment,
  { electionFor }: Pick<OpenBus, 'electionFor'>,
): Promise<Election> {
  if ((byKubernetes || bus.kind === 'kafka') && (await electsLeader(source))) {
    throw fail(
      'SPEC_INVALID',
      `LEADER_ELECTION: ${source.name} wants a Kubernetes Lease, which is not in this version: remove the annotation ` +
        'events.argoproj.io/leader-election from the EventSource, then its EventBus elects',
    )
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
