/** A record as upstream's payload, member by member. */
import type { KafkaRecord } from '../../clients/kafka-fetch.ts'
import { RawJson, sortedMap } from '../../core/json.ts'
import { goTime } from '../go/time.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import type { AvroDecoder } from './avro.ts'
import type { KafkaSpec } from './spec.ts'

/**
 * @param decoder makes JSON of the value; without it, that is what the value is with `jsonBody`
 * @throws EVENT_INVALID when it cannot, or the value is no JSON
 */
export function payload(
  { timestamp, key, value, headers }: KafkaRecord,
  partition: number,
  { topic, jsonBody, metadata }: Pick<KafkaSpec, 'topic' | 'jsonBody' | 'metadata'>,
  decoder: AvroDecoder | null = null,
): string {
  const body = (bytes: Uint8Array) => (decoder === null ? bodyOf(bytes, jsonBody) : new RawJson(decoder(bytes)))
  return payloadOf(
    {
      topic,
      key: textOf(key),
      partition,
      body: value === null ? null : body(value),
      timestamp: goTime(Math.floor(timestamp / 1000), (timestamp % 1000) * 1_000_000),
      headers: sortedMap(Object.fromEntries(headers.map(([name, content]) => [textOf(name), textOf(content)]))),
    },
    metadata,
  )
}

const textOf = (bytes: Uint8Array | null): string =>
  bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
