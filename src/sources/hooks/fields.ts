/** Schemas and payload descriptions that the hook types share. */
import { z } from 'zod'
import type { tlsSchema } from '../../source/tls.ts'
import type { SecretKeySelector } from '../../source.ts'
import type { createRest, Rest } from '../http/rest.ts'

export const deleteHookOnFinish = z
  .boolean()
  .default(false)
  .describe('Delete the hooks when the EventSource is deleted (never when a replica stops).')

/** The payload of hook types. @param body what is said of the body; @param masked of the headers */
export const hookEvent = (body: z.ZodType, masked = '`Authorization` is masked') =>
  z.object({
    headers: z.record(z.string(), z.array(z.string())).describe(`Request headers by canonical name; ${masked}.`),
    body,
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the spec, when there is any.'),
  })

/** Options for {@link createRest} out of a spec's `tls`. @throws SECRET_MISSING */
export async function restTls(
  ctx: { secret: (selector: SecretKeySelector) => Promise<string> },
  tls: z.output<typeof tlsSchema> | undefined,
): Promise<Parameters<typeof createRest>[0]['tls']> {
  if (tls === undefined) return undefined
  if (tls.insecureSkipVerify) return { insecure: true }
  const read = async (selector: SecretKeySelector | undefined) =>
    selector === undefined ? undefined : await ctx.secret(selector)
  const [ca, cert, key] = await Promise.all([
    read(tls.caCertSecret),
    read(tls.clientCertSecret),
    read(tls.clientKeySecret),
  ])
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Deletes at a provider; what is gone already is no error. */
export async function deleteAt(rest: Rest, path: string, signal: AbortSignal): Promise<void> {
  try {
    await rest.call('DELETE', path, signal)
  } catch (error) {
    if ((error as { details?: { status?: number } }).details?.status !== 404) throw error
  }
}

/** The same set, whatever the order and repeats. */
export function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)]
  return left.size === right.size && [...left].every((one) => right.has(one))
}
