/**
 * `config`: YAML over the settings of sarama, the Go client of Argo Events (https://pkg.go.dev/github.com/IBM/sarama#Config), whose names may
 * be in any case. Those that have an equal here are used; of the others it is said why they are not.
 */
import { parse } from 'yaml'
import { parseDurationMs } from '../../core/duration.ts'
import { fail, messageOf } from '../../core/errors.ts'
import type { Finding } from '../../source.ts'

export interface KafkaSettings {
  clientId: string
  connectTimeoutMs: number
  requestTimeoutMs: number
  minBytes: number
  maxWaitMs: number
  partitionMaxBytes: number
  readCommitted: boolean
  /** A group without a committed offset begins with the oldest message. */
  oldest: boolean
}

export const REQUEST_TIMEOUT_MS = 10_000
const DEFAULTS: KafkaSettings & { fetchMax: number } = {
  clientId: 'vedette',
  connectTimeoutMs: 5_000,
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  minBytes: 1,
  maxWaitMs: 500,
  partitionMaxBytes: 1 << 20,
  readCommitted: true,
  oldest: false,
  fetchMax: 0,
}
/** Beyond what a broker waits by itself, for its answer. */
const ANSWER_MS = 5_000
const MAX_INT32 = 2 ** 31 - 1

type Read = (value: unknown) => Partial<typeof DEFAULTS>
/** Names in small letters, as viper makes them for Argo Events. Each reads a value, or throws. */
const USED: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['clientid', (value) => ({ clientId: text(value) })],
  ['net.dialtimeout', (value) => ({ connectTimeoutMs: duration(value) })],
  ['net.readtimeout', (value) => ({ requestTimeoutMs: duration(value) })],
  ['consumer.fetch.min', (value) => ({ minBytes: whole(value, 1) })],
  ['consumer.fetch.default', (value) => ({ partitionMaxBytes: whole(value, 1) })],
  ['consumer.fetch.max', (value) => ({ fetchMax: whole(value, 0) })],
  ['consumer.maxwaittime', (value) => ({ maxWaitMs: Math.floor(duration(value, 1)) })],
  ['consumer.isolationlevel', (value) => ({ readCommitted: either(value, ISOLATION) })],
  ['consumer.offsets.initial', (value) => ({ oldest: either(value, INITIAL) })],
])
/** sarama's constants and their names: of the first kind, and of the second. */
const ISOLATION = [
  ['0', 'ReadUncommitted'],
  ['1', 'ReadCommitted'],
] as const
const INITIAL = [
  ['-1', 'OffsetNewest'],
  ['-2', 'OffsetOldest'],
] as const

/** Why settings have no meaning here: by the beginning of their names, the first that fits. */
const UNUSED: [name: string, why: string][] = [
  ['producer.', 'nothing is produced'],
  ['admin.', 'nothing is administered'],
  ['consumer.group.', 'nobody is a member of the group, so there is nothing to rebalance'],
  ['consumer.offsets.', 'offsets are committed once a second'],
  ['consumer.', 'messages are read and published in another way'],
  ['metadata.', 'partitions and their leaders are looked up once a second'],
  ['net.', 'connections are made in another way'],
  ['rackid', 'messages are read from the leader of their partition'],
  ['version', 'client and broker agree on it by themselves'],
  ['apiversionsrequest', 'client and broker agree on versions by themselves'],
  ['channelbuffersize', 'messages are read and published in another way'],
  ['metricregistry', 'metrics have their own place'],
]

/** @throws SPEC_INVALID for what {@link configFindings} says is fatal */
export function settingsOf(config: string): KafkaSettings {
  const { fetchMax, ...settings } = { ...DEFAULTS }
  let most = fetchMax
  for (const [name, value] of leaves(config)) {
    const { fetchMax: given, ...read } = USED.get(name.toLowerCase())?.(value) ?? {}
    Object.assign(settings, read)
    most = given ?? most
  }
  const { maxWaitMs, requestTimeoutMs, partitionMaxBytes } = settings
  return {
    ...settings,
    requestTimeoutMs: Math.max(requestTimeoutMs, maxWaitMs + ANSWER_MS),
    partitionMaxBytes: most === 0 ? partitionMaxBytes : Math.min(partitionMaxBytes, most),
  }
}

