/** A look at the first pages of the store's file without lmdb, which may crash the process on a file that is not its own. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { readMark } from './mark.ts'
import { openPages, staleMeta } from './pages.ts'

export type Header =
  | { state: 'missing' }
  | { state: 'ok' }
  /** Perhaps damaged: only a careful look (check.ts) can tell. */
  | { state: 'suspicious'; why: string }
  | { state: 'bad'; why: string }
  /** There was a store, and its file is gone or empty. */
  | { state: 'gone'; why: string }

export const DATA_FILE = 'data.mdb'
export const LOCK_FILE = 'lock.mdb'

export function inspectHeader(dir: string): Header {
  const path = join(dir, DATA_FILE)
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? null
  if (size === null || size === 0) {
    const mark = readMark(dir)
    if (mark === null) return { state: 'missing' }
    const how = size === null ? 'is missing' : 'is empty'
    const before = `but a store began here at ${mark.begun}, and had come to event ${mark.seq} by ${mark.written}`
    return { state: 'gone', why: `${DATA_FILE} ${how}, ${before}: put the file back if you have it; else` }
  }
  const pages = openPages(path)
  try {
    const [first, second] = pages.metas
    if (first == null) return { state: 'bad', why: `${DATA_FILE} is not an lmdb file (its first page is garbage)` }
    if (second == null) return { state: 'bad', why: `${DATA_FILE} is not an lmdb file (its second page is garbage)` }
    const stale = staleMeta(pages.metas)
    if (stale !== null) return { state: 'suspicious', why: `${DATA_FILE} is damaged: ${stale}` }
    const newest = second.transaction > first.transaction ? second : first
    const expected = (newest.lastPage + 1) * pages.pageSize
    // Pages given back at the end of a transaction may never have been written, so a short file is not certainly cut.
    if (size < expected) {
      return { state: 'suspicious', why: `${DATA_FILE} has ${size} bytes where up to ${expected} are in use` }
    }
    if (size % pages.pageSize !== 0) {
      return { state: 'suspicious', why: `${DATA_FILE} has ${size} bytes, not a multiple of ${pages.pageSize}` }
    }
    return { state: 'ok' }
  } finally {
    pages.close()
  }
}
