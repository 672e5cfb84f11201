/**
 * The process that reads a store that may be damaged, and may be ended by that. Says where it is before each step, so
 * that its parent (check.ts) knows what not to touch again.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../core/errors.ts'
import { sourceKey } from '../bus.ts'
import type { ChildLine, ChildOrder } from './check.ts'
import { recordOf } from './encoding.ts'
import { DATA_FILE } from './header.ts'
import { type Environment, openEnvironment } from './lmdb.ts'
import { scavenge } from './scavenge.ts'
import { entryKey, type LogRecord, type Table, type Tables, weightOf } from './tables.ts'

const MAX_PROBLEMS = 20
const STEP = 128
/** Of the log, a step has no more bytes than about this: what is said after each is a sign of life. */
const STEP_BYTES = 8 << 20
const SMALL_TABLES = ['terms', 'positions', 'entries', 'leases', 'snapshots', 'kv', 'ids'] as const
const META_KEYS = ['format', 'since', 'incarnation', 'generation', 'seq', 'revision', 'entries'] as const
/** Between the last sequence number found and the next given, when the store no longer knows what it gave. */
const SEQ_GAP = 1_000_000

const order = JSON.parse(process.argv[2] ?? '') as ChildOrder
const found = { format: 0, records: 0, problems: [] as string[] }

const say = (line: ChildLine) => writeSync(1, `${JSON.stringify(line)}\n`)
const at = (place: string) => say({ at: place, records: found.records })

function problem(text: string) {
  if (found.problems.length < MAX_PROBLEMS) found.problems.push(text)
}

/** The value, or undefined with the problem noted. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    problem(messageOf(error))
    return undefined
  }
}

/** Calls `visit` for the pairs of a table in order; ends at what it cannot pass. @returns whether that was all */
function visitTable(
  { tables, count }: Environment,
  name: (typeof SMALL_TABLES)[number],
  visit: (pairs: [string, unknown][]) => void,
): boolean {
  const table = tables[name] as Table<unknown>
  let seen = 0
  for (let after: string | undefined; ; ) {
    at(name)
    const pairs = attempt(() => [...table.scan(after, STEP)])
    if (pairs === undefined) return false
    visit(pairs)
    seen += pairs.length
    if (pairs.length < STEP) break
    after = pairs.at(-1)?.[0]
  }
  return isAll(name, seen, count(name))
}

/** Over a page that is none lmdb passes in silence, as if it were the end. */
function isAll(name: string, seen: number, counted: number): boolean {
  if (seen >= counted) return true
  problem(`of the ${counted} values in table ${name} only ${seen} can be read`)
  return false
}

/** Calls `visit` for the records in order; over one whose bytes are damaged it steps. @returns whether all were sound */
function visitLog(
  { tables: { log }, count }: Environment,
  lastSeq: number,
  visit: (records: [number, LogRecord][]) => void,
): boolean {
  let sound = true
  let seen = 0
  for (let next = 0; next <= lastSeq; ) {
    at('log')
    const records: [number, LogRecord][] = []
    let bytes = 0
    const passed = attempt(() => {
      for (const pair of log.range(next)) {
        if (records.length >= STEP || bytes >= STEP_BYTES) return false
        records.push(pair)
        bytes += weightOf(pair[1])
      }
      return true
    })
    visit(records)
    found.records += records.length
    seen += records.length
    if (passed === true) break
    if (records.length > 0) next = (records.at(-1) as [number, LogRecord])[0] + 1
    if (passed === undefined) {
      sound = false
      // What neither a damaged record nor its neighbour lets pass is left to the scavenger.
      if (records.length === 0 && ++next > lastSeq) return false
      if (found.problems.length >= MAX_PROBLEMS) return false
    }
  }
  return isAll('log', seen, count('log')) && sound
}

function scan(source: Environment) {
  found.format = attempt(() => source.tables.meta.get('format')) ?? 0
  for (const name of SMALL_TABLES) visitTable(source, name, () => {})
  visitLog(source, attempt(() => source.tables.meta.get('seq')) ?? 0, () => {})
}