/** What Argo Events finds when it connects, and what is not used. */
export function configFindings(config: string, given: { tls: boolean; login: boolean }): Finding[] {
  const wrong = (message: string, remedy: string): Finding[] => [
    { severity: 'warning', path: ['config'], message, remedy, fatal: true },
  ]
  let all: [string, unknown][]
  try {
    all = leaves(config)
  } catch (error) {
    return wrong(messageOf(error), "write YAML over sarama's settings, such as consumer: { fetch: { min: 1 } }")
  }
  return all.flatMap(([name, value]) => {
    const small = name.toLowerCase()
    if (!given.tls && small === 'net.tls.enable' && value === true)
      return wrong(`${name} is not read from config`, 'write tls: { enabled: true }')
    if (!given.login && small === 'net.sasl.enable' && value === true)
      return wrong(`${name} is not read from config`, 'write sasl, with Secrets for the user and the password')
    const read = USED.get(small)
    if (read === undefined) {
      const [, why] = UNUSED.find(([start]) => small.startsWith(start)) ?? []
      const message = why === undefined ? `${name} is no setting that is known` : `${name} is not used: ${why}`
      return [{ severity: 'advice', path: ['config'], message, remedy: 'leave it out' }]
    }
    try {
      read(value)
      return []
    } catch (error) {
      return wrong(
        `failed validating sarama config, ${name}: ${messageOf(error)}`,
        'write another value, or leave it out',
      )
    }
  })
}

/** The settings with their whole names, `Consumer.Fetch.Min`. @throws SPEC_INVALID when it is no YAML, or no map */
function leaves(config: string): [name: string, value: unknown][] {
  let tree: unknown
  try {
    tree = parse(config)
  } catch (error) {
    throw fail('SPEC_INVALID', `config is no YAML: ${messageOf(error).split('\n', 1)[0]}`, {}, { cause: error })
  }
  if (tree === null) return []
  if (typeof tree !== 'object' || Array.isArray(tree)) throw fail('SPEC_INVALID', 'config is no map of settings')
  const below = (node: object, path: string): [string, unknown][] =>
    Object.entries(node).flatMap(([key, value]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? below(value, `${path}${key}.`)
        : [[`${path}${key}`, value]],
    )
  return below(tree, '')
}

const invalid = (value: unknown, wanted: string) => fail('SPEC_INVALID', `${JSON.stringify(value)} is not ${wanted}`)

function text(value: unknown): string {
  if (typeof value !== 'string' || !/^[A-Za-z0-9._-]+$/.test(value))
    throw invalid(value, 'a text of letters, digits, ".", "_" and "-"')
  return value
}

function whole(value: unknown, least: number): number {
  const number = Number(value)
  if (value === null || value === '' || !Number.isInteger(number) || number < least || number > MAX_INT32)
    throw invalid(value, `a whole number from ${least} to ${MAX_INT32}`)
  return number
}

/** Milliseconds of a Go duration, or of nanoseconds. */
function duration(value: unknown, leastMs = 1e-6): number {
  const ms = typeof value === 'number' ? value / 1e6 : typeof value === 'string' ? parseDurationMs(value) : Number.NaN
  if (!(ms >= leastMs)) throw invalid(value, `a duration such as 500ms, of at least ${leastMs === 1 ? '1ms' : '1ns'}`)
  return Math.min(ms, MAX_INT32)
}

/** False for one of the first names, true for one of the second. */
function either(value: unknown, [first, second]: typeof ISOLATION | typeof INITIAL): boolean {
  const is = (name: string) => name.toLowerCase() === String(value).toLowerCase()
  if (second.some(is)) return true
  if (first.some(is)) return false
  throw invalid(value, `one of ${[...first, ...second].join(', ')}`)
}
