/**
 * Sound values straight from the pages of an lmdb file (pages.ts), whether or not a path leads to them: for a store whose trees are broken. Also
 * finds values that were deleted or overwritten and whose pages were not used again: who asks says which he wants.
 */
import { identify, identifyFirst } from './encoding.ts'
import {
  BIG_DATA,
  isFlagged,
  LEAF,
  MAX_VALUE,
  nodeAt,
  nodesOf,
  numberOf,
  OVERFLOW,
  PAGE_HEADER,
  type Pages,
  runOf,
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

/** @param used pages that are left alone. `onPage` is told of each that is looked at */
export function* scavenge(
  pages: Pages,
  used: PageSet,
  onPage: (page: number) => void = () => {},
): Generator<Scavenged> {
  for (let number = 2; number < pages.count; number++) {
    if (used.has(number)) continue
    onPage(number)
    const page = pages.read(number)
    if (page === null) return
    const isWhole = numberOf(page) === number
    const transaction = transactionOf(page)
    if (isWhole && isFlagged(page, OVERFLOW)) {
      const run = Math.max(1, Math.min(runOf(page), pages.count - number, Math.ceil(MAX_VALUE / pages.pageSize) + 1))
      const found = identifyFirst((pages.read(number, run) ?? page).subarray(PAGE_HEADER))
      if (found === null) continue
      yield { ...found, transaction, page: number, headless: false }
      // what is within a big value is its sender's, whatever it looks like
      number += Math.floor((PAGE_HEADER + found.size - 1) / pages.pageSize)
      continue
    }
    const nodes = isWhole && isFlagged(page, LEAF) ? nodesOf(page) : null
    if (nodes !== null) {
      for (const { data, flags } of nodes) {
        const found = flags === BIG_DATA ? null : identify(data)
        if (found !== null) yield { ...found, size: data.byteLength, transaction, page: number, headless: false }
      }
      continue
    }
    yield* carve(page, number)
  }
}

/** What can be made out on a page that is torn: a node may begin at any second byte, and a value says by itself that it is one. */
function* carve(page: Buffer, number: number): Generator<Scavenged> {
  for (let at = 0; at < page.byteLength; at += 2) {
    const node = nodeAt(page, at)
    if (node === null || node.flags !== 0 || node.key.byteLength === 0 || node.size < 7) continue
    const found = identify(node.data)
    if (found === null) continue
    yield { ...found, size: node.size, transaction: 0, page: number, headless: true }
    at += 8 + node.key.byteLength + node.size - 2
    at += at % 2
  }
}
