/**
 * A fresh store from what is sound in a damaged one. First the newest snapshot that can be walked; then, where it has holes, what lies in
 * pages to which no path leads any more. Written in batches, each on disk before the next: a disk of few syncs and a store of any size do.
 */
import { sourceKey } from '../bus.ts'
import { buffered } from './buffered.ts'
import { createConsistency } from './consistency.ts'
import { recordOf, TABLE_NAMES, type TableName } from './encoding.ts'
import { encodeKey } from './keys.ts'
import type { Environment } from './lmdb.ts'
import { type Mark, SEQ_GAP } from './mark.ts'
import { isFlagged, LEAF, numberOf, type Pages, staleMeta, transactionOf } from './pages.ts'
import { type Scavenged, scavenge } from './scavenge.ts'
import { type Found, isWhole, type Snapshot, type Survey, snapshotsOf, survey } from './survey.ts'
import {
  type EntryRecord,
  entryKey,
  type LogRecord,
  type MetaKey,
  type StoredValue,
  type Table,
  type Tables,
  weightOf,
} from './tables.ts'
import { createPageSet } from './walk.ts'

export interface Rebuilt {
  /** Events in the new store. */
  records: number
  /** Events that the damaged one had and the new one has not; null when nothing says how many it had. */
  lost: number | null
  /** Other tables of which values are missing, and how many; null: nobody knows. */
  others: { table: TableName; lost: number | null }[]
}

/** Told where it is, how many events are saved, and of how many (0: unknown). */
export type Tell = (at: string, records: number, of: number) => void

const BATCH_BYTES = 8 << 20
const BATCH_VALUES = 20_000
/** Their bytes are kept until then. */
const MENDED_AT_ONCE = 64
/** Values or pages between two signs of life. */
const TELL_EVERY = 4096
/** What a value costs beside its bytes. */
const VALUE_BYTES = 64
const META_KEYS: readonly string[] = [
  'format',
  'since',
  'incarnation',
  'generation',
  'seq',
  'revision',
  'entries',
] satisfies MetaKey[]
/** Tables whose values cannot be had again from the events. */
const OTHERS: readonly TableName[] = ['positions', 'snapshots', 'kv']

/** @param mark what is known of the store beside its file */
export function rebuild(pages: Pages, target: Environment, mark: Mark | null, tell: Tell): Rebuilt {
  const writer = createWriter(target, tell)
  const base = chooseBase(pages, () => tell('tables', 0, 0))
  const complete = base?.isNewest === true && base.isSound
  const known = base?.survey ?? { used: createPageSet(0), leaves: createPageSet(0) }
  const wanted = createWanted(base)
  const gather = (isMine: (table: TableName) => boolean) => {
    writer.at('pages')
    for (const found of scavenge(pages, known, writer.alive))
      if (isMine(found.table) && wanted(found)) writer.add(found)
  }
  writer.expect(base?.logged ?? 0)
  // events last: what they need of the other tables (their entry's number) is there then
  if (!complete) gather((table) => table !== 'log')
  if (base !== null) survey(pages, base.survey.snapshot, writer.add, writer.at)
  if (!complete) gather((table) => table === 'log')
  return writer.finish(complete, mark, base)
}

interface Base {
  survey: Survey
  /** Nothing is missing, and the tables agree. */
  isSound: boolean
  /** No later transaction was committed, as far as one can know. */
  isNewest: boolean
  /** The last transaction that was certainly committed; null when nothing says. */
  committed: number | null
  /** The newest event of its own. */
  lastSeq: number
  /** How many events the newest snapshot says that it has; null when it does not. */
  logged: number | null
}

/** The newest snapshot that is sound; else, of those, the one with the most tables. */
function chooseBase(pages: Pages, tell: () => void): Base | null {
  const sound = snapshotsOf(pages)
  const isCertain = sound.length === pages.metas.length && staleMeta(pages.metas) === null
  const committed = isCertain ? (sound[0]?.transaction ?? 0) : null
  const candidates = [...sound, ...(committed === null ? rootsIn(pages, tell) : [])]
  candidates.sort((a, b) => b.transaction - a.transaction)
  const newest = candidates[0]?.transaction
  // one beginning is unknown, and nothing is newer than the other: perhaps the unknown one was
  const isTold = committed !== null || newest !== sound[0]?.transaction
  let logged: number | null = null
  let best: Omit<Base, 'logged'> | null = null
  for (const snapshot of candidates) {
    const consistency = createConsistency()
    let [seen, lastSeq] = [0, 0]
    const found = survey(pages, snapshot, (value) => {
      consistency.note(value)
      if (value.table === 'log') lastSeq = value.key as number
      if (seen++ % TELL_EVERY === 0) tell()
    })
    const isNewest = snapshot.transaction === newest
    if (isNewest && isTold) logged ??= found.counts.get('log') ?? null
    const isSound = isWhole(found) && consistency.problems().length === 0
    if (best === null || isSound || found.counts.size > best.survey.counts.size)
      best = { survey: found, isSound, isNewest, committed, lastSeq }
    if (isSound) break
  }
  return best === null ? null : { ...best, logged }
}

