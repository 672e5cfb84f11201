/** The events of the topic, as they are read: only what is committed. */
import type { KafkaClient } from '../../clients/kafka.ts'
import type { KafkaRecord } from '../../clients/kafka-fetch.ts'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { sharedRuns } from '../../core/shared.ts'
import {
  isOfOthers,
  type LogState,
  othersAtEnd,
  type ReadOptions,
  type SourceRef,
  type Stored,
  sourceKey,
  subjectOf,
} from '../bus.ts'
import { asStored, namesOf, seqOf } from './message.ts'
import { createReader, type Reader, readToEnd, recordsToEnd } from './reader.ts'

export interface KafkaLog {
  /** @throws BUS_UNAVAILABLE; SPEC_INVALID for `from` on a topic of several partitions, which has no one order */
  read(options: ReadOptions & { signal: AbortSignal }): AsyncGenerator<Stored>
  /** @throws BUS_UNAVAILABLE */
  tail(source: SourceRef, entry: string, limit: number): Promise<Stored[]>
  /** See {@link Bus.others}: as the last {@link recentIds} knows, among as many records. @throws BUS_UNAVAILABLE */
  others(source: SourceRef, entry: string, limit: number): Promise<Stored[]>
  /** {@link idOf} of the source's events among the last records of each partition. @param heard told at each answer. @throws BUS_UNAVAILABLE */
  recentIds(source: SourceRef, heard?: () => void): Promise<Set<string>>
  /** Counts what it has read so far, and reads on. @throws BUS_UNAVAILABLE */
  state(): Promise<LogState>
}

const FOLLOW_WAIT_MS = 500
/** Of many readers each holds so much, for as long as who asked takes nothing. */
const READ_BYTES = 1 << 20
/** Records that are looked at first for the last events of an entry, in each partition; then twice as many. */
const TAIL_WINDOW = 1_000
/** Records of each partition among which a new leader knows the ids. */
const ID_WINDOW = 5_000

/** Tells an event from the others of its EventSource. */
export const idOf = (subject: string, id: string): string => `${subject}\0${id}`

export function createLog(client: KafkaClient, topic: string, clock: Clock, closing: AbortSignal): KafkaLog {
  const reader = createReader(client, topic, clock, closing)
  const slowly = createReader(client, topic, clock, closing, READ_BYTES)
  /** Subjects whose last event, when ids were last read, was of somebody else. */
  let ofOthers: ReadonlySet<string> = new Set()
  const recent = sharedRuns(async (heard) => {
    const read = await readRecentIds(reader, heard)
    ofOthers = read.ofOthers
    return read.ids
  })
  return {
    read: (options) => readLog(slowly, topic, options),
    tail: (source, entry, limit) => readTail(reader, source, entry, limit),
    others: async (source, entry, limit) =>
      ofOthers.has(subjectOf(source, entry))
        ? othersAtEnd(await recordsOf(reader, source, entry, ID_WINDOW)).slice(-limit)
        : [],
    recentIds: async (source, heard) => new Set((await recent(heard)).get(sourceKey(source))),
    state: logState(reader),
  }
}

/** In the order of the log; of several partitions, by time within what one answer brought. */
const inOrder = (found: Stored[]): Stored[] => found.sort((a, b) => a.timeMs - b.timeMs || a.seq - b.seq)

async function* readLog(
  reader: Reader,
  topic: string,
  { from = 0, namespace, eventSource, entry, follow = false, signal }: ReadOptions & { signal: AbortSignal },
): AsyncGenerator<Stored> {
  const partitions = await reader.partitions()
  const next = await reader.offsets('earliest')
  if (from > 1) {
    if (partitions > 1) {
      throw fail(
        'SPEC_INVALID',
        `topic ${topic} has ${partitions} partitions, so no one order to go on in: read it all`,
      )
    }
    next.set(0, Math.max(next.get(0) ?? 0, from - 1))
  }
  const wanted = (stored: Stored) =>
    countsFor(stored, namespace) &&
    (eventSource === undefined || stored.subject.startsWith(`default.${eventSource}.`)) &&
    (entry === undefined || stored.subject.endsWith(`.${entry}`))
  const storedIn = (fetched: { partition: number; records: KafkaRecord[] }[]) => {
    const found = fetched.flatMap(({ partition, records }) =>
      records.map((record) => asStored(record, partition, partitions)).filter((one) => one !== null && wanted(one)),
    ) as Stored[]
    return partitions === 1 ? found : inOrder(found)
  }
  for await (const fetched of readToEnd(reader, next)) {
    for (const stored of storedIn(fetched)) {
      if (signal.aborted) return
      yield stored
    }
  }
  while (follow && !signal.aborted) {
    for (const stored of storedIn(await reader.next(next, FOLLOW_WAIT_MS))) {
      if (signal.aborted) return
      yield stored
    }
  }
}

