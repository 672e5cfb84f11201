/** What proves to Event Hubs who we are: signed with a shared access key, or given out by Microsoft Entra ID. */
import type * as Amqp from '@azure/core-amqp'
import { fail, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { PrepareContext, SecretKeySelector } from '../../source.ts'
import type { AzureEventsHubSpec } from './spec.ts'

export interface Token {
  token: string
  /** As `$cbs` calls it. */
  type: Amqp.TokenType
  /** It must be put anew after this, milliseconds. */
  renewAfterMs: number
}

/** @throws what the identity library throws */
export type TokenFor = (audience: string, abortSignal: AbortSignal) => Promise<Token>

/** Signed tokens are good for an hour. */
const RENEW_SIGNED_MS = 45 * 60_000
/** Before the end of what Entra ID gave out. */
const RENEW_BEFORE_MS = 2 * 60_000
const SHORTEST_MS = 10_000
const LEAST_MS = 1_000

/** @returns makes the token for one address of the namespace. @throws SECRET_MISSING */
export async function tokensOf(
  ctx: Pick<PrepareContext<AzureEventsHubSpec>, 'spec' | 'secret' | 'clock'>,
  amqp: typeof Amqp,
): Promise<TokenFor> {
  const { sharedAccessKeyName, sharedAccessKey } = ctx.spec
  if (sharedAccessKeyName !== undefined && sharedAccessKey !== undefined) {
    const secret = async (what: string, selector: SecretKeySelector) =>
      await sentSecret(ctx, selector).catch((error: unknown) => {
        const text = `failed to retrieve the ${what} from secret ${selector.name}, ${messageOf(error)}`
        throw fail('SECRET_MISSING', text, {}, { cause: error })
      })
    const provider = amqp.createSasTokenProvider({
      sharedAccessKeyName: await secret('shared access key name', sharedAccessKeyName),
      sharedAccessKey: await secret('shared access key', sharedAccessKey),
    })
    return async (audience) => {
      const { token } = await provider.getToken(audience)
      return { token, type: amqp.TokenType.CbsTokenTypeSas, renewAfterMs: RENEW_SIGNED_MS }
    }
  }
  const { DefaultAzureCredential } = await import('@azure/identity')
  const credential = new DefaultAzureCredential()
  // Some members of its chain would start a program each time.
  let last = { token: '', untilMs: Number.NEGATIVE_INFINITY }
  return async (_, abortSignal) => {
    const nowMs = ctx.clock.monotonic()
    if (nowMs >= last.untilMs) {
      const { token, expiresOnTimestamp } = await credential.getToken(amqp.Constants.aadEventHubsScope, { abortSignal })
      const goodMs = expiresOnTimestamp - ctx.clock.now() - RENEW_BEFORE_MS
      last = { token, untilMs: nowMs + Math.max(SHORTEST_MS, goodMs) }
    }
    const renewAfterMs = Math.max(LEAST_MS, last.untilMs - nowMs)
    return { token: last.token, type: amqp.TokenType.CbsTokenTypeJwt, renewAfterMs }
  }
}
