/**
 * How values lie in the store: a checksum, the table, and a msgpack of key and value. Each says by itself what it is, so that a
 * damaged one is noticed and its neighbours can be saved even when the paths to them are gone (scavenge.ts).
 */
import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import { fail } from '../../core/errors.ts'
import type { LogRecord } from './tables.ts'

/** Plain msgpack, no shared structures: each value can be read on its own, by any later version. */
const packr = new Packr({ useRecords: false })

/** The way back from a damaged store, for messages. */
export const REPAIR_HINT = 'stop it and run `vedette doctor --repair`, which saves every readable record'

/** What to say of a store that cannot be worked with. */
export const damagedStore = (dir: string, why: string, details?: Record<string, unknown>, remedy = REPAIR_HINT) =>
  fail('STORE_CORRUPT', `the store in ${dir} is damaged: ${why}; ${remedy}`, details)

/** The way back when there is nothing to read. */
export const GONE_HINT =
  'put the file back if you have it, or run `vedette doctor --repair`, which begins an empty store'

/** The tables in the order of the numbers that stand for them in the file. Only ever appended to. */
export const TABLE_NAMES = ['meta', 'log', 'ids', 'terms', 'positions', 'entries', 'leases', 'snapshots', 'kv'] as const
export type TableName = (typeof TABLE_NAMES)[number]

/** 4 bytes CRC-32 (IEEE, big endian) of what follows; 1 byte table; msgpack of `[key, value]`. */
export function encodeValue(table: TableName, key: string | number, value: unknown): Buffer {
  const body = packr.pack([key, value])
  const bytes = Buffer.allocUnsafe(5 + body.byteLength)
  bytes[4] = TABLE_NAMES.indexOf(table)
  bytes.set(body, 5)
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/** @throws STORE_CORRUPT when it is not the value of that key in that table */
export function decodeValue(table: TableName, key: string | number, bytes: Buffer): unknown {
  const found = identify(bytes)
  if (found?.table !== table || found.key !== key) throw corrupt(table, key)
  return found.value
}

/** How msgpack begins a list of two. */
const PAIR = 0x92

/** Cheaply, whether bytes may begin with a value. */
export const mayBegin = (bytes: Buffer, at = 0): boolean =>
  bytes.byteLength >= at + 7 && bytes[at + 5] === PAIR && bytes[at + 4]! < TABLE_NAMES.length

/** Says of bytes what they are, or null when they are no sound value. */
export function identify(bytes: Buffer): { table: TableName; key: string | number; value: unknown } | null {
  if (!mayBegin(bytes) || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) return null
  const table = TABLE_NAMES[bytes[4]!]
  if (table === undefined) return null
  try {
    const pair = packr.unpack(bytes.subarray(5)) as unknown
    if (!Array.isArray(pair) || pair.length !== 2) return null
    const [key, value] = pair
    const isSound = table === 'log' ? typeof key === 'number' && isRecord(value) : typeof key === 'string'
    return isSound ? { table, key, value } : null
  } catch {
    return null
  }
}

/** The same for bytes that begin with a value and end somewhere behind it. `size`: of the value. */
export function identifyFirst(bytes: Buffer): (ReturnType<typeof identify> & { size: number }) | null {
  if (!mayBegin(bytes)) return null
  let size = 0
  try {
    packr.unpackMultiple(bytes.subarray(5), (_: unknown, __?: number, end?: number) => {
      size = 5 + (end ?? 0)
      return false
    })
  } catch {
    return null
  }
  const found = identify(bytes.subarray(0, size))
  return found === null ? null : { ...found, size }
}

/** A log record as its fields in order: half the size of a map with names. */
export function recordFields(record: LogRecord): unknown[] {
  const { timeMs, namespace, eventSource, entry, id, sourceId, term, previous, event } = record
  return [timeMs, namespace, eventSource, entry, id, sourceId ?? null, term ?? null, previous, event]
}

const isRecord = (fields: unknown): fields is any[] =>
  Array.isArray(fields) && fields.length >= 9 && fields[8] instanceof Uint8Array

/** @throws STORE_CORRUPT */
export function recordOf(fields: unknown, seq: number): LogRecord {
  if (!isRecord(fields)) throw corrupt('log', seq)
  const [timeMs, namespace, eventSource, entry, id, sourceId, term, previous, event] = fields
  return {
    timeMs,
    namespace,
    eventSource,
    entry,
    id,
    sourceId: sourceId ?? undefined,
    term: term ?? undefined,
    previous,
    event,
  }
}

function corrupt(table: TableName, key: string | number) {
  const what = table === 'log' ? `record ${key}` : `${JSON.stringify(key)} in table ${table}`
  return fail('STORE_CORRUPT', `${what} of the store is damaged; ${REPAIR_HINT}`, { table, key })
}
