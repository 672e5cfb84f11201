/** Numbered messages on the log against those that were sent. Pure. */
import type { Sent } from './numbers.ts'
import { type Deaf, isPromised, overlaps, type Span } from './spans.ts'
import type { Traits } from './traits.ts'

export interface NumbersJudged {
  /** That must be there. */
  promised: number
  lost: number[]
  /** Numbers that are there more often than may be. */
  doubled: number[]
  /** Copies that the class allows. */
  allowed: number
  /** Numbers that nobody sent. */
  strange: number[]
}

export interface Circumstances {
  /** From this time on the entry was known to be served. */
  judgedFromMs: number
  replicas: number
  deaf: readonly Deaf[]
  busAway: readonly Span[]
  /** In which the origin was not as usual: what was sent then may have been sent twice by the client itself. */
  originAway: readonly Span[]
  faults: number
  /** Messages that may be unacknowledged at each fault. */
  unacknowledged: number
  /** The bus knows no ids of active-active entries. */
  repeats: boolean
}

/** @param found the numbers on the log, in its order */
export function judgeNumbers(
  found: readonly number[],
  sent: readonly Sent[],
  traits: Traits,
  circumstances: Circumstances,
): NumbersJudged {
  const { judgedFromMs, replicas, deaf, busAway, originAway, faults, unacknowledged, repeats } = circumstances
  const times = new Map<number, number>()
  for (const n of found) times.set(n, (times.get(n) ?? 0) + 1)
  const promises: Partial<Record<Traits['guarantee'], (one: Sent) => boolean>> = {
    'hot-standby': (one) => isPromised(one, replicas, deaf, busAway),
    // Lost is what comes while nobody serves, and when that was is not known well enough.
    'at-most-once': () => false,
  }
  const isDue = promises[traits.guarantee] ?? (() => true)
  const must = sent.filter((one) => one.sure && one.fromMs >= judgedFromMs && isDue(one))
  const lost = must.filter(({ n }) => !times.has(n)).map(({ n }) => n)
  // What an origin without identities was given while it was away, its client may have given it twice.
  const murky = (one: Sent) =>
    traits.guarantee !== 'exactly-once' && (!one.sure || originAway.some((span) => overlaps(span, one)))
  const copies = sent.filter((one) => (times.get(one.n) ?? 0) > 1 && !murky(one)).map(({ n }) => n)
  const spare = copies.reduce((sum, n) => sum + times.get(n)! - 1, 0)
  const allowed =
    traits.guarantee === 'at-least-once'
      ? unacknowledged * (faults + 1)
      : traits.activeActive && repeats
        ? Number.POSITIVE_INFINITY
        : 0
  const known = new Set(sent.map(({ n }) => n))
  return {
    promised: must.length,
    lost,
    doubled: spare > allowed ? copies : [],
    allowed: Math.min(spare, allowed),
    strange: [...times.keys()].filter((n) => !known.has(n)),
  }
}
