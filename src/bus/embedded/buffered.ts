/**
 * Tables that keep what a transaction reads and writes of the small ones (counts, terms, entries, leases, positions) until its end, and
 * across transactions while this process alone writes: an append then costs two puts, not seven.
 */
import type { MetaKey, Table, Tables } from './tables.ts'

export interface Buffered {
  tables: Tables
  /** Writes what has changed through to the tables below. */
  flush(): void
  /** Forgets everything: after a transaction that failed. */
  reset(): void
}

export function buffered(below: Tables): Buffered {
  const meta = new Map<MetaKey, number>()
  const dirty = new Set<MetaKey>()
  const small = {
    terms: bufferedTable(below.terms),
    positions: bufferedTable(below.positions),
    entries: bufferedTable(below.entries),
    leases: bufferedTable(below.leases),
  }
  return {
    tables: {
      ...below,
      ...small,
      meta: {
        get(key) {
          let value = meta.get(key)
          if (value === undefined) {
            value = below.meta.get(key)
            meta.set(key, value)
          }
          return value
        },
        put(key, value) {
          meta.set(key, value)
          dirty.add(key)
        },
      },
    },
    flush() {
      for (const key of dirty) below.meta.put(key, meta.get(key) as number)
      dirty.clear()
      for (const table of Object.values(small)) table.flush()
    },
    reset() {
      meta.clear()
      dirty.clear()
      for (const table of Object.values(small)) table.reset()
    },
  }
}

function bufferedTable<V>(below: Table<V>): Table<V> & Pick<Buffered, 'flush' | 'reset'> {
  const known = new Map<string, V | undefined>()
  const dirty = new Set<string>()
  const flush = () => {
    for (const key of dirty) {
      const value = known.get(key)
      if (value === undefined) below.remove(key)
      else below.put(key, value)
    }
    dirty.clear()
  }
  return {
    get(key) {
      if (!known.has(key)) known.set(key, below.get(key))
      return known.get(key)
    },
    put(key, value) {
      known.set(key, value)
      dirty.add(key)
    },
    remove(key) {
      known.set(key, undefined)
      dirty.add(key)
    },
    *scan(after, limit) {
      flush()
      yield* below.scan(after, limit)
    },
    flush,
    reset() {
      known.clear()
      dirty.clear()
    },
  }
}
