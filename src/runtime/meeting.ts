/** A replica that comes while others, outside of its election, serve. */
import type { Clock } from '../core/clock.ts'
import type { Outsiders } from '../ha/lock.ts'
import type { EntryOptions, EntryRunner } from './entry.ts'

const NOTICE_MS = 100
/** A look at an origin that takes longer holds nobody up. */
const LOOKS_MS = 30_000

/**
 * Resolves when they may end: a Pod that is ready is what a roll-out ends them for. By then it is known whether they are there, and if so each entry
 * has looked at its origin while they served; what happens from there on is told by us, whatever they still do. Never rejects.
 * @param beside they are there, or may be: see {@link EntryOptions.beside}
 * @param elects the replica takes part in its election: a Lease says who is there when it was read
 * @param runners of the entries that one replica serves at a time
 */
export async function meetOutsiders({
  outsiders,
  beside,
  elects,
  runners,
  clock,
  signal,
}: {
  outsiders: Pick<Outsiders, 'mixed' | 'quiet'> | undefined
  beside: () => boolean
  elects: () => boolean
  runners: () => Iterable<Pick<EntryRunner, 'looked'>>
  clock: Clock
  signal: AbortSignal
}): Promise<void> {
  if (outsiders === undefined) return
  let thereMs: number | null = null
  const met = (): boolean => {
    if (!elects()) return false
    if (outsiders.mixed() === undefined && !outsiders.quiet()) return false
    if (!beside()) return true
    thereMs ??= clock.monotonic()
    return clock.monotonic() - thereMs > LOOKS_MS || [...runners()].every((runner) => runner.looked())
  }
  while (!signal.aborted && !met()) await clock.sleep(NOTICE_MS, signal).catch(() => {})
}
