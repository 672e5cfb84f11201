/**
 * Sound values straight from the pages of an lmdb file, whether or not a path leads to them: for a store whose trees are broken. Also
 * finds values that were deleted or overwritten and whose pages were not used again; of several for one key the newest page wins.
 *
 * Layout (lmdb as in lmdb-js 3.5, 64 bit, little endian): a page begins with number (8 bytes), transaction (8), padding (2), flags (2),
 * end of the node pointers (2), start of the nodes (2); pointers and node offsets count from byte 24. A node is size (4), flags (2), key
 * size (2), key, data; the data of a big one is the number of its overflow page, whose bytes follow that page's header.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { identify, type TableName } from './encoding.ts'

export interface Scavenged {
  table: TableName
  key: string | number
  value: unknown
  /** The transaction that wrote its page. */
  transaction: bigint
}

const PAGE_HEADER = 24
const NODE_HEADER = 8
/** In the first page: see header.ts. */
const PAGE_SIZE_AT = 48
const LEAF = 0x02
const BIG_DATA = 0x01
/** No value is larger than a frame of the wire. */
const MAX_VALUE = 64 << 20

export function* scavenge(file: string): Generator<Scavenged> {
  const handle = openSync(file, 'r')
  try {
    const pageSize = pageSizeOf(handle)
    const page = Buffer.alloc(pageSize)
    for (let at = 2 * pageSize; readSync(handle, page, 0, pageSize, at) === pageSize; at += pageSize) {
      if (page.readUInt16LE(18) !== LEAF) continue
      const transaction = page.readBigUInt64LE(8)
      for (const { data, big } of nodesOf(page)) {
        const bytes =
          big === null ? data : readAt(handle, Number(data.readBigUInt64LE(0)) * pageSize + PAGE_HEADER, big)
        const found = bytes === null ? null : identify(Buffer.from(bytes))
        if (found !== null) yield { ...found, transaction }
      }
    }
  } finally {
    closeSync(handle)
  }
}

/** As the first page says; where that is garbage, what most machines have. */
function pageSizeOf(handle: number): number {
  const said = readAt(handle, PAGE_SIZE_AT, 4)?.readUInt32LE(0) ?? 0
  return said >= 512 && said <= 65_536 && (said & (said - 1)) === 0 ? said : 4096
}

/** The nodes of a leaf page as far as they lie within it. `big`: the size of data that lies elsewhere. */
function* nodesOf(page: Buffer): Generator<{ data: Buffer; big: number | null }> {
  const count = Math.min(page.readUInt16LE(20), page.byteLength - PAGE_HEADER) >> 1
  for (let i = 0; i < count; i++) {
    const node = page.readUInt16LE(PAGE_HEADER + 2 * i) + PAGE_HEADER
    if (node + NODE_HEADER > page.byteLength) continue
    const size = page.readUInt32LE(node)
    const big = (page.readUInt16LE(node + 4) & BIG_DATA) !== 0
    const start = node + NODE_HEADER + page.readUInt16LE(node + 6)
    const end = start + (big ? 8 : size)
    if (end > page.byteLength) continue
    yield { data: page.subarray(start, end), big: big ? size : null }
  }
}

function readAt(handle: number, at: number, size: number): Buffer | null {
  if (size > MAX_VALUE || !Number.isSafeInteger(at)) return null
  const bytes = Buffer.alloc(size)
  return readSync(handle, bytes, 0, size, at) === size ? bytes : null
}
