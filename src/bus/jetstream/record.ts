/**
 * The term record: a message on `default.<eventsource>.$term-<namespace>`. Its stream sequence is the fence; its body is the
 * checkpoint. Sensors never see it: they subscribe to entries by name, and no entry's name begins with `$`.
 */
import type { SourceRef } from '../bus.ts'
import type { Parts } from './parts.ts'

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

/** @returns null for something that is no record of ours: then there is nothing to build on, and everything is read from the start */
export function decodeRecord(bytes: Uint8Array): TermRecord | null {
  try {
    const { v, term, holder, nonce, positions, beside, since } = JSON.parse(
      Buffer.from(bytes).toString(),
    ) as Partial<TermRecord> & { v?: number }
    if (
      v !== 1 ||
      !Number.isSafeInteger(term) ||
      (since !== null && !Number.isSafeInteger(since)) ||
      typeof positions !== 'object' ||
      positions === null
    )
      return null
    return {
      term: term as number,
      holder: String(holder),
      nonce: String(nonce),
      positions,
      ...(beside === undefined ? {} : { beside }),
      since: since as number | null,
    }
  } catch {
    return null
  }
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