/** Pages that are the root of a main tree: for when the first two pages do not say which is. The newest few. */
function rootsIn(pages: Pages, tell: () => void): Snapshot[] {
  const roots: Snapshot[] = []
  for (let number = 2; number < pages.count; number++) {
    if (number % TELL_EVERY === 2) tell()
    const page = pages.read(number)
    if (page === null || numberOf(page) !== number || !isFlagged(page, LEAF)) continue
    const lower = page.readUInt16LE(20)
    if (lower !== 2 * TABLE_NAMES.length || !page.includes('entries\0')) continue
    const main = { depth: 1, branches: 0, leaves: 1, overflows: 0, entries: TABLE_NAMES.length, root: number }
    roots.push({ transaction: transactionOf(page), lastPage: pages.count - 1, main, free: null })
  }
  return roots.sort((a, b) => b.transaction - a.transaction).slice(0, 4)
}

/** Whether a value that no path leads to is wanted: it fills a hole, or is newer than what can be walked. */
function createWanted(base: Base | null): (found: Scavenged) => boolean {
  const walked = base?.survey.snapshot.transaction ?? 0
  const latest = base?.committed ?? Number.POSITIVE_INFINITY
  const tornOf = new Map<number, TableName>()
  for (const [table, holes] of base?.survey.holes ?? [])
    for (const { page } of holes) if (page !== null) tornOf.set(page, table)
  return ({ table, key, transaction, headless, page }) => {
    if (table === 'ids') return false
    // only events may come from where nothing says what it is; other values where a path says that they were there
    if (headless && table !== 'log' && tornOf.get(page) !== table) return false
    if (transaction > latest) return false
    if (transaction > walked) {
      // perhaps never committed: an event that is there twice is told by its id, a position without its event is a loss
      return base?.committed !== null || table === 'log' || table === 'terms' || table === 'meta'
    }
    // of unknown age, and behind all that can be walked: of a later transaction, where there was or may have been one
    if (base !== null && table === 'log' && walked !== base.committed && (key as number) > base.lastSeq) return true
    const holes = base === null ? undefined : base.survey.holes.get(table)
    if (base === null || holes === undefined) return base === null
    if (table !== 'log') return true
    const bytes = encodeKey(key)
    return holes.some(
      ({ from, to }) => (from === null || from.compare(bytes) <= 0) && (to === null || to.compare(bytes) > 0),
    )
  }
}

function createWriter(target: Environment, tell: Tell) {
  const { tables: to, flush } = buffered(target.tables)
  /** Of the small tables: the transaction whose value is there. */
  const newest = new Map<string, number>()
  const kept = new Map<TableName, number>()
  let batch: Found[] = []
  let [bytes, at, expected, messages, weight, revision] = [0, 'meta', 0, 0, 0, 0]
  const say = () => tell(at, messages, expected)

  function commit() {
    if (batch.length === 0) return
    const work = batch
    ;[batch, bytes] = [[], 0]
    target.transaction(() => {
      for (const found of work) put(found)
      flush()
    })
    say()
  }

  function put(found: Found) {
    const { table, key, value, transaction } = found
    if (table === 'log') return keep(key as number, value)
    if (table === 'ids') return putId(key as string, value as number)
    const name = `${table} ${key}`
    const before = newest.get(name)
    if (before !== undefined && before >= transaction) return
    newest.set(name, transaction)
    if (before === undefined) kept.set(table, (kept.get(table) ?? 0) + 1)
    if (table === 'leases' || table === 'kv') revision = Math.max(revision, (value as StoredValue).revision)
    if (table !== 'meta') (to[table] as Table<unknown>).put(key as string, value)
    else if (META_KEYS.includes(key as string)) {
      to.meta.put(key as MetaKey, Math.max(Number(value), to.meta.get(key as MetaKey)))
    }
  }

  function putId(key: string, timeMs: number) {
    to.ids.put(key, timeMs)
    // its number may stand for an entry that is lost, and must not stand for another
    const number = Number.parseInt(key, 10)
    if (number > to.meta.get('entries')) to.meta.put('entries', number)
  }

  /** Stores one record, and mends from it what the small tables may have lost: the entry, its id, the source's term. */
  function keep(seq: number, fields: unknown) {
    if (to.log.get(seq) !== undefined) return
    const record = recordOf(fields, seq)
    to.log.put(seq, record)
    messages++
    weight += weightOf(record)
    const source = { namespace: record.namespace, name: record.eventSource }
    const key = entryKey(source, record.entry)
    const entry = to.entries.get(key) ?? newEntry(to)
    if (seq > entry.lastSeq) {
      to.entries.put(key, { ...entry, published: entry.published + 1, lastMs: record.timeMs, lastSeq: seq })
    }
    const id = `${entry.number}:${record.id}`
    if (to.ids.get(id) === undefined) to.ids.put(id, record.timeMs)
    const term = to.terms.get(sourceKey(source))
    if (record.term !== undefined && record.term > (term?.term ?? 0)) {
      to.terms.put(sourceKey(source), { term: record.term, holder: '', nonce: '', incarnation: 0 })
    }
    if (seq > to.meta.get('seq')) to.meta.put('seq', seq)
  }

  return {
    add(found: Found) {
      batch.push(found)
      bytes += found.size + VALUE_BYTES
      if (bytes >= BATCH_BYTES || batch.length >= BATCH_VALUES) commit()
    },
    at(place: string) {
      commit()
      at = place
      say()
    },
    expect(records: number) {
      expected = records
    },
    /** What is looked through may be long before something is found. */
    alive(page: number) {
      if (page % TELL_EVERY === 0) say()
    },
    finish(complete: boolean, mark: Mark | null, base: Base | null): Rebuilt {
      commit()
      target.transaction(() => {
        settleCounts(to, { messages, weight, revision, complete, mark })
        flush()
      })
      if (complete) return { records: messages, lost: 0, others: [] }
      at = 'chains'
      mendChains(target, say)
      const others = OTHERS.flatMap((table) => {
        if (base?.survey.holes.has(table) === false) return []
        const count = base?.survey.counts.get(table)
        const lost = count === undefined ? null : Math.max(0, count - (kept.get(table) ?? 0))
        return lost === 0 ? [] : [{ table, lost }]
      })
      const logged = base?.logged ?? null
      return { records: messages, lost: logged === null ? null : Math.max(0, logged - messages), others }
    },
  }
}

