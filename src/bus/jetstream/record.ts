/**
 * The term record: a message on `default.<eventsource>.$term-<namespace>`. Its stream sequence is the fence; its body is the
 * checkpoint. Sensors never see it: they subscribe to entries by name, and no entry's name begins with `$`.
 */
import { z } from 'zod'
import { jsonIn } from '../../core/json-in.ts'
import type { SourceRef } from '../bus.ts'
import { type Parts, parts } from './parts.ts'

/** Where positions lie that are too large for the record; see beside.ts. */
export interface Beside extends Parts {
  slot: string
}

export interface TermRecord {
  term: number
  holder: string
  /** Proves that a record whose ack was lost is one's own. */
  nonce: string
  /** Every entry's position; the events after `since` move it on. */
  positions: Record<string, unknown>
  /** Where they lie instead, when they do not fit; `positions` is empty then. */
  beside?: Beside
  /** Stream sequence; null: the record's own place. A claim writes its record before it has read what came before. */
  since: number | null
}

export function termSubject({ namespace, name }: SourceRef): string {
  return `default.${name}.$term-${namespace}`
}

export function encodeRecord(record: TermRecord): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, ...record }))
}

/** Names of replicas and nonces are shorter; whoever writes longer ones is none of ours. */
const name = z.string().max(1024)
const record = z.object({
  v: z.literal(1),
  term: z.int().nonnegative(),
  holder: name,
  nonce: name,
  positions: z.record(z.string(), z.unknown()),
  beside: z.object({ slot: parts.slot, ...parts.shape }).optional(),
  since: z.int().nonnegative().nullable(),
})

/**
 * Whoever may write to the stream may write here too: what does not fit in any member is no record.
 * @param seq where it lies: nothing counts from behind that
 * @returns null for something that is no record of ours
 */
export function decodeRecord(bytes: Uint8Array, seq = Number.POSITIVE_INFINITY): TermRecord | null {
  const read = record.safeParse(jsonIn(bytes))
  if (!read.success) return null
  const { v: _, beside, ...rest } = read.data
  if (rest.since !== null && rest.since >= seq) return null
  return { ...rest, ...(beside === undefined ? {} : { beside }) }
}

/** Headers of ours beside an event; they never enter the event. */
export const header = {
  id: 'Nats-Msg-Id',
  namespace: 'Vedette-Namespace',
  sourceId: 'Vedette-Source-Id',
  term: 'Vedette-Term',
  position: 'Vedette-Position',
  expectedSeq: 'Nats-Expected-Last-Subject-Sequence',
  expectedSubject: 'Nats-Expected-Last-Subject-Sequence-Subject',
  batchId: 'Nats-Batch-Id',
  batchSequence: 'Nats-Batch-Sequence',
  batchCommit: 'Nats-Batch-Commit',
} as const

/** What a header can carry of any text: one line of ASCII. */
export const headerText = (text: string): string => encodeURI(text.toWellFormed())
export function headerValue(text: string): string {
  try {
    return decodeURI(text)
  } catch {
    return text
  }
}
