/** The optional signature of the type `webhook`: Standard Webhooks, or a plain HMAC of the body in a header. Not in Argo Events. */
import { z } from 'zod'
import { secretKeySelector } from '../../source/schemas.ts'
import {
  checkStandardWebhook,
  fromBase64,
  fromHex,
  hmacMatches,
  type Refused,
  signedName,
  TOLERANCE_S,
} from '../../source/signature.ts'
import type { Finding, HttpContext, HttpRequest } from '../../source.ts'
import { letAllIn, type Proof, proofOf } from '../hooks/proof.ts'

export const signatureSchema = z
  .object({
    secret: secretKeySelector
      .optional()
      .describe('What the sender signs with. May hold several secrets, one per line: all are accepted. Read on use.'),
    scheme: z
      .enum(['standard-webhooks', 'hmac-sha256'])
      .default('standard-webhooks')
      .describe(
        '`standard-webhooks`: headers `webhook-id`, `webhook-timestamp` and `webhook-signature` (standardwebhooks.com). `hmac-sha256`: HMAC-SHA256 of the raw body in `header`.',
      ),
    header: z
      .string()
      .default('X-Hub-Signature-256')
      .describe('For `hmac-sha256`: the header that holds the signature.'),
    prefix: z
      .string()
      .default('sha256=')
      .describe('For `hmac-sha256`: what stands before the signature in its header.'),
    encoding: z.enum(['hex', 'base64']).default('hex').describe('For `hmac-sha256`: how the signature is written.'),
    toleranceSeconds: z
      .int()
      .default(TOLERANCE_S)
      .describe(
        'For `standard-webhooks`: how old a signed time may be, seconds. It may lie at most 60 s ahead. What is replayed within it is known by its id only as long as the bus keeps ids (5 min on JetStream as Argo Events sets it up): more than 300 leaves a gap.',
      ),
  })
  .describe('Signature that requests must carry; others get 401. An addition to Argo Events.')

export type Signature = z.output<typeof signatureSchema>

/** @param method of the entry */
export function validateSignature(signature: Signature | undefined, method: string): Finding[] {
  if (signature === undefined) return []
  if (signature.secret !== undefined) return method === 'GET' ? [unsignedQuery] : []
  const message = 'signature without a secret would let nothing through'
  return [{ severity: 'warning', fatal: true, path: ['signature'], message, remedy: 'add secret: {name: …, key: …}' }]
}

const unsignedQuery: Finding = {
  severity: 'warning',
  path: ['signature'],
  message:
    'a signature covers the body, and what becomes of a GET is its query: who has one signed request can send any',
  remedy: 'write method: POST',
}

export interface SignatureProof {
  proof: Proof
  /** The secret that a request was signed with which the proof has let in. */
  signerOf(request: HttpRequest): string | undefined
  /** What such a request is called under its signature; undefined where the scheme signs no name, but the body alone. */
  nameOf(request: HttpRequest): string | undefined
}

/** Where nothing is signed. */
export const ANYBODY: SignatureProof = { proof: letAllIn, signerOf: () => undefined, nameOf: () => undefined }

/** @param signature a valid one */
export async function signatureProof(ctx: HttpContext<any>, signature: Signature): Promise<SignatureProof> {
  const check = signatureCheck(ctx, signature)
  const signers = new WeakMap<HttpRequest, string>()
  const proof = await proofOf(ctx, signature.secret!, (request, secrets) => {
    const refused = check(request, secrets)
    if (refused === null) signers.set(request, secrets.find((secret) => check(request, [secret]) === null)!)
    return refused
  })
  return {
    proof,
    signerOf: (request) => signers.get(request),
    nameOf: (request) => (signature.scheme === 'standard-webhooks' ? signedName(request) : undefined),
  }
}

function signatureCheck(
  ctx: HttpContext<any>,
  { scheme, header, prefix, encoding, toleranceSeconds }: Signature,
): (request: HttpRequest, secrets: readonly string[]) => Refused | null {
  return (request, secrets) => {
    if (scheme === 'standard-webhooks') {
      return checkStandardWebhook(request, secrets, ctx.clock.now(), toleranceSeconds)
    }
    const sent = request.header(header)
    if (!sent) return 'missing signature'
    const text = sent.startsWith(prefix) ? sent.slice(prefix.length) : ''
    const bytes = encoding === 'hex' ? fromHex(text) : fromBase64(text)
    if (bytes === null) return 'malformed signature'
    return hmacMatches(bytes, [request.body], secrets) ? null : 'signature check failed'
  }
}
