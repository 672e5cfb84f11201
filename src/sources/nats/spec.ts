/** The fields of a NATS entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { basicAuthSchema } from '../connections/basic-auth.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  url: z
    .string()
    .default('')
    .describe('`nats://host:4222` or `tls://host:4222`; several of a cluster with commas between them.'),
  subject: z.string().default('').describe('The subject; `*` and `>` are wildcards.'),
  tls: tlsSchema.optional(),
  queue: z
    .string()
    .optional()
    .describe(
      'A queue group, shared with subscribers outside of this EventSource. Standbys cannot listen to one: see below.',
    ),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  auth: z
    .object({
      basic: basicAuthSchema.optional(),
      token: secretKeySelector.optional().describe('A token.'),
      nkey: secretKeySelector.optional().describe('The seed of an NKey.'),
      credential: secretKeySelector.optional().describe('A `.creds` file: a JWT and its NKey.'),
    })
    .optional()
    .describe('How to log in; the first of `basic`, `token`, `nkey`, `credential` that is there counts.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type NatsSpec = z.output<typeof specSchema>

export const addressesOf = (spec: NatsSpec): string[] =>
  spec.url
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

export function validateSpec(spec: NatsSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules(spec: NatsSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (spec.url === '') return error('url', 'url must be specified', 'write url: nats://host:4222')
  if (spec.subject === '') return error('subject', 'subject must be specified', 'name the subject')
  if (spec.tls !== undefined) return validateTls(spec.tls)
  if (spec.queue === '')
    return error('queue', 'queue group cannot be empty if specified', 'name the queue group, or remove the field')
  return []
}

function cannotWork(spec: NatsSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: string[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  if (/\s/.test(spec.subject) || spec.subject.split('.').includes(''))
    fatal(['subject'], 'NATS has no such subject', 'write names with single dots between them, without white space')
  if (addressesOf(spec).length === 0) fatal(['url'], 'the url holds no address', 'write url: nats://host:4222')
  const { basic } = spec.auth ?? {}
  for (const member of ['username', 'password'] as const) {
    if (basic !== undefined && basic[member] === undefined)
      fatal(['auth', 'basic', member], `${member} missing`, `name the Secret and the key that hold the ${member}`)
  }
  if (spec.queue !== undefined) {
    findings.push({
      severity: 'warning',
      path: ['queue'],
      message:
        'in a queue group a standby cannot listen: what comes before the next replica serves is lost, unless others are in the group',
      remedy: 'remove queue when nobody else is in the group: one replica publishes in any case',
    })
  }
  return findings
}

/** One for each server, since any of a cluster leads to all. */
export function claimsOf(spec: NatsSpec): Claim[] {
  const { queue, subject } = spec
  if (queue === undefined) return []
  return addressesOf(spec).map((address) => {
    const host = address
      .toLowerCase()
      .replace(/^[a-z]+:\/\//, '')
      .replace(/^[^@]*@/, '')
    const server = /:\d+$/.test(host) ? host : `${host}:4222`
    const remedy = 'name another queue, or leave it out: of an entry one replica publishes in any case'
    return { at: server, name: queue, subject, what: `the queue group ${queue} at ${server}`, remedy }
  })
}
