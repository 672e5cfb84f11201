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

const PAGE_EVENTS = 512
const PAGE_BYTES = 1 << 20
/** A filter that matches little must not hold the bus: it gets short pages instead. */
const PAGE_LOOKED_AT = 4096

export function readPage(tables: Tables, { from, namespace, eventSource, entry }: PageRequest): Page {
  const events: Stored[] = []
  let [bytes, lookedAt, next] = [0, 0, from]
  for (const [seq, record] of tables.log.range(from)) {
    if (events.length >= PAGE_EVENTS || bytes >= PAGE_BYTES || lookedAt >= PAGE_LOOKED_AT) {
      return { events, next, end: false }
    }
    lookedAt++
    next = seq + 1
    if (namespace !== undefined && record.namespace !== namespace) continue
    if (eventSource !== undefined && record.eventSource !== eventSource) continue
    if (entry !== undefined && record.entry !== entry) continue
    events.push(asStored(seq, record))
    bytes += weightOf(record)
  }
  return { events, next, end: true }
}

/** The last `limit` events of an entry, oldest first; at most as many as fit into a page's bytes. */
export function readTail(tables: Tables, source: SourceRef, entry: string, limit: number): Stored[] {
  const found: Stored[] = []
  let bytes = 0
  let seq = tables.entries.get(entryKey(source, entry))?.lastSeq ?? 0
  while (seq > 0 && found.length < limit && bytes < 16 * PAGE_BYTES) {
    const record = tables.log.get(seq)
    if (record === undefined) break
    found.push(asStored(seq, record))
    bytes += weightOf(record)
    seq = record.previous
  }
  return found.reverse()
}

export function readState(tables: Tables): LogState {
  const entries: LogState['entries'] = []
  for (const [key, { published, lastMs }] of tables.entries.scan()) {
    const [namespace = '', eventSource = '', ...entry] = key.split('/')
    entries.push({ namespace, eventSource, entry: entry.join('/'), published, lastMs })
  }
  return {
    firstSeq: tables.log.first(),
    lastSeq: tables.meta.get('seq'),
    messages: tables.meta.get('messages'),
    bytes: tables.meta.get('bytes'),
    entries,
  }
}

/** Lets go of up to `limit` of the oldest records that are too old or too much. @returns how many */
export function retain(
  tables: Tables,
  { nowMs, maxAgeMs, maxBytes, limit }: { nowMs: number; maxAgeMs: number; maxBytes: number; limit: number },
): number {
  let [bytes, messages] = [tables.meta.get('bytes'), tables.meta.get('messages')]
  const gone: number[] = []
  for (const [seq, record] of tables.log.range(0)) {
    if (gone.length >= limit || (bytes <= maxBytes && nowMs - record.timeMs <= maxAgeMs)) break
    gone.push(seq)
    bytes -= weightOf(record)
    messages--
  }
  if (gone.length === 0) return 0
  for (const seq of gone) tables.log.remove(seq)
  tables.meta.put('bytes', bytes)
  tables.meta.put('messages', messages)
  return gone.length
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
