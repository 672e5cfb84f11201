/**
 * The WebhookContext: the fields that say where an HTTP source listens. All HTTP types have them under `webhook`, the
 * type `webhook` has them inline. Rules and words: upstream's `ValidateWebhookContext`.
 */
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import { parseEndpoint } from '../../source/endpoint.ts'
import { metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding, HttpRoute, Listens } from '../../source.ts'

/** Upstream's default for `maxPayloadSize`, bytes. */
export const DEFAULT_MAX_PAYLOAD = 1_048_576

/** The fields, to be spread into a schema or wrapped by {@link webhookContextSchema}. */
export const webhookContextFields = {
  endpoint: z
    .string()
    .default('')
    .describe(
      'Path of the route, beginning with `/`, matched exactly (no redirect for a slash at the end). `{name}` matches one path segment, `{name:regexp}` a Go regexp.',
    ),
  port: z
    .string()
    .default('')
    .describe('TCP port to listen on, as text: `"12000"`. Entries of all types may share one.'),
  method: z
    .string()
    .default('')
    .describe('HTTP method that is let through (upper case); others get 405. Only the type `webhook` looks at it.'),
  url: z
    .string()
    .default('')
    .describe(
      'Public base URL under which the sender reaches this route; used where a hook is registered at a provider.',
    ),
  serverCertSecret: secretKeySelector
    .optional()
    .describe('PEM certificate (chain) of the listener. TLS needs `serverKeySecret` as well. Re-read when it changes.'),
  serverKeySecret: secretKeySelector.optional().describe('PEM private key of the listener, unencrypted.'),
  metadata: metadataSchema
    .optional()
    .describe('Static text values for the payload. Only the type `webhook` uses these; other types have their own.'),
  authSecret: secretKeySelector
    .optional()
    .describe(
      'Bearer token that requests must carry (`Authorization: Bearer …`); read at each request, so it can be rotated.',
    ),
  maxPayloadSize: z
    .int()
    .optional()
    .describe('Largest request body in bytes, default 1048576 (1 MiB). Larger ones get 413 before they are read.'),
  rateLimit: z
    .object({
      requestsPerSecond: z.number().default(0).describe('Requests per second that are let through in the long run.'),
      burst: z
        .int()
        .default(0)
        .describe('Requests that are let through at once. Default: those of one second, at least 1.'),
    })
    .optional()
    .describe(
      'Limit per replica; what is beyond it gets 429 with Retry-After. Mind that some providers (GitLab) switch hooks off after such answers. Default: none.',
    ),
}

export const webhookContextSchema = z
  .object(webhookContextFields)
  .describe('Where the HTTP listener of this entry accepts requests.')

export type WebhookContext = z.output<typeof webhookContextSchema>

/**
 * What upstream refuses, in its order and words, then what cannot work.
 * @param path where the context stands in the entry's spec: `[]` or `['webhook']`
 */
export function validateWebhookContext(context: WebhookContext | undefined, path: string[] = []): Finding[] {
  if (context === undefined) {
    // Upstream's own error text is empty here.
    return [{ severity: 'error', path, message: '', remedy: 'add `webhook` with `endpoint` and `port`' }]
  }
  const error = upstreamError(context)
  if (error !== null)
    return [{ severity: 'error', path: [...path, error.field], message: error.message, remedy: error.remedy }]
  return [
    ...portFindings(context, path),
    ...endpointFindings(context, path),
    ...tlsFindings(context, path),
    ...rateFindings(context, path),
  ]
}

function upstreamError({ endpoint, port }: WebhookContext): { field: string; message: string; remedy: string } | null {
  if (endpoint === '')
    return { field: 'endpoint', message: "endpoint can't be empty", remedy: 'for example endpoint: /orders' }
  if (port === '') return { field: 'port', message: "port can't be empty", remedy: 'for example port: "12000"' }
  const why = atoiError(port)
  if (why === null) return null
  const message = `failed to parse server port ${port}. err: strconv.Atoi: parsing ${JSON.stringify(port)}: ${why}`
  return { field: 'port', message, remedy: 'write the number only: port: "12000"' }
}

/** What Go's `strconv.Atoi` says against a text, or null. */
function atoiError(text: string): string | null {
  if (!/^[+-]?[0-9]+$/.test(text)) return 'invalid syntax'
  const value = BigInt(text.replace(/^\+/, ''))
  return value === BigInt.asIntN(64, value) ? null : 'value out of range'
}

function portFindings({ port }: WebhookContext, path: string[]): Finding[] {
  const number = Number(port)
  if (number >= 1 && number <= 65_535) return []
  const message = `port ${port} is not a TCP port`
  return [{ severity: 'warning', fatal: true, path: [...path, 'port'], message, remedy: 'use 1 to 65535' }]
}

function endpointFindings({ endpoint }: WebhookContext, path: string[]): Finding[] {
  try {
    parseEndpoint(endpoint)
    return []
  } catch (error) {
    return [{ severity: 'warning', fatal: true, path: [...path, 'endpoint'], message: messageOf(error) }]
  }
}

function tlsFindings({ serverCertSecret, serverKeySecret }: WebhookContext, path: string[]): Finding[] {
  if ((serverCertSecret === undefined) === (serverKeySecret === undefined)) return []
  const [given, missing] =
    serverKeySecret === undefined ? ['serverCertSecret', 'serverKeySecret'] : ['serverKeySecret', 'serverCertSecret']
  const message = `${given} without ${missing}: the listener speaks plain HTTP`
  return [{ severity: 'warning', path: [...path, given!], message, remedy: `add ${missing}, or remove ${given}` }]
}

function rateFindings({ rateLimit }: WebhookContext, path: string[]): Finding[] {
  if (rateLimit === undefined || rateLimit.requestsPerSecond > 0) return []
  const message = `rateLimit.requestsPerSecond ${rateLimit.requestsPerSecond} lets nothing through`
  const remedy = 'give a number above 0, or remove rateLimit'
  return [{ severity: 'warning', fatal: true, path: [...path, 'rateLimit'], message, remedy }]
}

/** The port and endpoint of a context that has no errors; nothing for one that has. */
export function webhookListens(context: WebhookContext | undefined): Listens[] {
  if (context === undefined || upstreamError(context) !== null) return []
  return [{ port: Number(context.port), endpoint: context.endpoint }]
}

/** The part of a route that the context decides. */
export function webhookRoute(context: WebhookContext): Omit<HttpRoute, 'handle' | 'methods'> {
  const {
    endpoint,
    port,
    serverCertSecret,
    serverKeySecret,
    authSecret,
    maxPayloadSize = DEFAULT_MAX_PAYLOAD,
    rateLimit,
  } = context
  return {
    port: Number(port),
    endpoint,
    tls: serverCertSecret && serverKeySecret ? { cert: serverCertSecret, key: serverKeySecret } : undefined,
    authSecret,
    maxPayloadSize: Math.max(0, maxPayloadSize),
    rateLimit: rateLimit && {
      requestsPerSecond: rateLimit.requestsPerSecond,
      burst: rateLimit.burst > 0 ? rateLimit.burst : Math.max(1, Math.ceil(rateLimit.requestsPerSecond)),
    },
  }
}
