/** The compacted topic beside the events: term records, positions, snapshots and small values, each the last of its key. */

import type { KafkaClient } from '../../clients/kafka.ts'
import type { Clock } from '../../core/clock.ts'
import { sharedRuns } from '../../core/shared.ts'
import { bytesOf, headerOf, headersOf, type Message } from './message.ts'
import { createReader, type Reader, recordsToEnd } from './reader.ts'

export interface Kept {
  value: Buffer
  /** Offset + 1. */
  revision: number
  nonce: string | undefined
}

export interface State {
  readonly topic: string
  /** All that is committed, as of a moment after the call. @param heard told at each answer. @throws BUS_UNAVAILABLE */
  read(heard?: () => void): Promise<ReadonlyMap<string, Kept>>
}

export const stateTopicOf = (topic: string): string => `${topic}-vedette`

/** What the topic is made with: small segments, so that compaction comes to them soon. */
export const STATE_TOPIC_CONFIG = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 << 20),
  'min.cleanable.dirty.ratio': '0.1',
}

const NONCE = 'vedette-nonce'

export function stateMessage(topic: string, key: string, value: Buffer | null, nonce?: string): Message {
  const headers = headersOf(nonce === undefined ? {} : { [NONCE]: nonce })
  return { topic, partition: 0, key: Buffer.from(key), value, headers }
}

/**
 * Keeps what it has read, so that only what is new is read again.
 * @param isOurs whether a value can be read: one that cannot leaves the one before it in its place
 */
export function createState(
  client: KafkaClient,
  topic: string,
  {
    isOurs,
    clock,
    signal,
  }: { isOurs: (key: string, value: Buffer | null, offset: number) => boolean; clock: Clock; signal: AbortSignal },
): State {
  const kept = new Map<string, Kept>()
  const reader: Reader = createReader(client, topic, clock, signal)
  const from = new Map<number, number>()
  const catchUp = async (heard: () => void) => {
    if (from.size === 0) from.set(0, (await reader.offsets('earliest')).get(0) ?? 0)
    for await (const { record } of recordsToEnd(reader, from, heard)) {
      if (record.key === null) continue
      const key = bytesOf(record.key).toString()
      if (!isOurs(key, record.value === null ? null : bytesOf(record.value), record.offset)) continue
      if (record.value === null) kept.delete(key)
      else {
        // A copy: the bytes are a view of the whole answer.
        const value = Buffer.from(record.value)
        kept.set(key, { value, revision: record.offset + 1, nonce: headerOf(record, NONCE) })
      }
    }
    return kept
  }
  return { topic, read: sharedRuns<ReadonlyMap<string, Kept>>(catchUp) }
}
