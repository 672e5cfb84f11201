/** The fields of an AMQP entry, and upstream's rules for them. */
import { parse } from 'yaml'
import { z } from 'zod'
import { fail, messageOf } from '../../core/errors.ts'
import { filterSchema, metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema, validateTls } from '../../source/tls.ts'
import type { Claim, Finding, Guarantee } from '../../source.ts'
import { connectionBackoffSchema, validateConnectionBackoff } from '../connections/backoff.ts'
import { basicAuthSchema, validateBasicAuth } from '../connections/basic-auth.ts'
import { jsonBodySchema } from '../payload/json-body.ts'
import { keepsNothing } from '../queues/keeps-nothing.ts'

const flag = (text: string) => z.boolean().default(false).describe(text)
const noWait = flag('Accepted; the answer is waited for all the same, so that an error is seen.')

export const specSchema = z.object({
  url: z
    .string()
    .default('')
    .describe(
      '`amqp://` or `amqps://`, with user, password and virtual host: `amqp://user:password@host:5672/vhost`. Or `urlSecret`.',
    ),
  urlSecret: secretKeySelector.optional().describe('The URL, from a Secret. Or `url`.'),
  routingKey: z
    .string()
    .default('')
    .describe('The routing key of the binding. Required, also where the exchange does not look at it.'),
  exchangeType: z.string().default('').describe('`direct`, `fanout`, `topic`, `headers`, or a type of a plugin.'),
  exchangeName: z.string().default('').describe('The exchange, which is declared when it is not there.'),
  tls: tlsSchema.optional().describe('TLS, for `amqps://` URLs.'),
  auth: basicAuthSchema.optional().describe('User and password (SASL PLAIN); they win over those in the URL.'),
  connectionBackoff: connectionBackoffSchema.optional(),
  jsonBody: jsonBodySchema,
  exchangeDeclare: z
    .object({
      durable: flag('The exchange outlives the broker.'),
      autoDelete: flag('The exchange goes when nothing is bound to it any more.'),
      internal: flag('Only other exchanges may publish to it.'),
      noWait,
    })
    .optional()
    .describe('How the exchange is declared. Without it: durable. With it, what is left out is false.'),
  queueDeclare: z
    .object({
      name: z
        .string()
        .default('')
        .describe('The queue. Empty: one of its own for each replica, which goes with its connection.'),
      durable: flag('The queue outlives the broker.'),
      autoDelete: flag('The queue goes when nobody consumes from it any more: what comes between two leaders is lost.'),
      exclusive: flag('The queue belongs to one connection and goes with it: what comes between two leaders is lost.'),
      noWait,
      arguments: z
        .string()
        .default('')
        .describe('Arguments of the declaration, a YAML mapping as text, such as `x-queue-type: quorum`.'),
    })
    .optional()
    .describe(
      'How the queue is declared. Without it: a queue without a name, exclusive. With it, what is left out is false.',
    ),
  deleteQueueOnFinish: flag(
    'Delete the queue when the entry or its EventSource is deleted, unless others consume from it; not when a replica stops. Only for a queue with a name. Not in Argo Events.',
  ),
  queueBind: z.object({ noWait }).optional().describe('How the queue is bound.'),
  consume: z
    .object({
      consumerTag: z.string().default('').describe('The name of the consumer. Empty: the broker chooses.'),
      autoAck: flag('Accepted; messages are acknowledged all the same only when the bus has them.'),
      exclusive: flag('Nobody else may consume from the queue.'),
      noLocal: flag('No messages that this very connection has published.'),
      noWait,
      arguments: z
        .string()
        .default('')
        .describe(
          'Arguments of the consumer, a YAML mapping as text, such as `x-priority: 10`; for a stream `x-stream-offset`, which counts at the very first start: `first`, `last`, `next` (what comes; without it too), an offset, a time, or an age such as `7D`. Not in Argo Events.',
        ),
    })
    .optional()
    .describe('How the queue is consumed.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
export type AmqpSpec = z.output<typeof specSchema>

const DEFAULT_QUEUE = { name: '', durable: false, autoDelete: false, exclusive: true, noWait: false, arguments: '' }
const DEFAULT_EXCHANGE = { durable: true, autoDelete: false, internal: false, noWait: false }

export const queueOf = (spec: AmqpSpec) => spec.queueDeclare ?? DEFAULT_QUEUE
export const exchangeOf = (spec: AmqpSpec) => spec.exchangeDeclare ?? DEFAULT_EXCHANGE

/** Exchanges that give each message to one of their queues (plugins of RabbitMQ, and its own of 4.0): a standby's would take from the leader's. */
const SHARING = ['x-consistent-hash', 'x-modulus-hash', 'x-random', 'x-local-random']

/** A queue without a name is each replica's own, so every replica hears everything. */
export function guaranteeOfSpec(spec: AmqpSpec): Guarantee {
  const { name, autoDelete, exclusive } = queueOf(spec)
  if (name === '') return SHARING.includes(spec.exchangeType) ? 'at-most-once' : 'hot-standby'
  if (isStream(spec)) return 'exactly-once'
  return autoDelete || exclusive ? 'at-most-once' : 'at-least-once'
}

export function validateSpec(spec: AmqpSpec): Finding[] {
  const findings = upstreamRules(spec)
  if (findings.length > 0) return findings
  const wrong = [...cannotWork(spec), ...validateConnectionBackoff(spec.connectionBackoff)]
  return wrong.length > 0 ? wrong : mayLose(spec)
}

/** What works, and yet forgets what comes while nobody serves. */
function mayLose(spec: AmqpSpec): Finding[] {
  const { name, durable, arguments: text } = queueOf(spec)
  if (name === '') return [keepsNothing(['queueDeclare'], 'name a queue: queueDeclare: {name: orders, durable: true}')]
  const advice = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'advice', path: ['queueDeclare', field], message, remedy },
  ]
  const expires = queueArguments(text)['x-expires']
  if (expires !== undefined)
    return advice(
      'arguments',
      `the broker deletes the queue when nobody has served it for ${expires} ms: what comes after that is lost`,
      'remove x-expires, or make it longer than the entry may be stopped',
    )
  if (durable) return []
  return advice('durable', 'a restart of the broker deletes the queue, with what is in it', 'add durable: true')
}

function upstreamRules(spec: AmqpSpec): Finding[] {
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (spec.url === '' && spec.urlSecret === undefined)
    return error('url', 'either url or urlSecret must be specified', 'write url: amqp://host:5672')
  if (spec.url !== '' && spec.urlSecret !== undefined)
    return error('url', 'only one of url or urlSecret can be specified', 'remove one of them')
  if (spec.routingKey === '')
    return error('routingKey', 'routing key must be specified', 'for a fanout exchange any text will do')
  if (spec.exchangeType === '')
    return error('exchangeType', 'exchange type must be specified', 'write direct, fanout, topic or headers')
  if (spec.tls !== undefined) return validateTls(spec.tls)
  return validateBasicAuth(spec.auth)
}

function cannotWork(spec: AmqpSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: string[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  if (spec.url !== '' && !/^amqps?:\/\//.test(spec.url))
    fatal(['url'], 'the url is none of AMQP', 'begin it with amqp:// or amqps://')
  else if (spec.url !== '' && !URL.canParse(spec.url))
    fatal(
      ['url'],
      'the url cannot be read',
      'write amqp://user:password@host:port/vhost, special characters percent-encoded',
    )
  if (spec.exchangeName === '')
    fatal(['exchangeName'], 'the broker refuses to declare an exchange without a name', 'name the exchange')
  try {
    queueArguments(queueOf(spec).arguments)
  } catch (error) {
    fatal(['queueDeclare', 'arguments'], messageOf(error), 'write a YAML mapping, such as "x-queue-type: quorum"')
    return findings
  }
  try {
    findings.push(...streamFindings(spec))
  } catch (error) {
    fatal(['consume', 'arguments'], messageOf(error), 'write a YAML mapping, such as "x-stream-offset: first"')
  }
  const { name, exclusive, autoDelete } = queueOf(spec)
  const sharing = name === '' && SHARING.includes(spec.exchangeType)
  if ((sharing || (name !== '' && (exclusive || autoDelete))) && findings.length === 0) {
    findings.push({
      severity: 'warning',
      path: sharing ? ['exchangeType'] : ['queueDeclare', exclusive ? 'exclusive' : 'autoDelete'],
      message: 'the queue goes with the replica that serves: what comes before the next one serves is lost',
      remedy: sharing
        ? 'name the queue and make it durable'
        : 'make it durable, neither exclusive nor autoDelete; or leave out its name for a hot standby',
    })
  }
  return findings
}

/** The arguments of the queue's declaration. @throws SPEC_INVALID with upstream's words */
export const queueArguments = (text: string): Record<string, unknown> => tableOf(text, 'queue declare')

/** @param what it is the table of @throws SPEC_INVALID */
function tableOf(text: string, what: string): Record<string, unknown> {
  const because = (why: string) =>
    fail(
      'SPEC_INVALID',
      `failed to parse optional ${what} table arguments from Yaml string: unmarshalling Yaml to Table type. Args: ${text}. Err: ${why}`,
    )
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 100 })
  } catch (error) {
    throw because(messageOf(error).split('\n', 1)[0]!)
  }
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw because('it is no mapping')
  return value as Record<string, unknown>
}

