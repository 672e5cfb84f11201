/** The bearer guard of a route. */
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { HttpAnswer, SecretKeySelector } from '../../source.ts'
import { acceptedSecrets } from '../../sources/shared/secrets.ts'
import { isOneOf } from '../../sources/shared/signature.ts'

/** @returns a check of the `Authorization` header: null lets the request through, an answer refuses it. Never throws. */
export function createGuard(
  selector: SecretKeySelector,
  { secret, clock, log }: { secret: (selector: SecretKeySelector) => Promise<string>; clock: Clock; log: Logger },
): (authorization: string | undefined) => Promise<HttpAnswer | null> {
  const tokens = acceptedSecrets(selector, { secret, clock })
  let unreadable = false

  const read = async (): Promise<readonly string[] | null> => {
    try {
      const values = await tokens()
      unreadable = false
      return values
    } catch (error) {
      if (!unreadable) log.error(`requests are refused: the token of authSecret cannot be read: ${messageOf(error)}`)
      unreadable = true
      return null
    }
  }

  return async (authorization) => {
    const accepted = await read()
    if (accepted === null) return { status: 500, body: 'Error loading auth token' }
    if (authorization === undefined || !authorization.startsWith('Bearer ')) {
      return { status: 401, body: 'Invalid Authorization Header', headers: CHALLENGE }
    }
    if (!isOneOf(authorization.slice('Bearer '.length), accepted)) {
      return { status: 401, body: 'Invalid Auth token', headers: CHALLENGE }
    }
    return null
  }
}

/** RFC 9110 §11.6.1: a 401 says how to authenticate. */
const CHALLENGE = { 'WWW-Authenticate': 'Bearer' }
