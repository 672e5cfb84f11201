/** Subscriptions that are to be confirmed: who asks for it is not known, and the answer is a call with the entry's credentials. */
import { createBucket } from '../../core/bucket.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'

/** SNS asks once per subscription, and again when it is subscribed anew: calls at once, and one more each so many milliseconds. */
const BURST = 4
export const EVERY_MS = 15_000
/** Of so many tokens it is known for so long what came of them. */
const MOST_KNOWN = 1_000
const KNOWN_MS = 600_000

/**
 * @param confirm asks SNS. @throws EVENT_INVALID when it refuses the token; ORIGIN_UNAVAILABLE when it cannot be asked now
 * @returns confirms by a token, asking once for each and not more often than above. @throws as `confirm`
 */
export function createConfirmations({
  clock,
  log,
  topicArn,
  confirm,
}: {
  clock: Clock
  log: Logger
  topicArn: string
  confirm: (token: string) => Promise<void>
}): (token: string) => Promise<void> {
  const known = new Map<string, { outcome: Promise<void>; untilMs: number }>()
  const take = createBucket({ requestsPerSecond: 1_000 / EVERY_MS, burst: BURST }, clock)

  const ask = async (token: string): Promise<void> => {
    try {
      await confirm(token)
      log.info('subscription is confirmed', { topic: topicArn })
    } catch (error) {
      log.warn('a subscription could not be confirmed', { error: messageOf(error) })
      if (!isVedetteError(error, 'EVENT_INVALID')) known.delete(token)
      throw error
    }
  }

  return (token) => {
    const before = known.get(token)
    if (before !== undefined && before.untilMs > clock.monotonic()) return before.outcome
    if (take() > 0) throw fail('ORIGIN_UNAVAILABLE', 'too many confirmations are asked for')
    known.delete(token)
    if (known.size >= MOST_KNOWN) known.delete(known.keys().next().value!)
    const outcome = ask(token)
    known.set(token, { outcome, untilMs: clock.monotonic() + KNOWN_MS })
    return outcome
  }
}
