/**
 * The process that reads a store that may be damaged, and may be ended by that. Says where it is before each step, so
 * that its parent (check.ts) knows what not to touch again.
 */
import { writeSync } from 'node:fs'
import { messageOf } from '../../core/errors.ts'
import type { ChildLine, ChildOrder } from './check.ts'
import { type Environment, openEnvironment } from './lmdb.ts'
import { entryKey, type LogRecord, sourceKey, type Table, type Tables, weightOf } from './tables.ts'

const MAX_PROBLEMS = 20
const STEP = 128
const SMALL_TABLES = ['terms', 'positions', 'entries', 'leases', 'snapshots', 'kv', 'ids'] as const
/** Between the last sequence number found and the next given, when the store no longer knows what it gave. */
const SEQ_GAP = 1_000_000

const order = JSON.parse(process.argv[2] ?? '') as ChildOrder
const found = { format: 0, records: 0, lost: 0, problems: [] as string[] }

const say = (line: ChildLine) => writeSync(1, `${JSON.stringify(line)}\n`)
const at = (place: string, seq = 0) => say({ at: place, seq, records: found.records, lost: found.lost })

function problem(text: string) {
  if (found.problems.length >= MAX_PROBLEMS) return
  found.problems.push(text)
  if (order.mode === 'salvage') say({ problem: text })
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

/** Calls `visit` for each pair that can be read, as `scan` gives them; ends at what it cannot pass. */
function visitTable<V>(name: string, table: Table<V>, visit: (pairs: [string, V][]) => void) {
  at(name)
  for (let after: string | undefined; ; ) {
    const pairs = attempt(() => [...table.scan(after, STEP)])
    if (pairs === undefined) return
    visit(pairs)
    if (pairs.length < STEP) return
    after = pairs.at(-1)?.[0]
  }
}

/** Calls `visit` for each record that can be read, jumping over what cannot, in growing steps, up to `lastSeq`. */
function visitLog(log: Tables['log'], from: number, lastSeq: number, visit: (records: [number, LogRecord][]) => void) {
  let [next, stride] = [from, 1]
  for (;;) {
    at('log', next)
    const records: [number, LogRecord][] = []
    const passed = attempt(() => {
      for (const pair of log.range(next)) {
        if (records.length >= STEP) return false
        records.push(pair)
      }
      return true
    })
    visit(records)
    found.records += records.length
    const last = records.at(-1)?.[0]
    if (passed === true) return
    if (passed === false) {
      ;[next, stride] = [(last ?? next) + 1, 1]
      continue
    }
    // Stuck at a damaged record: over it, then further and further while there is no good one.
    stride = last === undefined ? stride * 2 : 1
    found.lost += stride
    next = (last ?? next) + 1 + (last === undefined ? stride - 1 : 1)
    if (next > lastSeq) return
  }
}

function lastSeqOf({ tables }: Environment): number {
  return attempt(() => tables.meta.get('seq')) || SEQ_GAP
}

function scan(source: Environment) {
  found.format = attempt(() => source.tables.meta.get('format')) ?? 0
  for (const name of SMALL_TABLES) visitTable<unknown>(name, source.tables[name] as Table<unknown>, () => {})
  visitLog(source.tables.log, 0, lastSeqOf(source), () => {})
}

function salvage(source: Environment, target: Environment) {
  const skip = new Set(order.skip)
  const to = target.tables
  at('meta')
  if (!skip.has('meta')) {
    for (const key of ['format', 'since', 'incarnation', 'seq', 'revision', 'entries'] as const) {
      const value = attempt(() => source.tables.meta.get(key))
      if (value !== undefined) target.transaction(() => to.meta.put(key, Math.max(value, to.meta.get(key))))
    }
  }
  const knowsSeq = to.meta.get('seq') > 0
  for (const name of SMALL_TABLES) {
    if (skip.has(name)) continue
    visitTable<unknown>(name, source.tables[name] as Table<unknown>, (pairs) =>
      target.transaction(() => {
        for (const [key, value] of pairs) (to[name] as Table<unknown>).put(key, value)
      }),
    )
  }
  visitLog(source.tables.log, order.from ?? 0, lastSeqOf(source), (records) =>
    target.transaction(() => {
      for (const [seq, record] of records) keep(to, seq, record)
    }),
  )
  if (!knowsSeq) target.transaction(() => to.meta.put('seq', to.meta.get('seq') + SEQ_GAP))
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
const source = attempt(() => openEnvironment(order.dir, { readOnly: true, mapBytes: 1 << 30 }))
if (source !== undefined) {
  if (order.mode === 'scan') scan(source)
  else salvage(source, openEnvironment(order.target ?? '', { mapBytes: 1 << 30 }))
}
say({ done: found })
process.exit(0)
