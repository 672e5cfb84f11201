/** The proof that a request comes from who knows the secret: judged before anything of it is parsed. */
import { messageOf } from '../../core/errors.ts'
import { acceptedSecrets } from '../../source/secrets.ts'
import { checkHubSignature, type Refused } from '../../source/signature.ts'
import type { HttpAnswer, HttpContext, HttpRequest, SecretKeySelector } from '../../source.ts'
import { unauthorized } from './request.ts'

/** @returns null: the request is let in; else the answer */
export type Proof = (request: HttpRequest) => Promise<HttpAnswer | null>

/** What the registrar replaces at a provider is accepted for so long at most: the provider learns the new secret after us. */
const GRACE_MS = 300_000
/** So often a secret is read that has a grace, so that it is counted from the change, and not from the next request. */
const READ_AGAIN_MS = 10_000
/** How often a Secret that cannot be read is looked at. */
const LOOK_AGAIN_MS = 2_000

export const letAllIn: Proof = async () => null

/** All of these are needed. */
export const allOf =
  (proofs: readonly Proof[]): Proof =>
  async (request) => {
    for (const proof of proofs) {
      const refused = await proof(request)
      if (refused !== null) return refused
    }
    return null
  }

/**
 * Makes a proof out of a check and a Secret. While the Secret cannot be read, senders are told to come back (503): a wrong answer would
 * make some of them (GitLab) give the hook up for good. Status says so from the start, not only once a request came.
 * @param check gets the accepted secrets, the current one first. @returns why the request is refused, or null
 * @param managed we set the secret at the provider ourselves
 */
export async function proofOf(
  ctx: Pick<HttpContext, 'secret' | 'clock' | 'condition' | 'signal' | 'hooksSettledMs'>,
  selector: SecretKeySelector,
  check: (request: HttpRequest, secrets: readonly string[]) => Refused | null,
  managed = false,
): Promise<Proof> {
  const secrets = acceptedSecrets(selector, ctx, managed ? GRACE_MS : 0, () => ctx.hooksSettledMs())
  let readable = true
  const read = async (): Promise<readonly string[] | null> => {
    try {
      const values = await secrets()
      if (!readable) ctx.condition(null)
      readable = true
      return values
    } catch (error) {
      if (readable) void lookAgain()
      readable = false
      ctx.condition(`requests are told to come back later: ${messageOf(error)}`)
      return null
    }
  }
  /** Until it can be read: requests may go to other replicas, and status would go on to say so. */
  const lookAgain = async (): Promise<void> => {
    do await ctx.clock.sleep(LOOK_AGAIN_MS, ctx.signal).catch(() => {})
    while (!ctx.signal.aborted && (await read()) === null)
  }
  const keepReading = async (): Promise<void> => {
    for (;;) {
      await ctx.clock.sleep(READ_AGAIN_MS, ctx.signal)
      await read()
    }
  }
  await read()
  // ends with the entry
  if (managed) keepReading().catch(() => {})
  return async (request) => {
    const values = await read()
    if (values === null) return { status: 503, body: 'the secret cannot be read', headers: { 'Retry-After': '10' } }
    const refused = check(request, values)
    if (refused !== null) return unauthorized(refused)
    request.proved()
    return null
  }
}

/** The proof by `X-Hub-Signature` and its like; without a Secret all are let in. @param headers the first that is there counts */
export async function hubProof(
  ctx: Parameters<typeof proofOf>[0],
  selector: SecretKeySelector | undefined,
  headers: readonly string[],
  managed: boolean,
): Promise<Proof> {
  if (selector === undefined) return letAllIn
  const check = (request: HttpRequest, secrets: readonly string[]) => {
    const name = headers.find((header) => request.header(header)) ?? ''
    return checkHubSignature(request.header(name), request.body, secrets)
  }
  return await proofOf(ctx, selector, check, managed)
}
