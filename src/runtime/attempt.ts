/** One attempt of an entry to read its origin: watched while it runs, told to stop when it stands still, left behind when it does not heed that. */
import type { Clock } from '../core/clock.ts'
import { fail, type VedetteError } from '../core/errors.ts'
import { patiently } from '../core/signals.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

export interface Attempt {
  watchdog: Watchdog
  /** Aborts when the attempt must stop. */
  signal: AbortSignal
  /** Aborts when it has ended, whatever still goes on in it: nothing that it says or hands over counts any more. */
  over: AbortSignal
}

/** How long what was told to stop may take, before it is left behind. */
const STOP_PATIENCE_MS = 10_000

/**
 * @param startsMs see {@link createWatchdog}, as `busy`
 * @param onStalled it stands still, and is told to stop
 * @param work resolves when the attempt is over
 * @param wrapUp what is left to do after it, e.g. to wait for outcomes
 * @returns false when the work was left behind. @throws STALLED when it stood still; what `work` throws
 */
export async function attempt(
  {
    ends,
    clock,
    startsMs,
    busy,
    onStalled,
  }: { ends: AbortSignal; clock: Clock; startsMs: number; busy: () => boolean; onStalled: (why: VedetteError) => void },
  work: (attempt: Attempt) => Promise<void>,
  wrapUp: () => Promise<void> = async () => {},
): Promise<boolean> {
  const stalled = new AbortController()
  const over = new AbortController()
  const signal = AbortSignal.any([ends, stalled.signal])
  const watchdog = createWatchdog({
    clock,
    startsMs,
    busy,
    onStalled(why) {
      const error = fail('STALLED', `the entry stood still and is begun anew: ${why}`)
      onStalled(error)
      stalled.abort(error)
    },
  })
  const patience = { signal, clock, patienceMs: STOP_PATIENCE_MS }
  try {
    const returned = await patiently(work({ watchdog, signal, over: over.signal }), patience)
    stalled.signal.throwIfAborted()
    return returned
  } catch (error) {
    throw stalled.signal.aborted ? stalled.signal.reason : error
  } finally {
    over.abort(fail('NOT_LEADING', 'this attempt to serve has ended'))
    watchdog.settling()
    await patiently(wrapUp(), patience)
    watchdog.end()
  }
}