/** Everything that lmdb can reach. @returns whether that is all there was */
function salvage(source: Environment, target: Environment): boolean {
  const skip = new Set(order.skip)
  const to = target.tables
  let complete = skip.size === 0
  at('meta')
  if (!skip.has('meta')) {
    for (const key of META_KEYS) {
      const value = attempt(() => source.tables.meta.get(key))
      if (value === undefined) complete = false
      else target.transaction(() => to.meta.put(key, Math.max(value, to.meta.get(key))))
    }
  }
  for (const name of SMALL_TABLES) {
    if (skip.has(name)) continue
    const copied = visitTable(source, name, (pairs) =>
      target.transaction(() => {
        for (const [key, value] of pairs) (to[name] as Table<unknown>).put(key, value)
      }),
    )
    complete &&= copied
  }
  if (skip.has('log')) return false
  const copied = visitLog(source, to.meta.get('seq') || SEQ_GAP, (records) =>
    target.transaction(() => {
      for (const [seq, record] of records) keep(to, seq, record)
    }),
  )
  return complete && copied
}

/** Adds what lies in the file's pages and is not there yet; of several for one key, the newest. */
function addScavenged(target: Environment) {
  at('pages')
  const to = target.tables
  const newest = new Map<string, bigint>()
  for (const { table, key, value, transaction } of scavenge(join(order.dir, DATA_FILE))) {
    if (table === 'ids') continue
    const name = `${table} ${key}`
    const before = newest.get(name)
    const isThere = table === 'meta' ? false : (to[table] as { get(key: unknown): unknown }).get(key) !== undefined
    // Present and not from here: lmdb itself could reach it, and knows better.
    if (before === undefined ? isThere : before >= transaction) continue
    newest.set(name, transaction)
    target.transaction(() => {
      if (table === 'log') attempt(() => keep(to, key as number, recordOf(value, key as number)))
      else if (table !== 'meta') (to[table] as Table<unknown>).put(key as string, value)
      else if ((META_KEYS as readonly unknown[]).includes(key)) {
        const number = key as (typeof META_KEYS)[number]
        to.meta.put(number, Math.max(Number(value), to.meta.get(number)))
      }
    })
  }
  found.records = to.meta.get('messages')
  target.transaction(() => to.meta.put('seq', to.meta.get('seq') + SEQ_GAP))
}

/** Stores one record, and mends from it what the small tables may have lost: the entry, its id, the source's term. */
function keep(to: Tables, seq: number, record: LogRecord) {
  const source = { namespace: record.namespace, name: record.eventSource }
  const key = entryKey(source, record.entry)
  let entry = to.entries.get(key)
  if (entry === undefined) {
    const number = to.meta.get('entries') + 1
    to.meta.put('entries', number)
    entry = { number, published: 0, lastMs: 0, lastSeq: 0 }
  }
  const isNew = to.log.get(seq) === undefined
  to.log.put(seq, record)
  to.entries.put(key, {
    ...entry,
    published: seq > entry.lastSeq ? entry.published + 1 : entry.published,
    lastMs: Math.max(entry.lastMs, record.timeMs),
    lastSeq: Math.max(entry.lastSeq, seq),
  })
  to.ids.put(`${entry.number}:${record.id}`, record.timeMs)
  const term = to.terms.get(sourceKey(source))
  if (record.term !== undefined && record.term > (term?.term ?? 0)) {
    to.terms.put(sourceKey(source), { term: record.term, holder: '', nonce: '', incarnation: 0 })
  }
  to.meta.put('seq', Math.max(to.meta.get('seq'), seq))
  if (!isNew) return
  to.meta.put('messages', to.meta.get('messages') + 1)
  to.meta.put('bytes', to.meta.get('bytes') + weightOf(record))
}

at('open')
const target = order.target === undefined ? null : openEnvironment(order.target, { mapBytes: 1 << 30 })
const usable = order.skip?.includes('open') !== true
const source = usable ? attempt(() => openEnvironment(order.dir, { readOnly: true, mapBytes: 1 << 30 })) : undefined
if (target === null) {
  if (source !== undefined) scan(source)
} else if (source === undefined || !salvage(source, target)) addScavenged(target)
say({ done: found })
process.exit(0)
