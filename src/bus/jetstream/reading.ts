/** Reading the log: ordered consumers, which go on by themselves after a break, ended by what the stream's leader says is last. */
import {
  type Consumer,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'
import type { ReadOptions, SourceRef, Stored } from '../bus.ts'
import { othersAtEnd, subjectOf } from '../bus.ts'
import { asStored, type Received } from './message.ts'
import { header } from './record.ts'
import { STREAM, SUBJECTS } from './stream.ts'

export interface Readers {
  js: JetStreamClient
  jsm: JetStreamManager
  clock: Clock
  /** Whether a consumer may filter several subjects (2.10 and newer). */
  manyFilters: boolean
  /** Whether it has consumers as the client library uses them (2.9.4 and newer), and this login may make some. */
  consumers(): boolean
  /** This login may make none. */
  noConsumers(): void
}

interface Range {
  subjects: string[]
  from: number
  /** The last one wanted, which exists; left out: goes on for ever. */
  to?: number
  headersOnly?: boolean
  ahead?: number
  signal?: AbortSignal | undefined
}

/** Messages asked for at a time: what waits in this process is at most this many, fewer where they are large. */
const AHEAD = 256
/** Of the log's average: of many readers each holds so much, for as long as who asked takes nothing. */
const AHEAD_BYTES = 2 << 20
const LEAST_AHEAD = 4
/** Of messages that are asked for by their numbers. */
const AT_ONCE = 64
/** A reader that hears nothing for this long though there is something looks whether it still is. */
const SILENCE_MS = 2_000
const AGAIN_MS = 200
/** A reader without a follower's patience gives up after this long without an event. */
const PATIENCE_MS = 5_000
/** A consumer that the server has lost is noticed after two missed heartbeats, and made again. */
const HEARTBEAT_MS = 1_000
const EXPIRES_MS = 10_000
/** Nobody reads: the server may forget the consumer. */
const FORGET_MS = 30_000

/** Headers of a source's `subjects`, from `from` to `to` (which must exist), in order. @throws BUS_UNAVAILABLE */
export async function* scanHeaders(
  readers: Readers,
  source: SourceRef,
  { subjects, from, to }: { subjects: string[]; from: number; to: number },
): AsyncGenerator<Received> {
  const asked = readers.manyFilters ? subjects : [filterOf(source.name)]
  try {
    for await (const message of consume(readers, { subjects: asked, from, to, headersOnly: true })) {
      if (subjects.includes(message.subject)) yield message
    }
  } catch (error) {
    throw unreadable(error)
  }
}

/** Goes on by itself after a break. @throws BUS_UNAVAILABLE unless it follows, when that lasts for seconds */
export async function* readLog(
  connection: () => Readers,
  { from = 0, namespace, eventSource, entry, follow = false, signal }: ReadOptions,
  clock: Clock,
): AsyncGenerator<Stored> {
  const subject = filterOf(eventSource, entry)
  let next = Math.max(1, Math.ceil(from))
  let heardMs = clock.monotonic()
  while (!signal?.aborted) {
    try {
      const readers = connection()
      const to = follow ? undefined : (await readers.jsm.streams.getMessage(STREAM, { last_by_subj: subject }))?.seq
      if (!follow && (to === undefined || to < next)) return
      const range = {
        subjects: [subject],
        from: next,
        signal,
        ahead: await aheadOf(readers),
        ...(to === undefined ? {} : { to }),
      }
      for await (const message of consume(readers, range)) {
        next = message.seq + 1
        heardMs = clock.monotonic()
        const stored = asStored(message)
        if (stored !== null && matches(stored, { namespace, eventSource, entry })) yield stored
        if (signal?.aborted) return
      }
      if (!follow) return
      if (!readers.consumers()) await clock.sleep(AGAIN_MS, signal).catch(() => {})
    } catch (error) {
      if (signal?.aborted) return
      if (!follow && clock.monotonic() - heardMs > PATIENCE_MS) throw unreadable(error)
      await clock.sleep(AGAIN_MS, signal).catch(() => {})
    }
  }
}

/** How many messages of the usual size may wait here. */
async function aheadOf({ jsm }: Readers): Promise<number> {
  const { bytes, messages } = (await jsm.streams.info(STREAM)).state
  return Math.min(AHEAD, Math.max(LEAST_AHEAD, Math.floor((AHEAD_BYTES * messages) / Math.max(1, bytes))))
}

/** The last `limit` events of an entry, oldest first. @throws BUS_UNAVAILABLE */
export async function readTail(readers: Readers, source: SourceRef, entry: string, limit: number): Promise<Stored[]> {
  const subject = subjectOf(source, entry)
  try {
    const last = await readers.jsm.streams.getMessage(STREAM, { last_by_subj: subject })
    if (last === null || limit <= 0) return []
    const { first_seq: first } = (await readers.jsm.streams.info(STREAM)).state
    // No server reads backwards: windows that grow until enough is found.
    for (let width = Math.max(64, limit); ; width *= 16) {
      const from = Math.max(first, last.seq - width + 1)
      const found: Stored[] = []
      for await (const message of consume(readers, { subjects: [subject], from, to: last.seq })) {
        const stored = asStored(message)
        if (stored === null || !matches(stored, { namespace: source.namespace })) continue
        found.push(stored)
        if (found.length > limit) found.shift()
      }
      if (found.length >= limit || from <= first) return found
    }
  } catch (error) {
    throw unreadable(error)
  }
}

/**
 * What `take` makes of the newest message of a subject that it wants; null: it wants none.
 * @param to where the subject's last message lies
 * @throws BUS_UNAVAILABLE
 */
export async function newestThat<T>(
  readers: Readers,
  subject: string,
  to: number,
  take: (message: Received) => T | null,
): Promise<T | null> {
  try {
    const { first_seq: first } = (await readers.jsm.streams.info(STREAM)).state
    for (let width = 1_024; ; width *= 16) {
      const from = Math.max(first, to - width + 1)
      let newest: T | null = null
      for await (const message of consume(readers, { subjects: [subject], from, to })) newest = take(message) ?? newest
      if (newest !== null || from <= first) return newest
    }
  } catch (error) {
    throw unreadable(error)
  }
}

/** @see Bus.others. @throws BUS_UNAVAILABLE */
export async function readOthers(readers: Readers, source: SourceRef, entry: string, limit: number): Promise<Stored[]> {
  const last = await readers.jsm.streams
    .getMessage(STREAM, { last_by_subj: subjectOf(source, entry) })
    .catch((error: unknown) => {
      throw unreadable(error)
    })
  if (last === null || last.header?.get(header.namespace) === source.namespace) return []
  return othersAtEnd(await readTail(readers, source, entry, limit))
}

/** Who may make no consumer asks for each message: consumers of others could not be kept from somebody who may use his own. */
async function* consume(readers: Readers, range: Range): AsyncGenerator<Received> {
  if (readers.consumers()) {
    const consumer = await consumerOf(readers, range).catch((error: unknown) => {
      if (!/permissions violation/i.test(messageOf(error))) throw error
      readers.noConsumers()
      return null
    })
    if (consumer !== null) return yield* ordered(readers, consumer, range)
  }
  yield* fetched(readers, range)
}

const consumerOf = ({ js }: Readers, { subjects, from, headersOnly = false }: Range): Promise<Consumer> =>
  js.consumers.get(STREAM, {
    filter_subjects: subjects.length === 1 ? subjects[0]! : subjects,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    headers_only: headersOnly,
    inactive_threshold: FORGET_MS,
  })

async function* ordered(
  readers: Readers,
  consumer: Consumer,
  { from, to, ahead = AHEAD, signal }: Range,
): AsyncGenerator<Received> {
  const messages = await consumer.consume({ max_messages: ahead, expires: EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS })
  const stop = () => messages.stop()
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  const done = new AbortController()
  let at = from - 1
  /** What was to be the last one has been dropped by the stream's limits, or the stream is another one. */
  const goneMissing = async () => {
    try {
      const { state } = await readers.jsm.streams.info(STREAM)
      return state.first_seq > to! || state.last_seq < at
    } catch {
      return false
    }
  }
  const watch = async () => {
    do await readers.clock.sleep(SILENCE_MS, done.signal)
    while (!(await goneMissing()))
    stop()
  }
  if (to !== undefined) watch().catch(() => {})
  try {
    for await (const message of messages) {
      at = message.seq
      if (to !== undefined && at > to) return
      yield receivedOf(message)
      if (to !== undefined && at >= to) return
    }
  } finally {
    done.abort()
    signal?.removeEventListener('abort', stop)
    await messages.close().catch(() => {})
    consumer.delete().catch(() => {})
  }
}

/** One message after the other by its number, some at once: what every server has. Ends with what is there now. */
async function* fetched({ jsm }: Readers, { subjects, from, to, signal }: Range): AsyncGenerator<Received> {
  const { state } = await jsm.streams.info(STREAM)
  const last = Math.min(to ?? state.last_seq, state.last_seq)
  for (let first = Math.max(from, state.first_seq); first <= last && !signal?.aborted; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, last - first + 1) }, (_, i) => first + i)
    for (const found of await Promise.all(numbers.map((seq) => jsm.streams.getMessage(STREAM, { seq })))) {
      if (found === null || !subjects.some((subject) => covers(subject, found.subject))) continue
      const { seq, subject, data, header } = found
      yield { seq, subject, data, timeMs: found.time.getTime(), header: (name) => header?.get(name) ?? '' }
    }
  }
}

