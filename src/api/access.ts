/** Who may read and who may do: by bearer token, compared in constant time. */
import { isOneOf } from '../source/signature.ts'

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
  const bears = (authorization: string | undefined, tokens: readonly string[]) => {
    const given = bearerOf(authorization)
    return given !== undefined && isOneOf(given, tokens)
  }
  const mayAct = (authorization: string | undefined) => bears(authorization, [token])
  return {
    mayAct,
    mayRead: (authorization) => readTokens === null || bears(authorization, [token, ...readTokens()]),
  }
}

const bearerOf = (authorization = ''): string | undefined => /^Bearer +(\S+)$/i.exec(authorization)?.[1]
