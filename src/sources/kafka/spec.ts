/** The fields of a Kafka entry, and upstream's rules for them. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { basicAuthSchema, validateBasicAuth } from '../connections/basic-auth.ts'
import { isHttpUrl } from '../hooks/findings.ts'
import { jsonBodySchema } from '../payload/json-body.ts'
import { configFindings } from './config.ts'

const text = (what: string) => z.string().default('').describe(what)

const registrySchema = z.object({
  url: text(
    "The registry's address; its API is that of Confluent: `https://registry:8081`, of Apicurio `…/apis/ccompat/v7`.",
  ),
  schemaId: z.int().default(0).describe('Unused, as in Argo Events: each message names its schema.'),
  auth: basicAuthSchema.optional(),
  tls: tlsSchema
    .optional()
    .describe('TLS to the registry, for an `https` address. Without it, the authorities that the system trusts.'),
})
export type RegistrySpec = z.output<typeof registrySchema>

export const specSchema = z.object({
  url: text('Brokers, `host:port`, comma separated. The first is part of the ids of events.'),
  topic: text('The topic.'),
  partition: text('The one partition to read, a number. Or `consumerGroup`, which wins.'),
  consumerGroup: z
    .object({
      groupName: text('The group whose committed offsets are used and written.'),
      oldest: z
        .boolean()
        .default(false)
        .describe('Where a group without a committed offset begins: with the oldest message, or with what comes.'),
      rebalanceStrategy: text('Accepted and unused: the replica that serves reads all partitions.'),
    })
    .optional()
    .describe('Reads all partitions, and commits to the group what the bus has.'),
  connectionBackoff: connectionBackoffSchema.optional(),
  tls: tlsSchema.optional(),
  sasl: z
    .object({
      mechanism: text('`PLAIN` (also when empty), `SCRAM-SHA-256` or `SCRAM-SHA-512`.'),
      userSecret: secretKeySelector.optional().describe('The user.'),
      passwordSecret: secretKeySelector.optional().describe('The password.'),
    })
    .optional()
    .describe('The login. With `tls` it goes over TLS.'),
  awsMskIamAuth: z
    .object({ region: text('The region of the cluster, e.g. `us-east-1`.') })
    .optional()
    .describe(
      "Login to Amazon MSK by AWS IAM, with the credentials of the AWS SDK's default chain, over TLS. Wins over `sasl`.",
    ),
  version: text("Accepted; client and broker agree on a version by themselves. Upstream's default: `1.0.0`."),
  limitEventsPerSecond: z
    .int()
    .default(0)
    .describe('With a group: at most so many messages of each partition in a second. 0: no limit.'),
  config: text(
    'YAML over the settings of sarama, the Go client of Argo Events. Used are, in any case: `ClientID`, `Net.DialTimeout`, `Net.ReadTimeout`, `Consumer.Fetch.Min`, `.Default` and `.Max`, `Consumer.MaxWaitTime`, `Consumer.IsolationLevel`, `Consumer.Offsets.Initial`; `validate` names all others.',
  ),
  jsonBody: jsonBodySchema,
  schemaRegistry: registrySchema
    .optional()
    .describe('Messages are Avro in the wire format of Confluent, and become JSON. Needs `jsonBody`.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type KafkaSpec = z.output<typeof specSchema>

const MECHANISMS = ['', 'PLAIN', 'OAUTHBEARER', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'GSSAPI']

export function validateSpec(spec: KafkaSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  return [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
}

function upstreamRules(spec: KafkaSpec): Finding[] {
  const error = (path: string[], message: string, remedy: string): Finding[] => [
    { severity: 'error', path, message, remedy },
  ]
  if (spec.url === '') return error(['url'], 'url must be specified', 'write url: broker:9092')
  if (spec.topic === '') return error(['topic'], 'topic must be specified', 'name the topic')
  if (spec.consumerGroup === undefined && spec.partition === '') {
    const remedy = 'a consumer group reads all partitions, a partition only itself'
    return error(['consumerGroup'], 'consumerGroup or partition must be specified', remedy)
  }
  if (spec.tls !== undefined) return validateTls(spec.tls)
  if (spec.sasl !== undefined) return saslRules(spec.sasl)
  if (spec.awsMskIamAuth?.region === '')
    return error(['awsMskIamAuth', 'region'], 'awsMskIamAuth.region must be specified', 'name the region')
  return []
}

function saslRules({ mechanism, userSecret, passwordSecret }: NonNullable<KafkaSpec['sasl']>): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: ['sasl', field], message, remedy },
  ]
  if (!MECHANISMS.includes(mechanism)) {
    const message =
      'invalid sasl config. Possible values for SASL Mechanism are `OAUTHBEARER`, `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` and `GSSAPI`'
    return error('mechanism', message, 'write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512')
  }
  if (userSecret === undefined || passwordSecret === undefined) {
    const message = 'invalid sasl config, both userSecret and passwordSecret must be defined'
    return error(userSecret === undefined ? 'userSecret' : 'passwordSecret', message, 'name the Secret and its key')
  }
  return []
}

function cannotWork(spec: KafkaSpec): Finding[] {
  const findings: Finding[] = []
  const cannot = (path: string[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', path, message, remedy, fatal: true })
  if (spec.url.split(',').some((broker) => !/^\S+:\d+$/.test(broker.trim())))
    cannot(['url'], 'not every broker is host:port', 'write broker-1:9092,broker-2:9092')
  if (spec.consumerGroup === undefined && !/^\d{1,9}$/.test(spec.partition))
    cannot(['partition'], `failed to parse Kafka partition ${spec.partition}`, 'write its number, such as "0"')
  if (spec.consumerGroup?.groupName === '')
    cannot(['consumerGroup', 'groupName'], 'the broker refuses a group without a name', 'name the group')
  if (spec.version !== '' && !/^(0\.\d+|[1-9]\d*)\.\d+\.\d+$/.test(spec.version))
    cannot(['version'], `invalid version \`${spec.version}\``, 'write three numbers, such as 2.8.0')
  findings.push(...loginFindings(spec))
  findings.push(...registryFindings(spec))
  const given = { tls: spec.tls !== undefined, login: spec.sasl !== undefined || spec.awsMskIamAuth !== undefined }
  findings.push(...configFindings(spec.config, given))
  return findings
}

/** Upstream looks at none of these. */
function registryFindings({ schemaRegistry, jsonBody }: KafkaSpec): Finding[] {
  if (schemaRegistry === undefined) return []
  const warn = (path: string[], message: string, remedy: string, fatal = false): Finding => ({
    severity: 'warning',
    path: ['schemaRegistry', ...path],
    message,
    remedy,
    ...(fatal ? { fatal } : {}),
  })
  if (!jsonBody)
    return [warn([], 'a schema registry is only used with jsonBody', 'write jsonBody: true, or leave it out')]
  const { url, auth, tls } = schemaRegistry
  const findings = [...validateBasicAuth(auth), ...validateTls(tls)].map(({ path, message, remedy }) =>
    warn(path as string[], message, remedy!, true),
  )
  if (!isHttpUrl(url))
    findings.push(warn(['url'], `${JSON.stringify(url)} is no http(s) URL`, 'write http://registry:8081', true))
  return findings
}