/** Declared as a stream. One that is there already may be one without that. */
export function isStream(spec: AmqpSpec): boolean {
  try {
    return queueArguments(queueOf(spec).arguments)['x-queue-type'] === 'stream'
  } catch {
    return false
  }
}

const OFFSET = 'x-stream-offset'

/** @param offset of the stream, instead of the spec's @throws SPEC_INVALID */
export function consumeOptions({ consume }: AmqpSpec, offset?: number) {
  const given = tableOf(consume?.arguments ?? '', 'consume')
  const from = offset ?? brokersOffset(given[OFFSET])
  const args = from === undefined ? given : { ...given, [OFFSET]: from }
  if (consume === undefined) return { arguments: args }
  const { consumerTag, exclusive, noLocal } = consume
  return { exclusive, noLocal, arguments: args, ...(consumerTag === '' ? {} : { consumerTag }) }
}

/** RFC 3339, which YAML leaves a text. */
const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/

/** A time in the type that the broker wants; whatever else as it is. */
const brokersOffset = (given: unknown): unknown =>
  typeof given === 'string' && TIME.test(given)
    ? { '!': 'timestamp', value: Math.floor(Date.parse(given) / 1000) }
    : given

/** https://www.rabbitmq.com/docs/streams#consuming; of anything else some brokers die, and with it the connection. */
function isOffset(given: unknown): boolean {
  if (typeof given !== 'string') return Number.isSafeInteger(given) && (given as number) >= 0
  if (/^(first|last|next)$|^\d+[YMDhms]$/.test(given)) return true
  return TIME.test(given) && !Number.isNaN(Date.parse(given))
}

