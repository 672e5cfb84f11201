/** Everything that a store holds, as far as it is sound, read page by page without lmdb; and where something is missing. */
import { identify, type TableName } from './encoding.ts'
import { decodeKey, encodeKey } from './keys.ts'
import { type Meta, type Pages, SUB_TREE, TREE_BYTES, type Tree, treeOf, uint64 } from './pages.ts'
import { createPageSet, type Hole, type Leaf, type PageSet, walkTree } from './walk.ts'

export type Key = string | number

/** One sound value. */
export interface Found {
  table: TableName
  key: Key
  value: unknown
  /** The transaction that wrote its page. */
  transaction: number
  /** Bytes as it lies there. */
  size: number
}

/** Where to begin: what one of the first two pages says, or a page that is the root of the main tree. */
export interface Snapshot extends Pick<Meta, 'transaction' | 'lastPage' | 'main'> {
  /** Null: unknown. */
  free: Tree | null
}

export interface Survey {
  snapshot: Snapshot
  /** What is missing of each table. A table that is not here is whole. */
  holes: Map<TableName, Hole[]>
  /** How many values each table says that it has; a table that cannot be asked is not here. */
  counts: Map<TableName, number>
  /** What is wrong with the list of free pages. */
  freeProblems: string[]
  /** Pages that are in use. */
  used: PageSet
  /** Those of them that are leaves. */
  leaves: PageSet
}

/** `ids` are many: those who look want the small tables before, and the log at the end. */
const ORDER: readonly TableName[] = ['meta', 'terms', 'positions', 'entries', 'leases', 'snapshots', 'kv', 'ids', 'log']
const EVERYTHING = { from: null, to: null, page: null }

/** The two beginnings, the newest first. */
export function snapshotsOf(pages: Pages): Snapshot[] {
  return pages.metas.filter((meta) => meta !== null).sort((a, b) => b.transaction - a.transaction)
}

/**
 * @param visit told each sound value, the tables one after another
 * @param onTable told what is read next, and of how many values
 */
export function survey(
  pages: Pages,
  snapshot: Snapshot,
  visit: (found: Found) => void,
  onTable: (table: TableName, count: number) => void = () => {},
): Survey {
  const [used, leaves] = [createPageSet(pages.count), createPageSet(pages.count)]
  const holes: Survey['holes'] = new Map()
  const counts: Survey['counts'] = new Map()
  const { lastPage } = snapshot
  const note = (table: TableName, hole: Hole) => void holes.set(table, [...(holes.get(table) ?? []), hole])
  const trees = new Map<string, Leaf>()
  let mainHole: Hole = { ...EVERYTHING, why: 'it is not among the tables' }
  const onHole = (hole: Hole) => {
    mainHole = hole
  }
  const main = { pages, lastPage, used, onHole }
  for (const page of walkTree(main, snapshot.main, snapshot.transaction)) {
    for (const leaf of page) trees.set(leaf.key.toString('latin1'), leaf)
  }
  for (const table of ORDER) {
    const leaf = trees.get(`${table}\0`)
    if (leaf === undefined || leaf.flags !== SUB_TREE || leaf.data.byteLength !== TREE_BYTES) {
      onTable(table, 0)
      // a store that was never begun has no tables
      if (snapshot.main.root !== null) note(table, { ...EVERYTHING, why: mainHole.why })
      continue
    }
    const tree = treeOf(leaf.data)
    counts.set(table, tree.entries)
    onTable(table, tree.entries)
    const walk = { pages, lastPage, used, leaves, onHole: (hole: Hole) => note(table, hole) }
    for (const page of walkTree(walk, tree, leaf.transaction)) {
      for (const one of page) {
        const found = foundIn(table, one)
        if (found !== null) visit(found)
        else {
          const why = `the value of ${keyText(one.key)} is damaged`
          note(table, { from: one.key, to: after(one.key), page: null, why })
          // what lies there may be somebody else's
          if (one.overflow !== null) used.remove(one.overflow.first, one.overflow.count)
        }
      }
    }
  }
  return { snapshot, holes, counts, used, leaves, freeProblems: freeProblemsOf(pages, snapshot, used) }
}

/** Whether nothing is missing of any table. */
export const isWhole = ({ holes }: Survey): boolean => holes.size === 0

function foundIn(table: TableName, { key, data, transaction }: Leaf): Found | null {
  const size = data.byteLength
  if (table === 'ids') {
    const id = decodeKey(key)
    return typeof id === 'string' && size === 8
      ? { table, key: id, value: data.readDoubleBE(0), transaction, size }
      : null
  }
  const is = identify(data)
  if (is?.table !== table || !encodeKey(is.key).equals(key)) return null
  return { table, key: is.key, value: is.value, transaction, size }
}

const keyText = (bytes: Buffer): string => JSON.stringify(decodeKey(bytes)) ?? 'a key'

/** The least key behind another. */
const after = (key: Buffer): Buffer => Buffer.concat([key, Buffer.of(0)])

/**
 * The list of free pages, which only writing needs: by its transaction, the numbers of the pages that it let go; a negative one says how
 * many there are from the next on. A page that is on it and in use would be overwritten.
 */
function freeProblemsOf(pages: Pages, { free, transaction, lastPage }: Snapshot, used: PageSet): string[] {
  if (free === null) return []
  const problems: string[] = []
  const listed = createPageSet(Math.min(pages.count, lastPage + 1))
  const walk = { pages, lastPage, used, isFree: true, onHole: ({ why }: Hole) => void problems.push(why) }
  for (const leaves of walkTree(walk, free, transaction)) {
    for (const { key, data } of leaves) {
      const by = key.byteLength === 8 ? uint64(key, 0) : 0
      if (by < 1 || by > transaction) problems.push('it is garbled (a transaction that never was)')
      else if (!readList(data, lastPage, (page, count) => note(page, count)))
        problems.push('it is garbled (page numbers)')
    }
  }
  let [twice, inUse] = [0, 0]
  function note(page: number, count: number) {
    for (let i = page; i < Math.min(page + count, pages.count); i++) {
      if (!listed.add(i)) twice++
    }
  }
  for (let page = 2; page < pages.count; page++) if (listed.has(page) && used.has(page)) inUse++
  if (twice > 0) problems.push(`${twice} pages are on it twice`)
  if (inUse > 0) problems.push(`${inUse} pages are on it and in use: they would be overwritten`)
  return problems
}

/** @returns false when it is no list of pages */
function readList(data: Buffer, lastPage: number, onPages: (page: number, count: number) => void): boolean {
  const words = data.byteLength >> 3
  const length = words === 0 ? Number.NaN : Number(data.readBigInt64LE(0))
  if (!(length >= 0 && length < words)) return false
  for (let i = 1; i <= length; i++) {
    let [page, count] = [Number(data.readBigInt64LE(8 * i)), 1]
    if (page === 0) continue
    if (page < 0) {
      if (++i >= words) return false
      ;[count, page] = [-page, Number(data.readBigInt64LE(8 * i))]
      if (page === 0) continue
    }
    if (!(page >= 2 && count >= 1 && page + count - 1 <= lastPage)) return false
    onPages(page, count)
  }
  return true
}
