/** What proves to Event Hubs who we are: signed with a shared access key, or given out by Microsoft Entra ID. */
import type * as Amqp from '@azure/core-amqp'
import { fail, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, SecretKeySelector } from '../../source.ts'
import { noToken } from './errors.ts'
import { entraToken } from './identity.ts'
import type { AzureEventsHubSpec } from './spec.ts'

export interface Token {
  token: string
  /** As `$cbs` calls it. */
  type: Amqp.TokenType
  /** It must be put anew after this, milliseconds. */
  renewAfterMs: number
}

/** @throws ORIGIN_UNAVAILABLE */
export type TokenFor = (audience: string, abortSignal: AbortSignal) => Promise<Token>

/** What Entra ID's tokens are for. */
const RESOURCE = 'https://eventhubs.azure.net/'
/** Signed tokens are good for an hour. */
const RENEW_SIGNED_MS = 45 * 60_000
/** Before the end of what Entra ID gave out. */
const RENEW_BEFORE_MS = 2 * 60_000
const SHORTEST_MS = 10_000
const LEAST_MS = 1_000

/** @returns makes the token for one address of the namespace. @throws SECRET_MISSING */
export async function tokensOf(
  ctx: Pick<EntryContext<AzureEventsHubSpec>, 'spec' | 'secret' | 'clock'>,
  amqp: typeof Amqp,
  env: Readonly<Record<string, string | undefined>> = process.env,
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
  // Asked again it may start a program each time.
  let last = { token: '', untilMs: Number.NEGATIVE_INFINITY }
  return async (_, signal) => {
    const nowMs = ctx.clock.monotonic()
    if (nowMs >= last.untilMs) {
      const { token, endsAtMs } = await entraToken({ resource: RESOURCE, env, clock: ctx.clock, signal }).catch(
        (error) => {
          signal.throwIfAborted()
          throw noToken(error, ctx.spec)
        },
      )
      const goodMs = endsAtMs - ctx.clock.now() - RENEW_BEFORE_MS
      last = { token, untilMs: nowMs + Math.max(SHORTEST_MS, goodMs) }
    }
    const renewAfterMs = Math.max(LEAST_MS, last.untilMs - nowMs)
    return { token: last.token, type: amqp.TokenType.CbsTokenTypeJwt, renewAfterMs }
  }
}
