/** The bearer guard of a route. */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { HttpAnswer, SecretKeySelector } from '../../source.ts'

/** How long a token that was read is used, so that a flood of requests does not become a flood of reads. */
const FRESH_MS = 1_000

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')

/** @returns a check of the `Authorization` header: null lets the request through, an answer refuses it. Never throws. */
export function createGuard(
  selector: SecretKeySelector,
  { secret, clock, log }: { secret: (selector: SecretKeySelector) => Promise<string>; clock: Clock; log: Logger },
): (authorization: string | undefined) => Promise<HttpAnswer | null> {
  let current: { digest: Promise<Buffer | null>; readAt: number } | null = null
  let unreadable = false

  const read = async (): Promise<Buffer | null> => {
    try {
      const wanted = digest(await secret(selector))
      unreadable = false
      return wanted
    } catch (error) {
      if (!unreadable) log.error(`requests are refused: the token of authSecret cannot be read: ${messageOf(error)}`)
      unreadable = true
      return null
    }
  }

  return async (authorization) => {
    const now = clock.monotonic()
    if (current === null || now - current.readAt >= FRESH_MS) current = { digest: read(), readAt: now }
    const wanted = await current.digest
    if (wanted === null) return { status: 500, body: 'Error loading auth token' }
    if (authorization === undefined || !authorization.startsWith('Bearer ')) {
      return { status: 401, body: 'Invalid Authorization Header', headers: CHALLENGE }
    }
    // Equal lengths whatever was sent: the time taken says nothing about the token.
    if (!timingSafeEqual(wanted, digest(authorization.slice('Bearer '.length)))) {
      return { status: 401, body: 'Invalid Auth token', headers: CHALLENGE }
    }
    return null
  }
}

/** RFC 9110 §11.6.1: a 401 says how to authenticate. */
const CHALLENGE = { 'WWW-Authenticate': 'Bearer' }
