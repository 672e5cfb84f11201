/**
 * The pages of an lmdb file, read without lmdb: that one trusts what it reads, and a damaged page ends its process by SIGSEGV, SIGBUS or
 * an assertion. Nothing here does.
 *
 * Layout (lmdb as in lmdb-js 3.5, 64 bit, little endian): a page begins with number (8 bytes), transaction (8), padding (2), flags (2),
 * end of the node pointers (2), start of the nodes (2); pointers and node offsets count from byte 24. A node is size (4), flags (2), key
 * size (2), key, data. On a branch page size and flags are the number of the child; on a leaf the data of a big one is number (8),
 * transaction (8) and count (8) of its overflow pages, of which only the first has a header (with the count at byte 20). Pages 0 and 1
 * are the beginnings of the last two transactions: magic, version, address, map size, free-page tree, main tree (48 bytes each: padding
 * or page size (4), flags (2), depth (2), branch pages, leaf pages, overflow pages, entries, root), last page, transaction.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** A tree as its parent describes it. */
export interface Tree {
  depth: number
  branches: number
  leaves: number
  overflows: number
  entries: number
  /** Null: empty. */
  root: number | null
}

/** Where a snapshot begins. */
export interface Meta {
  transaction: number
  lastPage: number
  free: Tree
  main: Tree
}

export interface Node {
  key: Buffer
  /** Of a leaf: the value, or where it lies. */
  data: Buffer
  /** Of a leaf: bytes of the value. */
  size: number
  flags: number
  /** Of a branch: the page below. */
  child: number
}

export interface Pages {
  readonly pageSize: number
  /** Pages in the file; a last one that is cut is filled up with zeros. */
  readonly count: number
  /** The two beginnings, in their places; null where there is none. */
  readonly metas: readonly (Meta | null)[]
  /** The bytes of `pages` pages from `number` on; null when the file has not so many. */
  read(number: number, pages?: number): Buffer | null
  close(): void
}

export const BRANCH = 0x01
export const LEAF = 0x02
export const OVERFLOW = 0x04
const META = 0x08
export const BIG_DATA = 0x01
export const SUB_TREE = 0x02
export const PAGE_HEADER = 24
const NODE_HEADER = 8
export const TREE_BYTES = 48
const MAGIC = 0xbeefc0de
const VERSION = 2
const META_BYTES = 136
const NO_PAGE = 2 ** 64
/** No value is larger than a frame of the wire. */
export const MAX_VALUE = 64 << 20
/** Read at once: pages in the order of their keys mostly lie side by side. */
const CHUNK_BYTES = 128 << 10
const CHUNKS = 32

export function openPages(file: string): Pages {
  const handle = openSync(file, 'r')
  let { size } = fstatSync(handle)
  const readAt = (at: number, length: number): Buffer | null => {
    if (!Number.isSafeInteger(at) || at >= size) return null
    const bytes = Buffer.alloc(length)
    readSync(handle, bytes, 0, length, at)
    return bytes
  }
  const pageSize = pageSizeOf(readAt(0, PAGE_HEADER + META_BYTES)) ?? guessedPageSize(readAt)
  const perChunk = Math.max(1, CHUNK_BYTES / pageSize)
  const chunks = new Map<number, Buffer | null>()
  const chunkOf = (number: number): Buffer | null => {
    const chunk = Math.floor(number / perChunk)
    let bytes = chunks.get(chunk)
    if (bytes === undefined) {
      const at = chunk * perChunk * pageSize
      bytes = readAt(at, perChunk * pageSize)
      const [oldest] = chunks.keys()
      if (chunks.size >= CHUNKS && oldest !== undefined) chunks.delete(oldest)
      chunks.set(chunk, bytes)
    }
    return bytes
  }
  // at once: of a store that is being written they would be of different times else
  const first = readAt(0, 2 * pageSize)
  const metas = [0, 1].map((place) => metaOf(first?.subarray(place * pageSize) ?? null, place, pageSize))
  // Of a store that is written to: the pages that a beginning names are there before it.
  size = fstatSync(handle).size
  const count = Math.ceil(size / pageSize)
  return {
    pageSize,
    count,
    metas,
    read(number, pages = 1) {
      if (!(number >= 0) || number + pages > count) return null
      if (pages > 1) return readAt(number * pageSize, pages * pageSize)
      const at = (number % perChunk) * pageSize
      return chunkOf(number)?.subarray(at, at + pageSize) ?? null
    },
    close: () => closeSync(handle),
  }
}

function pageSizeOf(first: Buffer | null): number | null {
  const said = first?.readUInt32LE(48) ?? 0
  const plausible = said >= 512 && said <= 65_536 && (said & (said - 1)) === 0
  return plausible && first?.readUInt32LE(PAGE_HEADER) === MAGIC ? said : null
}

