/** A record as upstream's payload, member by member. */
import type { KafkaRecord } from '../../clients/kafka-fetch.ts'
import { sortedMap } from '../../core/json.ts'
import { goTime } from '../shared/go-time.ts'
import { bodyOf, payloadOf } from '../shared/json-body.ts'
import type { KafkaSpec } from './spec.ts'

/** @throws EVENT_INVALID when `jsonBody` is set and the value is not JSON */
export function payload(
  { timestamp, key, value, headers }: KafkaRecord,
  partition: number,
  { topic, jsonBody, metadata }: Pick<KafkaSpec, 'topic' | 'jsonBody' | 'metadata'>,
): string {
  return payloadOf(
    {
      topic,
      key: textOf(key),
      partition,
      body: value === null ? null : bodyOf(value, jsonBody),
      timestamp: goTime(Math.floor(timestamp / 1000), (timestamp % 1000) * 1_000_000),
      headers: sortedMap(Object.fromEntries(headers.map(([name, content]) => [textOf(name), textOf(content)]))),
    },
    metadata,
  )
}

const textOf = (bytes: Uint8Array | null): string =>
  bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
