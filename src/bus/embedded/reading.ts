/** Reading the log: pages, the tail of an entry, counts; and letting old records go. */
import type { LogState, SourceRef, Stored } from '../bus.ts'
import { subjectOf } from '../bus.ts'
import { entryKey, type LogRecord, type Tables, weightOf } from './tables.ts'

export interface PageRequest {
  from: number
  namespace?: string | undefined
  eventSource?: string | undefined
  entry?: string | undefined
}

export interface Page {
  events: Stored[]
  /** Where the next page begins. */
  next: number
  /** True when the log had nothing more at `next`. */
  end: boolean
}

/** Work that is done a step at a time: others may come between two of them. */
export type Steps<T> = Generator<void, T>

const PAGE_EVENTS = 512
/** What one step looks at, whether it is wanted or not: reading a record costs the same either way, and commits wait for it. */
const STEP_BYTES = 512 << 10
const STEP_RECORDS = 1024
const STEP_ENTRIES = 256
/** Of the answer to `tail`: it is one frame. */
const TAIL_BYTES = 16 << 20

/** One step; what it did not come to is the next page's. */
export function readPage(tables: Tables, { from, namespace, eventSource, entry }: PageRequest): Page {
  const events: Stored[] = []
  let [bytes, lookedAt, next] = [0, 0, from]
  for (const [seq, record] of tables.log.range(from)) {
    bytes += weightOf(record)
    lookedAt++
    next = seq + 1
    const wanted =
      (namespace === undefined || record.namespace === namespace) &&
      (eventSource === undefined || record.eventSource === eventSource) &&
      (entry === undefined || record.entry === entry)
    if (wanted) events.push(asStored(seq, record))
    if (events.length >= PAGE_EVENTS || bytes >= STEP_BYTES || lookedAt >= STEP_RECORDS) {
      return { events, next, end: false }
    }
  }
  return { events, next, end: true }
}

/** The last `limit` events of an entry, oldest first; at most as many as fit into a frame. */
export function* readTail(tables: Tables, source: SourceRef, entry: string, limit: number): Steps<Stored[]> {
  const found: Stored[] = []
  let [bytes, step] = [0, 0]
  let seq = tables.entries.get(entryKey(source, entry))?.lastSeq ?? 0
  while (seq > 0 && found.length < limit && bytes < TAIL_BYTES) {
    const record = tables.log.get(seq)
    if (record === undefined) break
    found.push(asStored(seq, record))
    bytes += weightOf(record)
    seq = record.previous
    if (bytes - step < STEP_BYTES && found.length % STEP_RECORDS !== 0) continue
    step = bytes
    yield
  }
  return found.reverse()
}

export function* readState(tables: Tables): Steps<LogState> {
  const entries: LogState['entries'] = []
  for (let after: string | undefined, more = true; more; ) {
    const some = [...tables.entries.scan(after, STEP_ENTRIES)]
    for (const [key, { published, lastMs }] of some) {
      const [namespace = '', eventSource = '', ...entry] = key.split('/')
      entries.push({ namespace, eventSource, entry: entry.join('/'), published, lastMs })
    }
    after = some.at(-1)?.[0]
    more = some.length === STEP_ENTRIES
    if (more) yield
  }
  return {
    firstSeq: tables.log.first(),
    lastSeq: tables.meta.get('seq'),
    messages: tables.meta.get('messages'),
    bytes: tables.meta.get('bytes'),
    entries,
  }
}

/** Does all steps at once: where nobody waits. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** Looking at what goes costs as much as reading it, and the commits after it wait. */
const RETAIN_BYTES = 4 << 20

/** Lets go of up to `limit` of the oldest records that are too old or too much. @returns whether there may be more of them */
export function retain(
  tables: Tables,
  { nowMs, maxAgeMs, maxBytes, limit }: { nowMs: number; maxAgeMs: number; maxBytes: number; limit: number },
): boolean {
  let [bytes, messages] = [tables.meta.get('bytes'), tables.meta.get('messages')]
  const [gone, least] = [[] as number[], bytes - RETAIN_BYTES]
  let more = false
  for (const [seq, record] of tables.log.range(0)) {
    if (bytes <= maxBytes && nowMs - record.timeMs <= maxAgeMs) break
    more = gone.length >= limit || bytes <= least
    if (more) break
    gone.push(seq)
    bytes -= weightOf(record)
    messages--
  }
  if (gone.length === 0) return false
  for (const seq of gone) tables.log.remove(seq)
  tables.meta.put('bytes', bytes)
  tables.meta.put('messages', messages)
  return more
}

/** Forgets those of `ids` whose window is over; they may have been stored anew since they were looked at. */
export function forgetIds(
  tables: Tables,
  ids: Iterable<[string, number]>,
  { nowMs, dedupMs }: { nowMs: number; dedupMs: number },
): void {
  for (const [key] of ids) {
    const storedMs = tables.ids.get(key)
    if (storedMs !== undefined && nowMs - storedMs >= dedupMs) tables.ids.remove(key)
  }
}

function asStored(seq: number, record: LogRecord): Stored {
  return {
    seq,
    timeMs: record.timeMs,
    subject: subjectOf({ name: record.eventSource }, record.entry),
    namespace: record.namespace,
    id: record.id,
    ...(record.sourceId === undefined ? {} : { sourceId: record.sourceId }),
    ...(record.term === undefined ? {} : { term: record.term }),
    event: record.event,
  }
}