/** Whether a filter, of which each part may be `*`, takes this subject. */
function covers(filter: string, subject: string): boolean {
  const [wanted, parts] = [filter.split('.'), subject.split('.')]
  return wanted.length === parts.length && wanted.every((part, i) => part === '*' || part === parts[i])
}

function receivedOf(message: JsMsg): Received {
  return {
    seq: message.seq,
    timeMs: Number(message.timestampNanos / 1_000n) / 1_000,
    subject: message.subject,
    data: message.data,
    header: (name) => message.headers?.get(name) ?? '',
  }
}

function filterOf(eventSource?: string, entry?: string): string {
  if (eventSource === undefined && entry === undefined) return SUBJECTS
  return `default.${eventSource ?? '*'}.${entry ?? '*'}`
}

/** Events that others wrote name no namespace: they count for any. */
function matches(
  { subject, namespace: of }: Stored,
  { namespace, eventSource, entry }: Pick<ReadOptions, 'namespace' | 'eventSource' | 'entry'>,
): boolean {
  const [, source, name] = subject.split('.')
  return (
    (namespace === undefined || of === '' || of === namespace) &&
    (eventSource === undefined || source === eventSource) &&
    (entry === undefined || name === entry)
  )
}

const unreadable = (error: unknown) =>
  fail('BUS_UNAVAILABLE', `the stream ${STREAM} cannot be read: ${messageOf(error)}`, {}, { cause: error })
