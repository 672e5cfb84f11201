/** The fields of an MQTT entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding, Guarantee } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { basicAuthSchema, validateBasicAuth } from '../connections/basic-auth.ts'
import { brokerKey, schemeOf } from '../connections/mqtt.ts'
import { jsonBodySchema } from '../payload/json-body.ts'
import { isShared } from './filter.ts'

export const specSchema = z.object({
  url: z
    .string()
    .default('')
    .describe(
      'The broker: `tcp://` or `mqtt://`, with TLS `ssl://`, `tls://` or `mqtts://`, over WebSocket `ws://` or `wss://`, or `unix://`.',
    ),
  topic: z
    .string()
    .default('')
    .describe(
      'The topic filter; `+` and `#` are wildcards. `$share/<group>/<filter>` shares the messages with the other members of the group.',
    ),
  clientId: z
    .string()
    .default('')
    .describe(
      'The client id. With `qos` 1 or 2 it names the session, which the next leader takes over; with 0 each replica adds something of its own.',
    ),
  qos: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(0)
    .describe(
      '0: hot standby. 1 or 2: at least once, by a session that the broker keeps while nobody serves. Not in Argo Events.',
    ),
  deleteSessionOnFinish: z
    .boolean()
    .default(true)
    .describe(
      'With `qos` 1 or 2: end the session when the entry or its EventSource is deleted; not when a replica stops. False: it stays at the broker, which goes on filling it. Not in Argo Events.',
    ),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  tls: tlsSchema.optional().describe('TLS, for the URLs that say so.'),
  auth: basicAuthSchema.optional(),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type MqttSpec = z.output<typeof specSchema>

export function validateSpec(spec: MqttSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules(spec: MqttSpec): Finding[] {
  const rules = [
    ['url', 'url must be specified', 'write url: tcp://host:1883'],
    ['topic', 'topic must be specified', 'name the topic'],
    ['clientId', 'client id must be specified', 'choose a name that no other client has'],
  ] as const
  for (const [field, message, remedy] of rules) {
    if (spec[field] === '') return [{ severity: 'error', path: [field], message, remedy }]
  }
  return spec.tls === undefined ? validateBasicAuth(spec.auth) : validateTls(spec.tls)
}

function cannotWork(spec: MqttSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (field: string, message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path: [field], message, remedy })
  if (schemeOf(spec.url) === undefined)
    fatal('url', 'the url is none of MQTT', 'begin it with tcp://, ssl://, ws:// or wss://')
  else if (schemeOf(spec.url) !== 'unix' && !URL.canParse(spec.url))
    fatal('url', 'the url cannot be read', 'write tcp://host:1883')
  const levels = spec.topic.split('/')
  const wrong = levels.some(
    (level, i) =>
      (level.includes('#') && (level !== '#' || i < levels.length - 1)) || (level.includes('+') && level !== '+'),
  )
  if (wrong) fatal('topic', 'MQTT has no such topic filter', 'a level is + as a whole, and # the last one as a whole')
  if (spec.qos > 0 && isShared(spec.topic))
    fatal('topic', 'a shared subscription has no session that a next leader could take over', 'remove $share/<group>/')
  else if (isShared(spec.topic)) {
    const message =
      'a standby cannot share: what comes before the next replica serves is lost, unless others are in the group'
    const remedy = 'leave the group out: one replica publishes in any case'
    findings.push({ severity: 'warning', path: ['topic'], message, remedy })
  }
  return findings
}

/** Hot standby would take messages away where the broker gives each to one subscriber only. */
export function guaranteeOfSpec({ qos, topic }: MqttSpec): Guarantee {
  if (qos > 0) return 'at-least-once'
  return isShared(topic) ? 'at-most-once' : 'hot-standby'
}

/** Whether there is a session that goes with the entry. */
export const keepsSession = ({ qos, deleteSessionOnFinish }: MqttSpec): boolean => qos > 0 && deleteSessionOnFinish

export function claimsOf({ url, clientId, qos, topic }: MqttSpec): Claim[] {
  const broker = brokerKey(url)
  if (qos > 0) {
    return [
      {
        at: broker,
        name: `session ${clientId}`,
        what: `the clientId ${JSON.stringify(clientId)} at ${broker}`,
        otherwise: "the broker lets one of them in at a time, and gives it the other's messages",
        remedy: 'give each entry a clientId of its own',
        // Served, it would throw out the one that works.
        fatal: true,
      },
    ]
  }
  if (!isShared(topic)) return []
  const remedy = 'give each entry a group of its own, or leave the group out'
  return [{ at: broker, name: `share ${topic}`, what: `the shared subscription ${topic} at ${broker}`, remedy }]
}