async function readTail(reader: Reader, source: SourceRef, entry: string, limit: number): Promise<Stored[]> {
  if (limit <= 0) return []
  const [earliest, end] = [await reader.offsets('earliest'), await reader.offsets('stored')]
  for (let window = TAIL_WINDOW; ; window *= 2) {
    const whole = [...lastOf(window, earliest, end)].every(([one, offset]) => offset === (earliest.get(one) ?? 0))
    const found = await recordsOf(reader, source, entry, window)
    if (found.length >= limit || whole) return found.slice(-limit)
  }
}

/** The entry's events among the last `window` records of each partition, oldest first. */
async function recordsOf(reader: Reader, source: SourceRef, entry: string, window: number): Promise<Stored[]> {
  const partitions = await reader.partitions()
  const from = lastOf(window, await reader.offsets('earliest'), await reader.offsets('stored'))
  const subject = subjectOf(source, entry)
  const found: Stored[] = []
  for await (const { partition, record } of recordsToEnd(reader, from)) {
    const stored = asStored(record, partition, partitions)
    if (stored?.subject === subject && countsFor(stored, source.namespace)) found.push(stored)
  }
  return partitions === 1 ? found : inOrder(found)
}

/** Events that others wrote name no namespace: they count for any, as the topic is one namespace's. */
const countsFor = (stored: Stored, namespace: string | undefined) =>
  namespace === undefined || isOfOthers(stored) || stored.namespace === namespace

/** Where the last `window` offsets of each partition begin. */
const lastOf = (window: number, earliest: ReadonlyMap<number, number>, end: ReadonlyMap<number, number>) =>
  new Map([...end].map(([one, offset]) => [one, Math.max(earliest.get(one) ?? 0, offset - window)]))

/** By {@link sourceKey}. The same records for all, so those who claim together read them once. */
async function readRecentIds(
  reader: Reader,
  heard: () => void,
): Promise<{ ids: Map<string, string[]>; ofOthers: Set<string> }> {
  const partitions = await reader.partitions()
  const from = lastOf(ID_WINDOW, await reader.offsets('earliest'), await reader.offsets('stored'))
  const ids = new Map<string, string[]>()
  const ofOthers = new Set<string>()
  for await (const { partition, record } of recordsToEnd(reader, from, heard)) {
    const [names, stored] = [namesOf(record), asStored(record, partition, partitions)]
    if (names === null || stored === null) continue
    if (isOfOthers(stored)) ofOthers.add(stored.subject)
    else ofOthers.delete(stored.subject)
    const key = sourceKey({ namespace: names.namespace, name: names.eventSource })
    const known = ids.get(key) ?? []
    known.push(idOf(stored.subject, stored.id))
    ids.set(key, known)
  }
  return { ids, ofOthers }
}

/** Kafka counts nothing by key: this reads the topic once, and from then on what is new. */
function logState(reader: Reader): () => Promise<LogState> {
  const entries = new Map<string, LogState['entries'][number]>()
  const next = new Map<number, number>()
  let [messages, bytes, firstSeq, lastSeq] = [0, 0, 0, 0]
  let log: string | undefined
  const count = async (): Promise<LogState> => {
    const identity = await reader.identity()
    const partitions = await reader.partitions()
    const earliest = await reader.offsets('earliest')
    if (identity !== log) {
      log = identity
      next.clear()
      entries.clear()
      ;[messages, bytes, firstSeq, lastSeq] = [0, 0, 0, 0]
    }
    if (next.size === 0) for (const [partition, offset] of earliest) next.set(partition, offset)
    for await (const { partition, record } of recordsToEnd(reader, next)) {
      const names = namesOf(record)
      if (names === null || record.value === null) continue
      const seq = seqOf(partition, record.offset, partitions)
      firstSeq = firstSeq === 0 ? seq : Math.min(firstSeq, seq)
      lastSeq = Math.max(lastSeq, seq)
      messages++
      bytes += record.value.byteLength
      const key = `${names.namespace}/${names.eventSource}/${names.entry}`
      const published = (entries.get(key)?.published ?? 0) + 1
      entries.set(key, { ...names, published, lastMs: record.timestamp })
    }
    // What retention has let go since.
    const oldest = Math.min(...[...earliest].map(([partition, offset]) => seqOf(partition, offset, partitions)))
    if (messages > 0) firstSeq = Math.max(firstSeq, oldest)
    return { log, firstSeq, lastSeq, messages, bytes, entries: [...entries.values()] }
  }
  return sharedRuns(count)
}
