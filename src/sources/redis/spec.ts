/** The fields of a Redis entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Finding } from '../../source.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  hostAddress: z.string().default('').describe('`host:port`.'),
  channels: z.array(z.string()).optional().describe('The channels, by their exact names.'),
  password: secretKeySelector.optional().describe('The password.'),
  namespace: z
    .string()
    .default('')
    .describe(
      'Accepted for compatibility, and required with `password` as in Argo Events; the Secret is that of the EventSource.',
    ),
  username: z.string().default('').describe('The ACL user.'),
  db: z.int32().default(0).describe('The database; channels do not depend on it.'),
  tls: tlsSchema.optional(),
  jsonBody: jsonBodySchema.describe(
    'The message is JSON and goes into the payload as it stands. Otherwise `body` is its text.',
  ),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type RedisSpec = z.output<typeof specSchema>

export function validateSpec(spec: RedisSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.length > 0 ? findings : cannotWork(spec)
}

function upstreamRules(spec: RedisSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (spec.hostAddress === '') return error('hostAddress', 'host address must be specified', 'write host:6379')
  if (spec.channels === undefined) return error('channels', 'channel/s must be specified', 'list the channels')
  if (spec.password !== undefined && spec.namespace === '') {
    const message = 'namespace must be defined in order to retrieve the password from the secret'
    return error('namespace', message, "write the EventSource's namespace")
  }
  return validateTls(spec.tls)
}

function cannotWork(spec: RedisSpec): Finding[] {
  const fatal = (field: string, message: string, remedy: string): Finding => ({
    severity: 'warning',
    fatal: true,
    path: [field],
    message,
    remedy,
  })
  const findings: Finding[] = []
  if (addressOf(spec) === null) findings.push(fatal('hostAddress', 'the address has no port', 'write host:6379'))
  if (spec.channels?.length === 0) findings.push(fatal('channels', 'no channel is listed', 'list the channels'))
  return findings
}

/** Null when it is none. */
export function addressOf({ hostAddress }: RedisSpec): { host: string; port: number } | null {
  const found = /^(?:\[([0-9a-fA-F:]+)\]|([^:/\s]*)):(\d{1,5})$/.exec(hostAddress)
  if (found === null) return null
  return { host: found[1] ?? (found[2] || 'localhost'), port: Number(found[3]) }
}
