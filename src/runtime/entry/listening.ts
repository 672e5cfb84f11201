/** A hot standby's subscription, on every replica: begun anew for ever. */
import type { SourceDefinition } from '../../source.ts'
import { attempt } from '../attempt.ts'
import type { Ear } from '../standby/ear.ts'
import { listenContext } from './contexts.ts'
import { keepTrying } from './retrying.ts'
import type { Shared, WatchAttempt } from './shared.ts'

/** How an entry of this kind listens. */
type Listen = NonNullable<SourceDefinition<any, any>['listen']>

/** @param leads as in {@link listenContext} */
export async function keepListening(
  shared: Shared,
  { ear, listen, watched, leads }: { ear: Ear; listen: Listen; watched: WatchAttempt; leads: () => boolean },
  signal: AbortSignal,
): Promise<void> {
  /** One subscription. @throws STALLED when it stood still; what `listen` throws */
  const listenOnce = async (ends: AbortSignal): Promise<void> => {
    // What is heard waits in the buffer, never for the bus.
    const patience = watched(ends, () => true)
    await attempt(patience, (now) => listen(listenContext(shared, now, ear, leads)))
  }
  await ear.attend((ends) => keepTrying(shared, ends, () => listenOnce(ends)), signal)
}
