/**
 * What the embedded bus keeps, as tables with synchronous access. The rules (rules.ts, leases.ts, reading.ts) are written
 * once against these shapes and run over lmdb in the bus process (store.ts) and over maps in the memory twin (../memory.ts),
 * so the twin cannot drift from the real thing.
 */

export interface LogRecord {
  timeMs: number
  namespace: string
  eventSource: string
  entry: string
  id: string
  sourceId?: string | undefined
  /** Absent for active-active entries. */
  term?: number | undefined
  /** Sequence number of the entry's event before this one, 0 for its first: a way back for `tail` without an index. */
  previous: number
  event: Uint8Array
}

export interface TermRecord {
  term: number
  holder: string
  nonce: string
  incarnation: number
}

/** Counted per entry, for ever. */
export interface EntryRecord {
  /** A short name for the entry, used in the keys of de-duplication ids. */
  number: number
  published: number
  lastMs: number
  /** Its newest event's sequence number. */
  lastSeq: number
}

/** `LeaseRecord` of ha/lock.ts, which this room may not import. */
export interface LeaseValue {
  holder: string
  durationMs: number
  term: number
  released: boolean
  successor?: string | undefined
}

export interface StoredLease {
  record: LeaseValue
  revision: number
  incarnation: number
}

export interface StoredValue {
  value: Uint8Array
  revision: number
}

export interface Table<V> {
  get(key: string): V | undefined
  put(key: string, value: V): void
  remove(key: string): void
  /** Up to `limit` pairs in key order, after (not at) `after`. */
  scan(after?: string, limit?: number): Iterable<[string, V]>
}

export interface LogTable {
  get(seq: number): LogRecord | undefined
  put(seq: number, record: LogRecord): void
  remove(seq: number): void
  /** The smallest sequence number, 0 when empty. */
  first(): number
  /** Records in order from `from` (or the next that exists). */
  range(from: number): Iterable<[number, LogRecord]>
}

/** Numbers that the bus keeps about itself. */
export type MetaKey =
  | 'format'
  | 'since'
  | 'incarnation'
  | 'generation'
  | 'seq'
  | 'revision'
  | 'messages'
  | 'bytes'
  | 'entries'

export interface Tables {
  meta: { get(key: MetaKey): number; put(key: MetaKey, value: number): void }
  log: LogTable
  /** `<entry number>:<id>` → when stored, milliseconds since the epoch. */
  ids: Table<number>
  /** By source key. */
  terms: Table<TermRecord>
  /** By entry key. */
  positions: Table<unknown>
  entries: Table<EntryRecord>
  leases: Table<StoredLease>
  snapshots: Table<Uint8Array>
  kv: Table<StoredValue>
}

export function entryKey(source: { namespace: string; name: string }, entry: string): string {
  return `${source.namespace}/${source.name}/${entry}`
}

/** What one event counts towards the size limit: its bytes and, roughly, those around it. */
export function weightOf(record: Pick<LogRecord, 'event' | 'id' | 'sourceId'>): number {
  return record.event.byteLength + record.id.length + (record.sourceId?.length ?? 0) + 64
}
