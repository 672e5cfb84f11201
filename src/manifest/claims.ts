/** Entries that would take messages from each other at their origin. */
import type { Claim } from '../source.ts'
import type { ReadEntry } from './eventsource.ts'
import { refuse } from './eventsource.ts'
import type { EventSource } from './manifest.ts'
import type { Notes } from './notes.ts'
import { type Holder, name } from './ports.ts'

interface Claimed extends Holder {
  claim: Claim
}

/** Remembers who claims what, over all documents: by type, origin and name. */
export type Claims = Map<string, Claimed[]>

export const noClaims = (): Claims => new Map()

/** Warns of entries that claim at their origin what an earlier one claims. */
export function checkClaims(source: EventSource, entries: ReadEntry[], claimed: Claims, notes: Notes): void {
  for (const { entry, path, definition } of entries) {
    if (entry.refused !== undefined || definition?.claims === undefined) continue
    const place = { eventSource: source.name, entry: entry.name }
    const mine = definition.claims(entry.spec, place).map((claim): Claimed => ({ source, entry, claim }))
    const keyOf = ({ claim: { at, name } }: Claimed) => JSON.stringify([entry.type, at, name])
    const same = (one: Claimed) => claimed.get(keyOf(one)) ?? []
    const [clash] = mine.flatMap((one) =>
      same(one)
        .filter((other) => meet(one.claim, other.claim))
        .map((other) => ({ ...one.claim, first: name(other, one) })),
    )
    if (clash === undefined) {
      for (const one of mine) claimed.set(keyOf(one), [...same(one), one])
      continue
    }
    const { what, first, otherwise = 'each message becomes an event of one of them only', remedy, fatal } = clash
    const message = `${what} is also that of ${first}: ${otherwise}`
    notes.add({ severity: 'warning', path, on: 'key', message, remedy, ...(fatal === true ? { fatal } : {}) })
    if (fatal === true) refuse(entry, message)
  }
}

function meet(one: Claim, other: Claim): boolean {
  return one.subject === undefined || other.subject === undefined || subjectsMeet(one.subject, other.subject)
}

/** Whether a subject may match both patterns (`*` is one name, `>` the rest). */
export function subjectsMeet(one: string, other: string): boolean {
  const [a, b] = [one.split('.'), other.split('.')]
  for (let i = 0; ; i++) {
    if (a[i] === undefined || b[i] === undefined) return a.length === b.length
    if (a[i] === '>' || b[i] === '>') return true
    if (a[i] !== '*' && b[i] !== '*' && a[i] !== b[i]) return false
  }
}
