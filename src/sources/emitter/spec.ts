/** The fields of an Emitter entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { brokerKey, schemeOf } from '../connections/mqtt.ts'
import { jsonBodySchema } from '../payload/json-body.ts'

export const specSchema = z.object({
  broker: z
    .string()
    .default('')
    .describe('The broker: `tcp://` or, with TLS, `ssl://`; over WebSocket `ws://` or `wss://`.'),
  channelName: z
    .string()
    .default('')
    .describe(
      'The channel; those below it belong to it. `$share/<group>/<channel>` shares the messages with the other members of the group.',
    ),
  channelKey: z
    .string()
    .default('')
    .describe('The key of the channel, in plain text. It must permit reading. It is never shown.'),
  username: secretKeySelector.optional().describe('The user.'),
  password: secretKeySelector.optional().describe('The password.'),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  tls: tlsSchema.optional().describe('TLS, for the URLs that say so.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type EmitterSpec = z.output<typeof specSchema>

export function validateSpec(spec: EmitterSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules(spec: EmitterSpec): Finding[] {
  const rules = [
    ['broker', 'broker url must be specified', 'write broker: tcp://host:8080'],
    ['channelName', 'channel name must be specified', 'name the channel'],
    ['channelKey', 'channel key secret selector must be specified', 'write the key of the channel'],
  ] as const
  for (const [field, message, remedy] of rules) {
    if (spec[field] === '') return [{ severity: 'error', path: [field], message, remedy }]
  }
  return validateTls(spec.tls)
}

function cannotWork({ broker, channelName, channelKey }: EmitterSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (field: string, message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path: [field], message, remedy })
  const scheme = schemeOf(broker)
  if (scheme === undefined || scheme === 'unix')
    fatal('broker', 'the url is none of Emitter', 'begin it with tcp://, ssl://, ws:// or wss://')
  else if (!URL.canParse(broker)) fatal('broker', 'the url cannot be read', 'write tcp://host:8080')
  if (channelName.includes('#')) fatal('channelName', 'Emitter has no wildcard #', 'use + for one level')
  if (trimmed(channelName) === '') fatal('channelName', 'the name has no level', 'name the channel')
  if (trimmed(channelKey).includes('/')) fatal('channelKey', 'a key has no slash', 'give the channel by channelName')
  if (isShared(channelName)) {
    const message =
      'a standby cannot share: what comes before the next replica serves is lost, unless others are in the group'
    const remedy = 'leave the group out: one replica publishes in any case'
    findings.push({ severity: 'warning', path: ['channelName'], message, remedy })
  }
  return findings
}

/** Without the slashes at its ends, as upstream's library takes names and keys. */
export const trimmed = (text: string): string => text.replace(/^\/+|\/+$/g, '')

/** A group shares the channel: each message goes to one of its members. */
export const isShared = (channelName: string): boolean => /^\$share\//.test(trimmed(channelName))

export function claimsOf({ broker, channelName }: EmitterSpec): Claim[] {
  if (!isShared(channelName)) return []
  const [at, channel] = [brokerKey(broker), trimmed(channelName)]
  const remedy = 'give each entry a group of its own, or leave the group out'
  return [{ at, name: channel, what: `the shared channel ${channel} at ${at}`, remedy }]
}
