/**
 * Sound values straight from the pages of an lmdb file (pages.ts), whether or not a path leads to them: for a store whose trees are broken. Also
 * finds values that were deleted or overwritten and whose pages were not used again: who asks says which he wants.
 */
import { identify, identifyFirst, mayBegin } from './encoding.ts'
import {
  BIG_DATA,
  isFlagged,
  LEAF,
  MAX_VALUE,
  type Node,
  nodesOf,
  numberOf,
  OVERFLOW,
  overflowPages,
  PAGE_HEADER,
  type Pages,
  slackOf,
  transactionOf,
} from './pages.ts'
import type { Found } from './survey.ts'
import type { PageSet } from './walk.ts'

export interface Scavenged extends Found {
  /** The page where it lay. */
  page: number
  /** Its page does not say what it is: a torn one, or bytes that only look like a page (a sender's, perhaps). */
  headless: boolean
}

/** @param known pages that need not be looked at, and of them the leaves: only between their nodes. `onPage` is told of each page */
export function* scavenge(
  pages: Pages,
  known: { used: PageSet; leaves: PageSet },
  onPage: (page: number) => void = () => {},
): Generator<Scavenged> {
  for (let number = 2; number < pages.count; number++) {
    const isLeaf = known.leaves.has(number)
    if (known.used.has(number) && !isLeaf) continue
    onPage(number)
    const page = pages.read(number)
    if (page === null) continue
    const isWhole = numberOf(page) === number
    const nodes = isWhole && isFlagged(page, LEAF) ? nodesOf(page) : null
    if (nodes !== null) {
      const { from, to } = slackOf(page)
      yield* carve(page, number, from, to)
      if (!isLeaf) yield* valuesOf(page, number, nodes)
      continue
    }
    const big = bigValueAt(pages, number, page)
    if (big === null) yield* carve(page, number, 0, page.byteLength)
    else {
      yield { ...big, transaction: transactionOf(page), page: number, headless: !isWhole || !isFlagged(page, OVERFLOW) }
      // what is within a big value is its sender's, whatever it looks like
      number += overflowPages(big.size, pages.pageSize) - 1
    }
  }
}

function* valuesOf(page: Buffer, number: number, nodes: Node[]): Generator<Scavenged> {
  const transaction = transactionOf(page)
  for (const { data, flags } of nodes) {
    const found = flags === BIG_DATA ? null : identify(data)
    if (found !== null) yield { ...found, size: data.byteLength, transaction, page: number, headless: false }
  }
}

/** The value that fills a page and those behind it, if one does. */
function bigValueAt(pages: Pages, number: number, page: Buffer) {
  if (!mayBegin(page.subarray(PAGE_HEADER))) return null
  const most = Math.ceil(MAX_VALUE / pages.pageSize) + 1
  for (let run = 4; ; run *= 8) {
    const bytes = pages.read(number, Math.min(run, most, pages.count - number))
    const found = bytes === null ? null : identifyFirst(bytes.subarray(PAGE_HEADER))
    if (found !== null || run >= most || run >= pages.count - number) return found
  }
}

/**
 * What can be made out where nothing says it: a value may begin at any byte, also where the head of its node is gone, and says by itself that
 * it is one.
 */
function* carve(page: Buffer, number: number, from: number, to: number): Generator<Scavenged> {
  for (let at = from; at < to; at++) {
    const found = mayBegin(page, at) ? identifyFirst(page.subarray(at)) : null
    if (found === null) continue
    yield { ...found, transaction: 0, page: number, headless: true }
    at += found.size - 1
  }
}
