/**
 * Down a tree of an lmdb file (pages.ts) as far as its pages are sound. lmdb copies what it writes, and all that leads there; so a page
 * tells by its number, its transaction (never later than that of what leads to it), its kind and its keys whether it is the one
 * that was meant.
 */
import {
  BIG_DATA,
  BRANCH,
  isFlagged,
  LEAF,
  type Node,
  nodesOf,
  numberOf,
  OVERFLOW,
  overflowPages,
  PAGE_HEADER,
  type Pages,
  runOf,
  type Tree,
  transactionOf,
  uint64,
} from './pages.ts'

/** Keys of a tree that may be missing: from `from` (null: from the first) to before `to` (null: to the last). */
export interface Hole {
  from: Buffer | null
  to: Buffer | null
  /** The page that is not what it should be, where there is one. */
  page: number | null
  why: string
}

/** Pages side by side. */
export interface Run {
  first: number
  count: number
}

export interface Leaf {
  key: Buffer
  flags: number
  data: Buffer
  /** That wrote its page. */
  transaction: number
  /** Of a big value: the pages that are taken as its own, where they are what they should be. */
  overflow: Run | null
}

/** Which pages have been come by. */
export interface PageSet {
  has(page: number): boolean
  /** @returns false when one of them was there already */
  add(page: number, count?: number): boolean
  remove(page: number, count: number): void
}

export interface Walk {
  pages: Pages
  /** The last page of the snapshot. */
  lastPage: number
  used: PageSet
  /** Leaves, which are in `used`, too. */
  leaves?: PageSet
  onHole(hole: Hole): void
  /** Of the free-page tree, whose keys are numbers, and whose branches may have one way only. */
  isFree?: boolean
}

const byNumber = (a: Buffer, b: Buffer): number =>
  a.byteLength < 8 || b.byteLength < 8 ? 0 : uint64(a, 0) - uint64(b, 0)

export function createPageSet(count: number): PageSet {
  const bits = new Uint8Array((count >> 3) + 1)
  const has = (page: number) => ((bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0
  return {
    has,
    add(page, pages = 1) {
      let fresh = true
      for (let i = page; i < page + pages; i++) {
        if (has(i)) fresh = false
        bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7))
      }
      return fresh
    },
    remove(page, pages) {
      for (let i = page; i < page + pages; i++) bits[i >> 3] = (bits[i >> 3] ?? 0) & ~(1 << (i & 7))
    },
  }
}

interface Way {
  page: number
  /** 1 at the root. */
  level: number
  from: Buffer | null
  to: Buffer | null
  /** Of the page above: those below are not younger. */
  transaction: number
}

/** The leaves of a tree in the order of their keys, a page at a time; what cannot be read is told to `onHole`. */
export function* walkTree(walk: Walk, tree: Tree, transaction: number): Generator<Leaf[]> {
  if (tree.root === null) return
  const { pages, used, onHole, lastPage } = walk
  const counted = { branches: 0, leaves: 0, overflows: 0, entries: 0, holes: 0 }
  const hole = (of: Hole) => {
    counted.holes++
    onHole(of)
  }
  let first: Buffer | null = null
  const ways: Way[] = [{ page: tree.root, level: 1, from: null, to: null, transaction }]
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const { from, to } = way
    const broken = (why: string, page: number | null) => hole({ from, to, page, why })
    if (!(way.page >= 2 && way.page <= lastPage)) {
      broken(`page ${way.page} is none of the store's`, null)
      continue
    }
    const page = pages.read(way.page)
    const nodes = page === null ? null : soundNodes(page, way, tree.depth, walk.isFree === true)
    if (page === null || typeof nodes === 'string' || nodes === null) {
      broken(`page ${way.page} ${nodes ?? 'lies behind the end of the file'}`, page === null ? null : way.page)
      continue
    }
    if (!used.add(way.page)) {
      broken(`page ${way.page} is in use twice`, null)
      continue
    }
    const own = transactionOf(page)
    if (way.level < tree.depth) {
      counted.branches++
      // in reverse: the last that is put there is the next that is taken
      for (let i = nodes.length - 1; i >= 0; i--) {
        const [node, next] = [nodes[i] as Node, nodes[i + 1]]
        ways.push({
          page: node.child,
          level: way.level + 1,
          from: i === 0 ? from : node.key,
          to: next?.key ?? to,
          transaction: own,
        })
      }
      continue
    }
    counted.leaves++
    walk.leaves?.add(way.page)
    first ??= nodes[0]?.key ?? null
    counted.entries += nodes.length
    const leaves: Leaf[] = []
    for (const [i, node] of nodes.entries()) {
      if (node.flags !== BIG_DATA) {
        leaves.push({ key: node.key, flags: node.flags, data: node.data, transaction: own, overflow: null })
        continue
      }
      const { data, wrong, overflow } = readOverflow(walk, node, own)
      if (wrong === null) counted.overflows += overflow?.count ?? 0
      else hole({ from: node.key, to: nodes[i + 1]?.key ?? to, page: null, why: wrong })
      if (data !== null) leaves.push({ key: node.key, flags: node.flags, data, transaction: own, overflow })
    }
    yield leaves
  }
  const wrong =
    counted.holes > 0
      ? undefined
      : (['branches', 'leaves', 'overflows', 'entries'] as const).find((what) => counted[what] !== tree[what])
  if (wrong !== undefined) {
    // a page of yesterday; what is before the first has gone in order
    onHole({
      from: first,
      to: null,
      page: null,
      why: `${tree[wrong]} ${wrong} are told of and ${counted[wrong]} are there`,
    })
  }
}

