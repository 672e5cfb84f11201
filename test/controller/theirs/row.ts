/** A row of numbered things (ticks, files, objects), whoever told of them: what is missing, and what is there twice. Pure. */

export interface Telling {
  n: number
  /** Told by a Pod of ours. */
  ours: boolean
}

export interface RowSeen {
  told: number
  /** Numbers between the first and the last that nobody told, by who told the next one. */
  lost: { ours: number[]; theirs: number[] }
  /** Numbers that were told again, by who did. */
  doubled: { ours: number[]; theirs: number[] }
  /** How often the one told after the other. */
  exchanges: number
}

/** A tick's payload has the time at which it was told: one told late shows the second of the next one. @param tellings in the order of the stream */
export function withLateTicks(tellings: readonly Telling[]): Telling[] {
  const told = new Set(tellings.map(({ n }) => n))
  return tellings.map((one, i) =>
    one.n === tellings[i + 1]?.n && !told.has(one.n - 1) ? { ...one, n: one.n - 1 } : one,
  )
}

/** @param tellings in the order of the stream @param last the last number that there is to be told */
export function rowIn(tellings: readonly Telling[], last = Math.max(...tellings.map(({ n }) => n))): RowSeen {
  const row: RowSeen = {
    ...{ told: tellings.length, exchanges: 0 },
    lost: { ours: [], theirs: [] },
    doubled: { ours: [], theirs: [] },
  }
  const by = new Map<number, 'ours' | 'theirs'>()
  let before: Telling | undefined
  for (const telling of tellings) {
    const who = telling.ours ? 'ours' : 'theirs'
    if (by.has(telling.n)) row.doubled[who].push(telling.n)
    else by.set(telling.n, who)
    if (before !== undefined && before.ours !== telling.ours) row.exchanges++
    before = telling
  }
  let next: 'ours' | 'theirs' = before?.ours === true ? 'ours' : 'theirs'
  for (let n = last; n >= Math.min(...by.keys()); n--) {
    const who = by.get(n)
    if (who === undefined) row.lost[next].unshift(n)
    else next = who
  }
  return row
}