/** Each event tells of the one before it of its entry, and the entry of the last: over those that are lost the way goes on. */
function mendChains(target: Environment, say: () => void): void {
  const { log, entries } = target.tables
  const last = new Map<string, number>()
  let broken: [number, LogRecord][] = []
  const mend = () => {
    const work = broken
    broken = []
    target.transaction(() => {
      for (const [seq, record] of work) log.put(seq, record)
    })
  }
  let seen = 0
  for (const [seq, record] of log.range(0)) {
    const key = entryKey({ namespace: record.namespace, name: record.eventSource }, record.entry)
    const previous = last.get(key)
    if (previous !== undefined && record.previous !== previous) broken.push([seq, { ...record, previous }])
    if (broken.length >= MENDED_AT_ONCE) mend()
    last.set(key, seq)
    if (seen++ % TELL_EVERY === 0) say()
  }
  mend()
  target.transaction(() => {
    for (const [key, lastSeq] of last) {
      const entry = entries.get(key)
      if (entry !== undefined && entry.lastSeq !== lastSeq) entries.put(key, { ...entry, lastSeq })
    }
  })
}

function newEntry(to: Tables): EntryRecord {
  const number = to.meta.get('entries') + 1
  to.meta.put('entries', number)
  return { number, published: 0, lastMs: 0, lastSeq: 0 }
}

/** No number is given twice: not of events, revisions or incarnations, nor one that stands for an entry. */
function settleCounts(
  to: Tables,
  {
    messages,
    weight,
    revision,
    complete,
    mark,
  }: { messages: number; weight: number; revision: number; complete: boolean; mark: Mark | null },
): void {
  const { meta } = to
  meta.put('messages', messages)
  meta.put('bytes', weight)
  for (const [, { number }] of to.entries.scan()) if (number > meta.get('entries')) meta.put('entries', number)
  let incarnation = Math.max(meta.get('incarnation'), mark?.incarnation ?? 0)
  for (const [, lease] of to.leases.scan()) incarnation = Math.max(incarnation, lease.incarnation)
  for (const [, term] of to.terms.scan()) incarnation = Math.max(incarnation, term.incarnation)
  meta.put('incarnation', incarnation)
  const gap = complete ? 0 : SEQ_GAP
  meta.put('seq', Math.max(meta.get('seq'), mark?.seq ?? 0) + gap)
  meta.put('revision', Math.max(meta.get('revision'), revision) + gap)
}

/** How much is lost, in words. */
export function lossText({ records, lost, others }: Rebuilt): string {
  const events =
    lost === null
      ? `${records} events saved; how many are lost cannot be told`
      : `${records} events saved, ${lost} lost`
  return [events, ...others.map(({ table, lost }) => `of ${table}, ${lost ?? 'some'} lost`)].join('; ')
}
