/** What an entry does is tried again for ever, until it is told to stop. */
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts'
import { isVedetteError, messageOf } from '../../core/errors.ts'
import type { Shared } from './shared.ts'

/** A source that served this long before it failed is retried at once. */
const HEALTHY_MS = 60_000
/** A bus that is away comes back for all at once: nobody is to sleep on then. */
const BUS_BACKOFF = { firstMs: 100, maxMs: 1_000 }
/** A port that is taken may be free at any moment, and senders are refused until it is ours. */
const LISTEN_AGAIN: BackoffOptions = { maxMs: 2_000 }

/** Whether an entry has ports. */
export function hasPort({ definition, entry }: Shared['options']): boolean {
  return (definition.listens?.(entry.spec).length ?? 0) > 0
}

/** Repeats `work` with backoff until it returns or `signal` aborts; what it throws is shown in status. */
export async function keepTrying(
  { options, account }: Shared,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const { clock, definition, entry } = options
  for (let attempt = 0; !signal.aborted; attempt++) {
    const startedMs = clock.monotonic()
    try {
      return await work()
    } catch (error) {
      // Whoever ends the lead for this error (see lead.ts) has done so by now. If nobody has, nobody will: it is tried again.
      if (signal.aborted) return
      account.condition(messageOf(error), { thrown: true })
      if (clock.monotonic() - startedMs > HEALTHY_MS) attempt = 0
      const away = isVedetteError(error, 'BUS_UNAVAILABLE', 'BUS_BUSY', 'BUS_FULL', 'OUTCOME_UNKNOWN')
      const backoff = away ? BUS_BACKOFF : hasPort(options) ? LISTEN_AGAIN : definition.reconnect?.(entry.spec)
      await clock.sleep(backoffMs(attempt, backoff), signal).catch(() => {})
    }
  }
}