function streamFindings(spec: AmqpSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (path: string[], message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path, message, remedy })
  const { name, durable, exclusive, autoDelete } = queueOf(spec)
  if (isStream(spec)) {
    if (name === '') fatal(['queueDeclare', 'name'], 'the broker makes no stream without a name', 'name the queue')
    if (name !== '' && !durable)
      fatal(['queueDeclare', 'durable'], 'the broker makes no stream that is not durable', 'add durable: true')
    for (const [flag, set] of Object.entries({ exclusive, autoDelete }))
      if (name !== '' && set)
        fatal(['queueDeclare', flag], `the broker makes no stream with ${flag}`, `remove ${flag}: true`)
  }
  const offset = tableOf(spec.consume?.arguments ?? '', 'consume')[OFFSET]
  if (offset !== undefined && !isOffset(offset))
    fatal(
      ['consume', 'arguments'],
      `${OFFSET} ${JSON.stringify(offset)} is none`,
      'write first, last, next, an offset, a time such as 2026-11-30T12:00:00Z, or an age such as 7D or 12h',
    )
  return findings
}

/** Whether there is a queue that outlives its consumers, and is to go with the entry. */
export const deletesQueue = (spec: AmqpSpec): boolean => spec.deleteQueueOnFinish && queueOf(spec).name !== ''

/** `host:port/vhost`; of a URL in a Secret, the Secret. */
export function brokerOf({ url, urlSecret }: Pick<AmqpSpec, 'url' | 'urlSecret'>): string {
  if (!URL.canParse(url)) return `the URL in ${urlSecret?.name}/${urlSecret?.key}`
  const { protocol, hostname, port, pathname } = new URL(url)
  const usual = protocol === 'amqps:' ? '5671' : '5672'
  return `${hostname || 'localhost'}:${port || usual}/${pathname.slice(1) || '/'}`
}

export function claimsOf(spec: AmqpSpec): Claim[] {
  const { name, arguments: text } = queueOf(spec)
  // Whoever reads a stream gets all of it.
  if (name === '' || queueArguments(text)['x-queue-type'] === 'stream') return []
  const broker = brokerOf(spec)
  const remedy = 'give each entry a queue of its own'
  return [{ at: broker, name, what: `the queue ${name} at ${broker}`, remedy }]
}
