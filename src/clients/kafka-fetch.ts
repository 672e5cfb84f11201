/** Fetches records of partitions from the broker that leads them: https://kafka.apache.org/protocol#The_Messages_Fetch. */
import type { Connection, fetchV17, RecordsBatch } from '@platformatic/kafka'
import { fail } from '../core/errors.ts'
import type { KafkaClient, KafkaTopic } from './kafka.ts'

type FetchResponse = ReturnType<typeof fetchV17.parseResponse>
type FetchResponsePartition = FetchResponse['responses'][number]['partitions'][number]

export interface KafkaRecord {
  offset: number
  /** Milliseconds since the epoch: when it was made, or appended, as the topic says; -1: unknown. */
  timestamp: number
  key: Uint8Array | null
  /** `null`: a tombstone. */
  value: Uint8Array | null
  headers: [Uint8Array | null, Uint8Array | null][]
}

export interface Fetched {
  partition: number
  /** In order. Without control records and, when reading committed, without what was aborted. */
  records: KafkaRecord[]
  /** Where the next fetch begins. */
  next: number
  /** The broker's error code, 0: none (https://kafka.apache.org/protocol#protocol_error_codes). */
  error: number
}

export interface FetchLimits {
  /** The broker answers when it has so many bytes, or after `maxWaitMs`. */
  minBytes: number
  maxWaitMs: number
  /** Of all partitions together; a batch that is larger comes alone. */
  maxBytes: number
  partitionMaxBytes: number
  readCommitted: boolean
  /** What is there is read to its end: not behind those who wait for more. */
  toTheEnd?: boolean
}

export const OFFSET_OUT_OF_RANGE = 1

/** Attributes of a batch: https://kafka.apache.org/documentation/#recordbatch. */
const LOG_APPEND_TIME = 1 << 3
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
/** A fetch without a session (KIP-227). */
const NO_SESSION = [0, -1] as const

export type Fetch = (node: number, from: ReadonlyMap<number, number>, limits: FetchLimits) => Promise<Fetched[]>

/** @returns a function that fetches from one broker, which must lead the partitions that it is asked for */
export async function fetcher(client: KafkaClient, name: string, topic: KafkaTopic): Promise<Fetch> {
  const kafka = await import('@platformatic/kafka')
  const ours: Record<number, { api: (typeof kafka.fetchV17)['api'] }> = {
    4: kafka.fetchV4,
    5: kafka.fetchV5,
    6: kafka.fetchV6,
    7: kafka.fetchV7,
    8: kafka.fetchV8,
    9: kafka.fetchV9,
    10: kafka.fetchV10,
    11: kafka.fetchV11,
    12: kafka.fetchV12,
    13: kafka.fetchV13,
    14: kafka.fetchV14,
    15: kafka.fetchV15,
    16: kafka.fetchV16,
    17: kafka.fetchV17,
  }
  const offered = (await client.ask((admin) => admin.listApis())).find((api) => api.name === 'Fetch')
  const version = Math.min(17, offered?.maxVersion ?? 0)
  const api = ours[version]?.api
  if (api === undefined) throw fail('ORIGIN_UNAVAILABLE', 'the broker is older than Kafka 0.11')
  // Topics have ids on the wire since version 13 (KIP-516).
  const topicId = version >= 13 ? topic.id : name
  return async (node, from, limits) => {
    const partitions = [...from].map(([partition, offset]) => ({
      partition,
      fetchOffset: BigInt(offset),
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: limits.partitionMaxBytes,
    }))
    const { maxWaitMs, minBytes, maxBytes, readCommitted, toTheEnd = false } = limits
    const isolation = readCommitted ? 1 : 0
    const wanted = [{ topicId, partitions }]
    const question = (connection: Connection) =>
      new Promise<FetchResponse>((resolve, reject) =>
        api(connection, maxWaitMs, minBytes, maxBytes, isolation, ...NO_SESSION, wanted, [], '', (error, answer) => {
          // Some partitions may have failed, the others have their records all the same.
          const whole = answer ?? (error as { response?: FetchResponse } | null)?.response
          if (whole === undefined || whole.errorCode !== 0) reject(error ?? new Error('no answer'))
          else resolve(whole)
        }),
      )
    const response = await client.askNode(node, toTheEnd ? 'reading' : 'waiting', question, { maxWaitMs })
    return response.responses
      .flatMap((one) => one.partitions)
      .filter((one) => from.has(one.partitionIndex))
      .map((one) => readPartition(one, from.get(one.partitionIndex)!, readCommitted))
  }
}

/** @param from records before this offset come along with their batch, and are left out */
export function readPartition(
  { partitionIndex: partition, errorCode: error, records: batches, abortedTransactions }: FetchResponsePartition,
  from: number,
  readCommitted: boolean,
): Fetched {
  const records: KafkaRecord[] = []
  let next = from
  const aborts = readCommitted
    ? [...(abortedTransactions ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
    : []
  /** Producers whose current transaction was aborted, by id. */
  const aborted = new Set<bigint>()
  for (const batch of error === 0 ? (batches ?? []) : []) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    while (aborts.length > 0 && aborts[0]!.firstOffset <= last) aborted.add(aborts.shift()!.producerId)
    if ((batch.attributes & CONTROL) !== 0) {
      if (isAbort(batch)) aborted.delete(batch.producerId)
    } else if ((batch.attributes & TRANSACTIONAL) === 0 || !aborted.has(batch.producerId)) {
      addRecords(batch, from, records)
    }
    next = Math.max(next, Number(last) + 1)
  }
  return { partition, records, next, error }
}

/** The key of a control record is its version and its type, 16 bits each; type 0 is an abort. */
const isAbort = (batch: RecordsBatch): boolean => batch.records[0]?.key?.readInt16BE(2) === 0

function addRecords(batch: RecordsBatch, from: number, into: KafkaRecord[]): void {
  const first = Number(batch.firstOffset)
  const appended = (batch.attributes & LOG_APPEND_TIME) !== 0
  for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
    const offset = first + offsetDelta
    if (offset < from) continue
    const timestamp = Number(appended ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta)
    into.push({ offset, timestamp, key: key ?? null, value: value ?? null, headers })
  }
}
