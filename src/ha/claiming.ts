/** Whoever claims a term and does not get one says so after some seconds: in the log once, and once when it goes on. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'

/** So long claims may take without a word: a slow bus, a broker that starts. */
const QUIET_MS = 5_000

export interface Claiming {
  /** A claim is begun; the first since a term was had or nobody wanted one counts. */
  begun(): void
  /** What it does now, or why it failed, in words. */
  at(what: string): void
  /** There is a term, or none is wanted any more. */
  over(got: boolean): void
}

/** @param onStanding what a claim stands at, and since when by the wall clock; null: it no longer does */
export function watchClaims(
  clock: Clock,
  log: Logger,
  replica: string,
  onStanding: (standing: { error: string; sinceMs: number } | null) => void,
): Claiming {
  let since: { monotonic: number; wall: number } | null = null
  let [doing, said] = ['', false]
  let cancel = () => {}
  const tell = () => onStanding({ error: `no term yet: ${doing || 'the bus has not answered'}`, sinceMs: since!.wall })
  return {
    begun() {
      if (since !== null) return
      since = { monotonic: clock.monotonic(), wall: clock.now() }
      doing = ''
      cancel = clock.after(QUIET_MS, () => {
        said = true
        log.warn('a claim stands', { replica, at: doing, since: new Date(since!.wall).toISOString() })
        tell()
      })
    },
    at(what) {
      if (since === null || what === doing) return
      doing = what
      if (said) tell()
    },
    over(got) {
      if (since === null) return
      cancel()
      const tookMs = Math.round(clock.monotonic() - since.monotonic)
      since = null
      if (!said) return
      said = false
      log.info(got ? 'the claim went on: there is a term' : 'the claim is no longer wanted', { replica, tookMs })
      onStanding(null)
    },
  }
}
