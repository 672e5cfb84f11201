/** A record as upstream's payload, member by member. */
import type { KafkaRecord } from '../../clients/kafka-fetch.ts'
import { sortedMap } from '../../core/json.ts'
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
      timestamp: goTime(timestamp),
      headers: sortedMap(Object.fromEntries(headers.map(([name, content]) => [textOf(name), textOf(content)]))),
    },
    metadata,
  )
}

const textOf = (bytes: Uint8Array | null): string =>
  bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')

/** Go's default text of a time, in UTC, its fraction without trailing zeros. */
function goTime(ms: number): string {
  if (!(ms >= 0 && ms < 253_402_300_800_000)) return '0001-01-01 00:00:00 +0000 UTC'
  const iso = new Date(ms).toISOString()
  const fraction = iso.slice(19, 23).replace(/\.?0+$/, '')
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction} +0000 UTC`
}
