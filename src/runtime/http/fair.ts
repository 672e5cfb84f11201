/** Fair shares: whom to take from when something is short. Pure. */

/**
 * Chooses what goes so that the largest holders shrink to one size (max-min fairness): first among the groups of the first level, then
 * inside each of them among those of the next, and there in the order of `items`.
 * @param items what may go, what should go first in front
 * @param excess how much must go; all of `items` when they are less
 * @param groups who holds an item, one function a level
 */
export function overShare<T>(
  items: readonly T[],
  excess: number,
  groups: readonly ((item: T) => string)[],
  weight: (item: T) => number,
): T[] {
  if (excess <= 0) return []
  const [groupOf, ...deeper] = groups
  if (groupOf === undefined) return fromTheFront(items, excess, weight)
  const held = new Map<string, { items: T[]; size: number }>()
  for (const item of items) {
    const key = groupOf(item)
    const group = held.get(key)
    if (group === undefined) held.set(key, { items: [item], size: weight(item) })
    else {
      group.items.push(item)
      group.size += weight(item)
    }
  }
  const all = [...held.values()]
  const cap = capFor(
    all.map(({ size }) => size),
    excess,
  )
  return all.flatMap(({ items, size }) => overShare(items, size - cap, deeper, weight))
}

function fromTheFront<T>(items: readonly T[], excess: number, weight: (item: T) => number): T[] {
  const gone: T[] = []
  let sum = 0
  for (const item of items) {
    if (sum >= excess) break
    gone.push(item)
    sum += weight(item)
  }
  return gone
}

/** The size to which the larger ones must shrink so that `excess` is freed; 0 when all of them together are no more. */
export function capFor(sizes: readonly number[], excess: number): number {
  const sorted = [...sizes].sort((a, b) => b - a)
  let sum = 0
  for (const [index, size] of sorted.entries()) {
    sum += size
    const cap = (sum - excess) / (index + 1)
    if (cap >= (sorted[index + 1] ?? 0)) return Math.max(0, cap)
  }
  return 0
}

/** How much larger than what is left free a share may become. */
const GREED = 4
/** What one peer at one entry gets of everything while nobody else wants any: p = GREED × (GREED × (1 − p) − p). */
export const OF_ONE = (GREED * GREED) / (1 + GREED + GREED * GREED)

/** What somebody uses of something, and what there is. */
export interface Room {
  capacity: number
  /** By all. */
  used: number
  /** By the entry, and by the peer at that entry. */
  entry: number
  peer: number
}

/**
 * Whether `more` can be had now. A share may grow to a multiple of what is free, so that it bites only when that is little, and
 * something is left for whoever comes next; so an entry among entries, and a peer inside of its entry.
 */
export function mayHave({ capacity, used, entry, peer }: Room, more: number): boolean {
  // Alone, one always gets what it needs.
  if (used === 0) return true
  const free = capacity - used
  const ofEntry = GREED * free - entry
  const ofPeer = GREED * Math.min(free, ofEntry) - peer
  return more <= free && more <= ofEntry && more <= ofPeer
}
