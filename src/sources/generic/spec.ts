/** The fields of a generic entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Finding } from '../../source.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  url: z.string().default('').describe('The gRPC server, `host:port`.'),
  config: z
    .string()
    .default('')
    .describe('Text for the server, sent as it stands in the field `config` of the request that begins the stream.'),
  insecure: z.boolean().default(false).describe('Speak without TLS.'),
  tls: tlsSchema
    .optional()
    .describe(
      'Certificates for TLS. Without it, and without `insecure`, the authorities that the system trusts. Not in Argo Events.',
    ),
  uniqueNames: z
    .boolean()
    .default(false)
    .describe(
      'The server gives each event a name that no other event has. It identifies the event, and each request says in the metadata `last-event-name` which was the last one stored, so that the server goes on after it. Not in Argo Events.',
    ),
  jsonBody: jsonBodySchema,
  authSecret: secretKeySelector
    .optional()
    .describe('A token; sent as `authorization: Bearer <token>` with each request, read anew each time.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type GenericSpec = z.output<typeof specSchema>

export function validateSpec(spec: GenericSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.length > 0 ? findings : additions(spec)
}

function upstreamRules({ url, config }: GenericSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (url === '') return error('url', "server url can't be empty", 'write host:port')
  if (config === '') return error('config', "config can't be empty", 'write what the server wants to be told, e.g. {}')
  return []
}

function additions(spec: GenericSpec): Finding[] {
  const findings = validateTls(spec.tls)
  if (/^(https?|grpcs?):\/\//.test(spec.url)) {
    findings.push({
      severity: 'warning',
      fatal: true,
      path: ['url'],
      message: 'the url is no gRPC target',
      remedy: 'write host:port; insecure: true means no TLS',
    })
  }
  if (spec.insecure && spec.tls !== undefined) {
    findings.push({
      severity: 'warning',
      path: ['tls'],
      message: 'tls is not used, because insecure is set',
      remedy: 'remove one of the two',
    })
  }
  if (!spec.uniqueNames) {
    findings.push({
      severity: 'advice',
      path: ['uniqueNames'],
      message: 'what is sent to a replica that dies is lost',
      remedy: 'let the server name each event and go on after the last stored one; then set uniqueNames: true',
    })
  }
  return findings
}
