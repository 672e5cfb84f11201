/** For an origin that forgets, and gives each message to one taker only: the leader alone listens. */
import { whenAborted } from '../../core/signals.ts'
import type { ListenContext, ServeContext } from '../../source.ts'

/** At most once: what comes between two leaders goes to other takers, or is lost. */
export async function serveAlone<Spec>(
  ctx: ServeContext<Spec>,
  listen: (ctx: ListenContext<Spec>) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const work = new Set<Promise<void>>()
  const hear: ListenContext['hear'] = (event) => {
    const emitted = ctx.emit(event).then(
      ({ outcome }) => outcome,
      (error: unknown) => {
        failed.abort(error)
        return null
      },
    )
    const mine: Promise<void> = emitted.then(() => void work.delete(mine))
    work.add(mine)
    return emitted
  }
  const signal = AbortSignal.any([ctx.signal, failed.signal])
  const listening = listen({ ...ctx, signal, subscribed: () => ctx.condition(null), hear })
  try {
    await Promise.race([listening, whenAborted(signal)])
    await listening.catch(() => {})
  } finally {
    while (work.size > 0) await Promise.race(work)
  }
  if (failed.signal.aborted) throw failed.signal.reason
}
