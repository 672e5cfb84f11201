/** The bearer guard of a route. */
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { acceptedSecrets } from '../../source/secrets.ts'
import { isOneOf } from '../../source/signature.ts'
import type { HttpAnswer, SecretKeySelector } from '../../source.ts'

export interface GuardOptions {
  secret: (selector: SecretKeySelector) => Promise<string>
  clock: Clock
  log: Logger
  /** The route ends when this aborts. */
  signal: AbortSignal
  /** Told what is wrong with the Secret, and `null` once it can be read again. */
  condition: (text: string | null) => void
}

/** How often a Secret that cannot be read is looked at: requests may go to other replicas, and status would go on to say so. */
const LOOK_AGAIN_MS = 2_000

/**
 * While the token cannot be read senders are told to come back (503): after another answer some would give the hook up for good.
 * @returns a check of the `Authorization` header: null lets the request through, an answer refuses it. Never throws.
 */
export function createGuard(
  selector: SecretKeySelector,
  { secret, clock, log, signal, condition }: GuardOptions,
): (authorization: string | undefined) => Promise<HttpAnswer | null> {
  const tokens = acceptedSecrets(selector, { secret, clock })
  let unreadable = false

  const read = async (): Promise<readonly string[] | null> => {
    try {
      const values = await tokens()
      if (unreadable) condition(null)
      unreadable = false
      return values
    } catch (error) {
      if (!unreadable) {
        log.error(`requests are told to come back later: the token of authSecret cannot be read: ${messageOf(error)}`)
        condition(`requests are told to come back later: ${messageOf(error)}`)
        void lookAgain()
      }
      unreadable = true
      return null
    }
  }
  const lookAgain = async (): Promise<void> => {
    do await clock.sleep(LOOK_AGAIN_MS, signal).catch(() => {})
    while (!signal.aborted && (await read()) === null)
  }

  // Status says so from the start, not only once a request came.
  clock.soon(() => void read())
  return async (authorization) => {
    const accepted = await read()
    if (accepted === null) return UNREADABLE
    if (authorization === undefined || !authorization.startsWith('Bearer ')) {
      return { status: 401, body: 'Invalid Authorization Header', headers: CHALLENGE }
    }
    if (!isOneOf(authorization.slice('Bearer '.length), accepted)) {
      return { status: 401, body: 'Invalid Auth token', headers: CHALLENGE }
    }
    return null
  }
}

const UNREADABLE: HttpAnswer = { status: 503, body: 'the secret cannot be read', headers: { 'Retry-After': '10' } }
/** RFC 9110 §11.6.1: a 401 says how to authenticate. */
const CHALLENGE = { 'WWW-Authenticate': 'Bearer' }
