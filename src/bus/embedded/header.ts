/**
 * A look at the first pages of the store's file without lmdb, which may crash the process on a file that is not its own.
 * Layout: lmdb's data.mdb as lmdb-js 3.5 writes it on 64-bit little-endian machines (24 bytes of page header, then
 * magic, version, address, map size, two tables of 48 bytes, last page, transaction).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

export type Header =
  | { state: 'missing' }
  | { state: 'ok' }
  /** Perhaps damaged: only a careful look (check.ts) can tell. */
  | { state: 'suspicious'; why: string }
  | { state: 'bad'; why: string }

export const DATA_FILE = 'data.mdb'
export const LOCK_FILE = 'lock.mdb'

const MAGIC = 0xbeefc0de
const AT = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152 }
const HEADER_BYTES = 160

export function inspectHeader(dir: string): Header {
  let file: number
  try {
    file = openSync(join(dir, DATA_FILE), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: 'missing' }
    throw error
  }
  try {
    const size = fstatSync(file).size
    if (size === 0) return { state: 'missing' }
    const first = metaPage(file, 0)
    if (first === null) return { state: 'bad', why: `${DATA_FILE} is not an lmdb file (its first page is garbage)` }
    const second = metaPage(file, first.pageSize)
    if (second === null) return { state: 'bad', why: `${DATA_FILE} is not an lmdb file (its second page is garbage)` }
    const newest = second.transaction > first.transaction ? second : first
    const expected = (newest.lastPage + 1n) * BigInt(newest.pageSize)
    // Pages given back at the end of a transaction may never have been written, so a short file is not certainly cut.
    if (BigInt(size) < expected) {
      return { state: 'suspicious', why: `${DATA_FILE} has ${size} bytes where up to ${expected} are in use` }
    }
    if (size % newest.pageSize !== 0) {
      return { state: 'suspicious', why: `${DATA_FILE} has ${size} bytes, not a multiple of ${newest.pageSize}` }
    }
    return { state: 'ok' }
  } finally {
    closeSync(file)
  }
}

function metaPage(file: number, offset: number) {
  const bytes = Buffer.alloc(HEADER_BYTES)
  if (readSync(file, bytes, 0, HEADER_BYTES, offset) < HEADER_BYTES) return null
  const pageSize = bytes.readUInt32LE(AT.pageSize)
  const plausible = pageSize >= 512 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0
  const version = bytes.readUInt32LE(AT.version)
  if (bytes.readUInt32LE(AT.magic) !== MAGIC || version < 1 || version > 999 || !plausible) return null
  return { pageSize, lastPage: bytes.readBigUInt64LE(AT.lastPage), transaction: bytes.readBigUInt64LE(AT.transaction) }
}
