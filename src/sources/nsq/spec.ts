/** The fields of an NSQ entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  hostAddress: z.string().default('').describe('HTTP address of nsqlookupd: `host:4161`, or a URL.'),
  topic: z.string().default('').describe('The topic.'),
  channel: z
    .string()
    .default('')
    .describe('The channel. It keeps what comes while nobody serves, unless its name ends in `#ephemeral`.'),
  deleteChannelOnFinish: z
    .boolean()
    .default(false)
    .describe(
      'Delete the channel, with what is in it, from every nsqd (by its HTTP API) when the entry or its EventSource is deleted; not when a replica stops. Without it, it stays and goes on filling. Not in Argo Events.',
    ),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  tls: tlsSchema.optional().describe('TLS to nsqd (`tls_v1`).'),
  authSecret: secretKeySelector
    .optional()
    .describe('The secret that an nsqd with `--auth-http-address` asks for. Not in Argo Events.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type NsqSpec = z.output<typeof specSchema>

export function validateSpec(spec: NsqSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules(spec: NsqSpec): Finding[] {
  const rules = [
    ['hostAddress', 'host address must be specified', 'write the address of nsqlookupd, host:4161'],
    ['topic', 'topic must be specified', 'name the topic'],
    ['channel', 'channel must be specified', 'name the channel'],
  ] as const
  for (const [field, message, remedy] of rules) {
    if (spec[field] === '') return [{ severity: 'error', path: [field], message, remedy }]
  }
  return validateTls(spec.tls)
}

/** The names that NSQ allows (nsq internal/protocol/names.go). */
const NAME = /^[.a-zA-Z0-9_-]{1,64}(#ephemeral)?$/

function cannotWork(spec: NsqSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (field: string, message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path: [field], message, remedy })
  if (/^https?:\/\//.test(spec.hostAddress)) {
    if (!URL.canParse(spec.hostAddress)) fatal('hostAddress', 'the URL cannot be read', 'write http://host:4161')
  } else if (!/^([^:/\s]+|\[[0-9a-fA-F:]+\]):\d+$/.test(spec.hostAddress)) {
    fatal('hostAddress', `lookup failed for host ${spec.hostAddress}, missing port`, 'write host:4161')
  }
  for (const field of ['topic', 'channel'] as const) {
    if (!NAME.test(spec[field]) || spec[field].length > 64)
      fatal(field, `NSQ has no ${field} of that name`, 'use up to 64 letters, digits, dots, dashes and underscores')
  }
  for (const [field, message] of [
    ['topic', 'an ephemeral topic goes with its last channel, and keeps in memory only what has room there'],
    ['channel', 'an ephemeral channel goes with its last consumer: what comes between two leaders is lost'],
  ] as const) {
    if (spec[field].endsWith('#ephemeral'))
      findings.push({ severity: 'warning', path: [field], message, remedy: 'remove #ephemeral' })
  }
  return findings
}

export function claimsOf({ hostAddress, topic, channel }: NsqSpec): Claim[] {
  const at = hostAddress.toLowerCase().replace(/^https?:\/\/|\/+$/g, '')
  const what = `the channel ${channel} of the topic ${topic} at ${at}`
  return [{ at, name: `${topic} ${channel}`, what, remedy: 'give each entry a channel of its own' }]
}