/** Behind `tls`, upstream looks at neither login, behind `sasl` not at that of AWS. */
function loginFindings({ tls, sasl, awsMskIamAuth }: KafkaSpec): Finding[] {
  const warn = (path: string[], message: string, remedy: string, fatal: boolean): Finding[] => [
    { severity: 'warning', path, message, remedy, ...(fatal ? { fatal } : {}) },
  ]
  if (awsMskIamAuth !== undefined) {
    if (!/^[a-z0-9-]+$/.test(awsMskIamAuth.region))
      return warn(
        ['awsMskIamAuth', 'region'],
        `${JSON.stringify(awsMskIamAuth.region)} is no region`,
        'write region: us-east-1',
        true,
      )
    return sasl === undefined ? [] : warn(['sasl'], 'sasl is not used: awsMskIamAuth wins', 'remove one of them', false)
  }
  if (sasl === undefined) return []
  const [wrong] = tls === undefined ? [] : saslRules(sasl)
  if (wrong !== undefined) return warn(wrong.path as string[], wrong.message, wrong.remedy!, true)
  const other = 'use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512'
  switch (sasl.mechanism) {
    case 'OAUTHBEARER':
      return warn(
        ['sasl', 'mechanism'],
        'OAUTHBEARER needs a token, and no field says where it comes from',
        `${other}, or awsMskIamAuth for Amazon MSK`,
        true,
      )
    case 'GSSAPI':
      return warn(['sasl', 'mechanism'], 'GSSAPI (Kerberos) is not supported', other, true)
    default:
      return []
  }
}

/** One for each broker, since any of a cluster leads to all. Nobody is a member of the group, but what it has committed is passed over. */
export function claimsOf({ url, topic, consumerGroup }: KafkaSpec): Claim[] {
  if (consumerGroup === undefined) return []
  const { groupName } = consumerGroup
  return url.split(',').map((broker) => {
    const at = broker.trim().toLowerCase()
    return {
      at,
      name: `${topic} ${groupName}`,
      what: `the consumer group ${groupName} of the topic ${topic} at ${at}`,
      otherwise: 'each passes over what the other has committed when it begins anew',
      remedy: 'give each entry a group of its own',
    }
  })
}
