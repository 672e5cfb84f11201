/** An event as a Kafka record, and back. Sensors look at topic and value, which are upstream's, as is the key `<eventsource>.<entry>`. */
import type { KafkaRecord } from '../../clients/kafka-fetch.ts'
import { fail } from '../../core/errors.ts'
import { isTerm } from '../../core/term.ts'
import { type Append, type Outcome, type SourceRef, type Stored, subjectOf } from '../bus.ts'

export interface Message {
  topic: string
  partition: number
  key: Buffer
  /** `null`: a tombstone. */
  value: Buffer | null
  headers: Map<Buffer, Buffer>
}

/** Upstream's client sends no larger event, bytes. */
export const MAX_EVENT_BYTES = 1_000_000
/** An id or source id longer than this, in bytes, does not travel. */
const LONGEST_HEADER = 1024

const header = {
  id: 'vedette-id',
  namespace: 'vedette-namespace',
  /** The EventSource's name: its and the entry's may hold dots, so the key alone does not tell them apart. */
  eventSource: 'vedette-eventsource',
  sourceId: 'vedette-source-id',
  term: 'vedette-term',
} as const

/** @param term absent for active-active entries */
export function eventMessage(
  source: SourceRef,
  { entry, id, sourceId, event }: Append,
  at: { topic: string; partition: number },
  term?: number,
): Message {
  const headers = headersOf({
    [header.id]: id,
    [header.namespace]: source.namespace,
    [header.eventSource]: source.name,
    ...(sourceId === undefined ? {} : { [header.sourceId]: sourceId.slice(0, LONGEST_HEADER) }),
    ...(term === undefined ? {} : { [header.term]: String(term) }),
  })
  return { ...at, key: Buffer.from(keyOf(source, entry)), value: bytesOf(event), headers }
}

export const keyOf = ({ name }: Pick<SourceRef, 'name'>, entry: string): string => `${name}.${entry}`

export const headersOf = (texts: Record<string, string>): Map<Buffer, Buffer> =>
  new Map(Object.entries(texts).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]))

export const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export function headerOf({ headers }: KafkaRecord, name: string): string | undefined {
  const found = headers.find(([key]) => key !== null && bytesOf(key).toString() === name)?.[1]
  return found == null ? undefined : bytesOf(found).toString()
}

/** Why it can never be stored, or null. */
export function unstorable({ id, event, entry }: Append): Outcome | null {
  if (event.byteLength > MAX_EVENT_BYTES) {
    const message = `the event of ${entry} has ${event.byteLength} bytes, more than the ${MAX_EVENT_BYTES} the bus stores`
    return {
      outcome: 'refused',
      error: fail('EVENT_TOO_LARGE', `${message}; make the payload smaller or filter it`),
    }
  }
  if (id === '' || Buffer.byteLength(id) > LONGEST_HEADER) {
    return {
      outcome: 'refused',
      error: fail('EVENT_INVALID', `the id ${JSON.stringify(id.slice(0, 100))} fits no header`),
    }
  }
  return null
}

/**
 * One number for a place in the log, from 1. It rises along a partition; with one partition, along the whole log.
 * @param partitions of the topic
 */
export const seqOf = (partition: number, offset: number, partitions: number): number =>
  offset * partitions + partition + 1

/** @returns null for a record that is no event */
export function asStored(record: KafkaRecord, partition: number, partitions: number): Stored | null {
  const names = namesOf(record)
  if (names === null || record.value === null) return null
  const sourceId = headerOf(record, header.sourceId)
  const term = Number(headerOf(record, header.term) ?? Number.NaN)
  return {
    seq: seqOf(partition, record.offset, partitions),
    timeMs: record.timestamp,
    subject: subjectOf({ name: names.eventSource }, names.entry),
    namespace: names.namespace,
    id: headerOf(record, header.id) ?? '',
    ...(sourceId === undefined ? {} : { sourceId }),
    ...(isTerm(term) ? { term } : {}),
    event: record.value,
  }
}

/** Whose event a record is; null: nobody's. */
export function namesOf(record: KafkaRecord): { namespace: string; eventSource: string; entry: string } | null {
  if (record.key === null) return null
  const key = bytesOf(record.key).toString()
  // A record of upstream's has no headers.
  const eventSource = headerOf(record, header.eventSource) ?? key.split('.', 1)[0]!
  return { namespace: headerOf(record, header.namespace) ?? '', eventSource, entry: key.slice(eventSource.length + 1) }
}
