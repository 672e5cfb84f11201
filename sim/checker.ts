/** What must hold in every world, whatever happens in it. Looks only at what the bus stored and what replicas were told. */
import type { Fenced, Stored } from '../src/bus/bus.ts'
import { eventIdOf, isEvent } from './origin.ts'

export interface Checker {
  /** Everything found so far, in words. */
  readonly violations: string[]
  /** The bus has stored something. */
  stored(stored: Stored): void
  /** A claim was answered. */
  claimed(by: string, nonce: string, fenced: Fenced): void
  /** A replica was told what became of an item. */
  outcome(by: string, entry: string, item: number, outcome: string): void
  /** A replica has found a snapshot that knows more than its position: it was written before what it counts as told. */
  ahead(by: string, entry: string, saved: number, position: number): void
  /** At the end, with the whole log. */
  finish(log: Stored[]): void
  fail(violation: string): void
  readonly events: number
  /** Stored of one entry. */
  eventsOf(entry: string): number
  readonly claims: number
}

interface EntryState {
  /** Events. */
  stored: number
  /** Last item stored, and the position acknowledged without an event. */
  item: number
  advanced: number
  /** Last item stored by terms up to and including each term. */
  byTerm: { term: number; item: number }[]
}

/** @param say told of every violation as it is found */
export function createChecker(say: (violation: string) => void): Checker {
  const violations: string[] = []
  const entries = new Map<string, EntryState>()
  const acked = new Set<string>()
  const nonces = new Map<number, string>()
  const lastTermOf = new Map<string, number>()
  /** The newest term of which anybody has been told. */
  let known = 0
  let lastSeq = 0
  let events = 0
  let claims = 0

  const fail = (violation: string) => {
    violations.push(violation)
    say(`VIOLATION ${violation}`)
  }
  const stateOf = (entry: string): EntryState => {
    const state = entries.get(entry) ?? { stored: 0, item: 0, advanced: 0, byTerm: [] }
    entries.set(entry, state)
    return state
  }
  const superseded = (by: string): boolean => (lastTermOf.get(by) ?? 0) < known
  /** Only what is no event may lie between two positions. */
  const missing = (entry: string, from: number, to: number): number[] => {
    const items: number[] = []
    for (let item = from + 1; item < to; item++) if (isEvent(entry, item)) items.push(item)
    return items
  }

  return {
    violations,
    fail,
    get events() {
      return events
    },
    eventsOf: (entry) => entries.get(entry)?.stored ?? 0,
    get claims() {
      return claims
    },
    stored({ seq, subject, term = 0, id, sourceId }) {
      events++
      const entry = subject.slice(subject.lastIndexOf('.') + 1)
      const item = Number(id.slice(entry.length + 1))
      const state = stateOf(entry)
      const writer = Number(sourceId)
      if (seq <= lastSeq) fail(`order: sequence ${seq} of ${id} after ${lastSeq}`)
      if (writer < known) fail(`fence: ${id} written by term ${writer} was stored while term ${known} ruled`)
      if (term < known) fail(`fence: ${id} was stored under term ${term} while term ${known} ruled`)
      if (item <= state.item) fail(`double: ${id} was stored after ${entry}-${state.item}`)
      const holes = missing(entry, state.item, item)
      if (holes.length > 0) fail(`hole: ${id} was stored without ${holes.map((hole) => `${entry}-${hole}`).join(' ')}`)
      lastSeq = seq
      known = Math.max(known, term)
      state.stored++
      state.item = Math.max(state.item, item)
      const last = state.byTerm.at(-1)
      if (last?.term === term) last.item = item
      else state.byTerm.push({ term, item })
    },
    claimed(by, nonce, { term, positions }) {
      claims++
      const other = nonces.get(term)
      if (other !== undefined && other !== nonce) fail(`term: ${term} was given to ${other} and to ${nonce}`)
      if (other === undefined && term <= (lastTermOf.get(by) ?? 0)) {
        fail(`term: ${by} got ${term} after ${lastTermOf.get(by)}`)
      }
      nonces.set(term, nonce)
      lastTermOf.set(by, term)
      const superseded = known > term
      known = Math.max(known, term)
      for (const [entry, { byTerm, advanced }] of entries) {
        const position = positionIn(positions.get(entry))
        // Later terms may have gone on before this answer came; what they stored is none of this claim's business.
        const item = byTerm.findLast((one) => one.term < term)?.item ?? 0
        if (position < item) fail(`position: ${by} was to resume ${entry} at ${position}, but ${item} is on the log`)
        if (!superseded && position < advanced) {
          fail(`position: ${by} was to resume ${entry} at ${position}, but ${advanced} was acknowledged`)
        }
        const lost = missing(entry, item, position + 1)
        if (lost.length > 0)
          fail(`position: ${by} was to resume ${entry} at ${position}, but ${lost} are not on the log`)
      }
    },
    outcome(by, entry, item, outcome) {
      if (outcome === 'stored') {
        acked.add(eventIdOf(entry, item))
      } else if (outcome === 'advanced') {
        stateOf(entry).advanced = Math.max(stateOf(entry).advanced, item)
      } else if (outcome === 'duplicate') {
        // The bus's memory of ids saved the day; with positions it must never have to. Who leads no more may see on the log what the next one stored.
        if (!superseded(by)) fail(`double: ${by} sent ${entry}-${item} again`)
      } else if (outcome === 'skipped') fail(`skipped: ${entry}-${item} of ${by}`)
    },
    ahead(by, entry, saved, position) {
      if (!superseded(by)) fail(`snapshot: ${saved} of ${entry} is kept, ${by} was to resume at ${position}`)
    },
    finish(log) {
      const count = new Map<string, number>()
      for (const { id } of log) count.set(id, (count.get(id) ?? 0) + 1)
      for (const id of acked) {
        const times = count.get(id) ?? 0
        if (times !== 1) fail(`acknowledged: ${id} is ${times} times on the log`)
      }
    },
  }
}

/** A position as the runtime stores it: with the fingerprint of what it is a position in. */
function positionIn(stored: unknown): number {
  return stored === undefined ? 0 : Number((stored as { p: unknown }).p)
}
