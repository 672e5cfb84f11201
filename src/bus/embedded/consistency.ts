/**
 * What the tables of a store say of one another. A page that is sound but of yesterday (a write that the disk forgot) shows only here:
 * the counts lag behind the log, and numbers would be given twice.
 */
import { sourceKey } from '../bus.ts'
import { recordOf } from './encoding.ts'
import type { Found } from './survey.ts'
import {
  type EntryRecord,
  entryKey,
  type MetaKey,
  type StoredLease,
  type StoredValue,
  type TermRecord,
  weightOf,
} from './tables.ts'

export interface Consistency {
  note(found: Found): void
  /** In a few words each. Only of use when all tables are whole. */
  problems(): string[]
}

export function createConsistency(): Consistency {
  const meta = new Map<MetaKey, number>()
  const entries = new Map<string, EntryRecord>()
  const terms = new Map<string, number>()
  /** By entry key: the newest record's number. */
  const newest = new Map<string, number>()
  const ruled = new Map<string, number>()
  let [messages, bytes, lastSeq, revision, incarnation] = [0, 0, 0, 0, 0]

  function noteRecord(seq: number, fields: unknown) {
    const record = recordOf(fields, seq)
    const source = { namespace: record.namespace, name: record.eventSource }
    messages++
    bytes += weightOf(record)
    lastSeq = Math.max(lastSeq, seq)
    newest.set(entryKey(source, record.entry), seq)
    const key = sourceKey(source)
    if (record.term !== undefined) ruled.set(key, Math.max(ruled.get(key) ?? 0, record.term))
  }

  return {
    note({ table, key, value }) {
      if (table === 'log') noteRecord(key as number, value)
      else if (table === 'meta') meta.set(key as MetaKey, value as number)
      else if (table === 'entries') entries.set(key as string, value as EntryRecord)
      else if (table === 'terms') {
        terms.set(key as string, (value as TermRecord).term)
        incarnation = Math.max(incarnation, (value as TermRecord).incarnation)
      } else if (table === 'leases') {
        revision = Math.max(revision, (value as StoredLease).revision)
        incarnation = Math.max(incarnation, (value as StoredLease).incarnation)
      } else if (table === 'kv') revision = Math.max(revision, (value as StoredValue).revision)
    },
    problems() {
      const of = (key: MetaKey) => meta.get(key) ?? 0
      const problems: string[] = []
      const least = (key: MetaKey, found: number) => {
        if (of(key) < found) problems.push(`its count "${key}" says ${of(key)} where ${found} is there`)
      }
      const same = (key: MetaKey, found: number) => {
        if (of(key) !== found) problems.push(`its count "${key}" says ${of(key)} where ${found} are there`)
      }
      least('seq', lastSeq)
      least('revision', revision)
      least('incarnation', incarnation)
      least('entries', Math.max(0, ...[...entries.values()].map(({ number }) => number)))
      same('messages', messages)
      same('bytes', bytes)
      for (const [key, seq] of newest) {
        const said = entries.get(key)?.lastSeq
        if (said !== seq) problems.push(`the newest event of ${key} is ${seq}, and its entry says ${said ?? 'nothing'}`)
      }
      for (const [key, term] of ruled) {
        if ((terms.get(key) ?? 0) < term)
          problems.push(`term ${term} of ${key} has written, and ${terms.get(key) ?? 'none'} is told of`)
      }
      return problems
    },
  }
}
