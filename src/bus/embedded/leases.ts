/** Leases and small values: records with a revision, changed by compare-and-set. Each function runs inside one transaction. */
import type { Circumstances } from './rules.ts'
import { endedIncarnation } from './rules.ts'
import type { LeaseValue, Tables } from './tables.ts'

/** A lease as it travels. `revision` is opaque to clients. */
export interface WireLease {
  record: LeaseValue
  revision: string
}

/** A lease of an ended incarnation is none. */
export function readLease(tables: Tables, name: string): WireLease | null {
  const lease = tables.leases.get(name)
  if (lease === undefined || lease.incarnation !== tables.meta.get('incarnation')) return null
  return { record: lease.record, revision: String(lease.revision) }
}

/**
 * @param expected the revision it must have; null: there must be none (or one of an ended incarnation)
 * @returns null when it had another, or when the writer's own incarnation has ended
 */
export function writeLease(
  tables: Tables,
  at: Circumstances,
  name: string,
  record: LeaseValue,
  expected: string | null,
): WireLease | null {
  if (endedIncarnation(tables, at) !== null) return null
  if ((readLease(tables, name)?.revision ?? null) !== expected) return null
  const revision = nextRevision(tables)
  tables.leases.put(name, { record, revision, incarnation: at.incarnation })
  return { record, revision: String(revision) }
}

/**
 * The holders of leases that a connection wrote last which is gone: to be suspected.
 * @param writers who wrote each lease last; forgets the one that is gone
 */
export function suspectHoldersOf<Connection>(
  gone: Connection,
  writers: Map<string, Connection>,
  leases: Pick<Tables['leases'], 'get'>,
  incarnation: number,
): string[] {
  const holders: string[] = []
  for (const [name, writer] of writers) {
    if (writer !== gone) continue
    writers.delete(name)
    const lease = leases.get(name)
    if (lease?.incarnation === incarnation && !lease.record.released) holders.push(lease.record.holder)
  }
  return holders
}

/** True when nobody but the one that measures since when it has not changed needs to know. */
export function isRenewal(before: LeaseValue | undefined, after: LeaseValue): boolean {
  return (
    before !== undefined &&
    before.holder === after.holder &&
    before.released === after.released &&
    before.successor === after.successor &&
    before.term === after.term
  )
}

/** @returns the new revision, or null when it had another than `expected` (0: none), or when the writer's incarnation has ended */
export function putValue(
  tables: Tables,
  at: Circumstances,
  key: string,
  value: Uint8Array,
  expected: number | undefined,
): number | null {
  if (endedIncarnation(tables, at) !== null) return null
  if (expected !== undefined && (tables.kv.get(key)?.revision ?? 0) !== expected) return null
  const revision = nextRevision(tables)
  tables.kv.put(key, { value, revision })
  return revision
}

/** One counter for all, so that no revision ever comes twice, even after a delete. */
function nextRevision(tables: Tables): number {
  const revision = tables.meta.get('revision') + 1
  tables.meta.put('revision', revision)
  return revision
}
