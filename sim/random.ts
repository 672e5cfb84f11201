/** A small seeded generator (mulberry32): the same seed gives the same run, on every machine. */
export interface Random {
  /** 0 ≤ x < 1. */
  (): number
  /** `from` ≤ x < `to`. */
  between(from: number, to: number): number
  /** A whole number, both ends included. */
  int(from: number, to: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  /** An independent generator, so that drawing more here changes nothing there. */
  fork(): Random
}

export function seeded(seed: number): Random {
  let a = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
  const next = () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const random = next as Random
  random.between = (from, to) => from + (to - from) * next()
  random.int = (from, to) => from + Math.floor(next() * (to - from + 1))
  random.chance = (probability) => next() < probability
  random.pick = (from) => from[Math.floor(next() * from.length)]!
  random.fork = () => seeded(Math.floor(next() * 4294967296))
  return random
}