/** Its nodes, or what is wrong with the page. */
function soundNodes(
  page: Buffer,
  { page: number, level, from, to, transaction }: Way,
  depth: number,
  isFree: boolean,
): Node[] | string {
  const compare = isFree ? byNumber : Buffer.compare
  if (numberOf(page) !== number) return 'is not what should be there (its number is another)'
  if (!isFlagged(page, level < depth ? BRANCH : LEAF)) return `is no ${level < depth ? 'branch' : 'leaf'}`
  if (transactionOf(page) > transaction || transactionOf(page) < 1) return 'is of another time than what leads to it'
  const nodes = nodesOf(page)
  if (nodes === null) return 'is garbled'
  if (nodes.length < (level < depth && !isFree ? 2 : 1)) return 'is empty'
  for (const [i, { key }] of nodes.entries()) {
    const isFirstBranch = level < depth && i === 0
    const before = i > (level < depth ? 1 : 0) ? nodes[i - 1]?.key : undefined
    if (!isFirstBranch && from !== null && compare(key, from) < 0) return 'has keys of another place'
    if (!isFirstBranch && to !== null && compare(key, to) >= 0) return 'has keys of another place'
    if (before !== undefined && compare(before, key) >= 0) return 'has keys out of order'
  }
  return nodes
}

interface BigValue {
  /** Null: cannot be read. It knows by itself whether it is sound. */
  data: Buffer | null
  /** Null: the pages are what they should be. */
  wrong: string | null
  /** The pages that were put in use for it. */
  overflow: Run | null
}

/**
 * The bytes of a big value, and what is wrong with the pages where they lie. They may be more than it fills: one that is written a second
 * time within a transaction, and is smaller then, keeps the pages that it had. Its node says how many.
 */
function readOverflow({ pages, used, lastPage }: Walk, { size, data: at }: Node, transaction: number): BigValue {
  const [first, count, filled] = [uint64(at, 0), uint64(at, 16), overflowPages(size, pages.pageSize)]
  const broken = (why: string, data: Buffer | null = null) => ({ data, wrong: `page ${first} ${why}`, overflow: null })
  if (!(first >= 2 && first + filled - 1 <= lastPage)) return broken("is none of the store's")
  const bytes = pages.read(first, filled)
  if (bytes === null) return broken('lies behind the end of the file')
  const data = bytes.subarray(PAGE_HEADER, PAGE_HEADER + size)
  const isIt = numberOf(bytes) === first && isFlagged(bytes, OVERFLOW) && transactionOf(bytes) <= transaction
  if (!isIt || runOf(bytes) !== count) return broken('is not what should be there', data)
  if (count < filled || first + count - 1 > lastPage) return broken('has not as many behind it as it should', data)
  const isFree = used.add(first, count)
  return { data, wrong: isFree ? null : `page ${first} is in use twice`, overflow: { first, count } }
}
