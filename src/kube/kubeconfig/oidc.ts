/** OpenID Connect as a kubeconfig has it (`auth-provider: oidc`): an ID token, renewed with the refresh token at the issuer (RFC 6749, section 6). */
import type { Clock } from '../../core/clock.ts'
import { bytesOf, type Entry } from './files.ts'

const ANSWER_TIMEOUT_MS = 30_000

/**
 * @param config of the auth-provider
 * @returns gives the ID token. What the issuer gives out instead is not written into the file; kubectl does that
 */
export function openIdToken(config: Entry, clock: Clock): () => Promise<string> {
  let idToken: string = config['id-token'] ?? ''
  let refreshToken: string = config['refresh-token'] ?? ''
  return async () => {
    if (endOf(idToken) > clock.now()) return idToken
    const renewed = await renew(config, refreshToken)
    idToken = renewed.id_token
    refreshToken = renewed.refresh_token ?? refreshToken
    return idToken
  }
}

/** When a JSON Web Token ends, milliseconds since the epoch; 0 when it is none. */
function endOf(token: string): number {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return typeof exp === 'number' ? exp * 1_000 : 0
  } catch {
    return 0
  }
}

async function renew(config: Entry, refresh_token: string): Promise<{ id_token: string; refresh_token?: string }> {
  const { 'idp-issuer-url': issuer, 'client-id': client_id, 'client-secret': client_secret } = config
  if (!issuer || !client_id || !refresh_token)
    throw new Error(
      'the ID token has ended, and to renew it auth-provider needs idp-issuer-url, client-id and refresh-token',
    )
  const { Agent, request } = await import('undici')
  const ca = await bytesOf(config, 'idp-certificate-authority')
  const timeouts = { headersTimeout: ANSWER_TIMEOUT_MS, bodyTimeout: ANSWER_TIMEOUT_MS }
  const dispatcher = new Agent({ ...timeouts, ...(ca === undefined ? {} : { connect: { ca } }) })
  const ask = async (url: string, form?: Record<string, string>): Promise<any> => {
    const { statusCode, body } = await request(url, {
      dispatcher,
      ...(form === undefined
        ? {}
        : {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: `${new URLSearchParams(form)}`,
          }),
    })
    const text = await body.text()
    if (statusCode === 200) return JSON.parse(text)
    throw new Error(`${new URL(url).host} answered ${statusCode}: ${text.slice(0, 300)}`)
  }
  try {
    const { token_endpoint } = await ask(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const secret: Record<string, string> = client_secret ? { client_secret } : {}
    const answer = await ask(token_endpoint, { grant_type: 'refresh_token', refresh_token, client_id, ...secret })
    if (!answer.id_token) throw new Error(`${new URL(token_endpoint).host} gave no ID token`)
    return answer
  } finally {
    await dispatcher.close()
  }
}
