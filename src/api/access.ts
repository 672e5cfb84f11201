/** Who may read and who may do: by bearer token, compared in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto'

export interface Access {
  /** @param authorization the header */
  mayRead(authorization: string | undefined): boolean
  mayAct(authorization: string | undefined): boolean
}

/** Whoever can connect may do anything. */
export const everything: Access = { mayRead: () => true, mayAct: () => true }

/**
 * @param token of the run: with it everything is allowed
 * @param readTokens as they are now: with one of them reading is allowed; null: to everybody
 */
export function accessBy(token: string, readTokens: (() => readonly string[]) | null): Access {
  const mayAct = (authorization: string | undefined) => isOneOf(bearerOf(authorization), [token])
  return {
    mayAct,
    mayRead: (authorization) => readTokens === null || isOneOf(bearerOf(authorization), [token, ...readTokens()]),
  }
}

const bearerOf = (authorization = ''): string | undefined => /^Bearer +(\S+)$/i.exec(authorization)?.[1]

const digest = (value: string): Buffer => createHash('sha256').update(value).digest()

/** How long it takes says nothing of the tokens. */
function isOneOf(given: string | undefined, tokens: readonly string[]): boolean {
  if (given === undefined) return false
  const found = digest(given)
  return tokens.map((token) => timingSafeEqual(found, digest(token))).includes(true)
}