/** Where the first page is garbage: as the second says, wherever that is; else what most machines have. */
function guessedPageSize(readAt: (at: number, length: number) => Buffer | null): number {
  for (let size = 512; size <= 65_536; size *= 2) {
    if (pageSizeOf(readAt(size, PAGE_HEADER + META_BYTES)) === size) return size
  }
  return 4096
}

function metaOf(bytes: Buffer | null, place: number, pageSize: number): Meta | null {
  if (bytes === null || bytes.readUInt32LE(PAGE_HEADER) !== MAGIC || bytes.readUInt32LE(28) % 65_536 !== VERSION)
    return null
  if (!isFlagged(bytes, META) || bytes.readUInt32LE(48) !== pageSize) return null
  const transaction = uint64(bytes, 152)
  // a transaction writes the beginning that the one before it did not; a new file has two of transaction 0
  if (!Number.isSafeInteger(transaction) || (transaction !== 0 && transaction % 2 !== place)) return null
  return { transaction, lastPage: uint64(bytes, 144), free: treeOf(bytes, 48), main: treeOf(bytes, 96) }
}

/**
 * Whether one of two beginnings is of yesterday (a write that the disk forgot), in words: they are those of the last two transactions, whose
 * numbers follow one another. A file that is new, or a compacted copy, has one of transaction 0. What the lost one said is not known.
 */
export function staleMeta([first, second]: Pages['metas']): string | null {
  if (first == null || second == null) return null
  const [older, newer] = [first.transaction, second.transaction].sort((a, b) => a - b) as [number, number]
  if (older === 0 || newer - older === 1) return null
  return `one of its first two pages is of yesterday (they are of transactions ${older} and ${newer})`
}

export function treeOf(bytes: Buffer, at = 0): Tree {
  const root = uint64(bytes, at + 40)
  return {
    depth: bytes.readUInt16LE(at + 6),
    branches: uint64(bytes, at + 8),
    leaves: uint64(bytes, at + 16),
    overflows: uint64(bytes, at + 24),
    entries: uint64(bytes, at + 32),
    root: root >= NO_PAGE ? null : root,
  }
}

/** Exact up to 2^53; a garbled one is anything beyond. */
export function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}

export const numberOf = (page: Buffer): number => uint64(page, 0)
export const transactionOf = (page: Buffer): number => uint64(page, 8)
export const isFlagged = (page: Buffer, flags: number): boolean => page.readUInt16LE(18) === flags
/** Of the first of some overflow pages: how many they are. */
export const runOf = (page: Buffer): number => page.readUInt32LE(20)
/** How many pages a big value takes. */
export const overflowPages = (size: number, pageSize: number): number =>
  Math.floor((PAGE_HEADER - 1 + size) / pageSize) + 1

/** The bytes of a page between its pointers and its nodes, where nodes of before may lie. */
export const slackOf = (page: Buffer): { from: number; to: number } => ({
  from: PAGE_HEADER + page.readUInt16LE(20),
  to: PAGE_HEADER + page.readUInt16LE(22),
})

/** The nodes of a branch or leaf page in order, or null when they cannot be told apart. */
export function nodesOf(page: Buffer): Node[] | null {
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)]
  const room = page.byteLength - PAGE_HEADER
  if (lower % 2 !== 0 || lower > upper || upper > room) return null
  const isBranch = isFlagged(page, BRANCH)
  const nodes: Node[] = []
  for (let pointer = PAGE_HEADER; pointer < PAGE_HEADER + lower; pointer += 2) {
    const offset = page.readUInt16LE(pointer)
    const node = offset < upper ? null : nodeAt(page, offset + PAGE_HEADER, isBranch)
    if (node === null) return null
    nodes.push(node)
  }
  return nodes
}

/** What begins at a byte of a page, if it can be a node. */
export function nodeAt(page: Buffer, at: number, isBranch = false): Node | null {
  const keyAt = at + NODE_HEADER
  if (at % 2 !== 0 || keyAt > page.byteLength) return null
  const [size, flags, keySize] = [page.readUInt32LE(at), page.readUInt16LE(at + 4), page.readUInt16LE(at + 6)]
  const dataAt = keyAt + keySize
  const end = isBranch ? dataAt : dataAt + (flags === BIG_DATA ? 24 : size)
  if (end > page.byteLength) return null
  const [key, data] = [page.subarray(keyAt, dataAt), page.subarray(dataAt, end)]
  return { key, data, size, flags, child: isBranch ? size + flags * 2 ** 32 : -1 }
}
