/** What the tests of the election share: an election that is talked to, event by event. */
import { step, wakeAt } from './election.ts'
import type { Lease, LeaseRecord } from './lock.ts'
import type { ElectionConfig } from './standing.ts'
import { type Effect, type Election, type ElectionEvent, notStarted } from './state.ts'
import { quickTiming } from './timing.ts'

export const base: ElectionConfig = {
  id: 'me',
  timing: quickTiming,
  strict: true,
  mayStand: true,
  lockOnBus: false,
  watched: true,
  random: 0.5,
}

export const record = (holder: string, more: Partial<LeaseRecord> = {}): LeaseRecord => ({
  ...{ holder, durationMs: 1500, term: 4, released: false },
  ...more,
})
export const lease = (revision: string, holder: string, more: Partial<LeaseRecord> = {}): Lease => ({
  record: record(holder, more),
  revision,
})
export const released = (revision: string, more: Partial<LeaseRecord> = {}) =>
  lease(revision, '', { released: true, ...more })

/** An election that a test talks to; effects are collected as short words. */
export function election(over: Partial<ElectionConfig> = {}) {
  const config = { ...base, ...over }
  let state: Election = notStarted
  const at = (now: number, event: Record<string, unknown> & { type: ElectionEvent['type'] }): Effect[] => {
    const { state: next, effects } = step(state, { ...event, now } as ElectionEvent, config)
    state = next
    return effects
  }
  return {
    config,
    at,
    words: (now: number, event: Record<string, unknown> & { type: ElectionEvent['type'] }) =>
      at(now, event).map(wordOf),
    get state() {
      return state
    },
    get wakeAt() {
      return wakeAt(state, config)
    },
    /** Started, and the lock has answered with this at 0. */
    sees(seen: Lease | null) {
      at(0, { type: 'start' })
      return at(0, { type: 'read', lease: seen }).map(wordOf)
    },
    /** Leads in term 5 since 0, holding revision r1. */
    leads() {
      this.sees(null)
      at(0, { type: 'written', lease: lease('r1', 'me', { term: 0 }) })
      at(0, { type: 'claimed', term: 5 })
      at(0, { type: 'written', lease: lease('r2', 'me', { term: 5 }) })
      return this
    },
  }
}

function wordOf(effect: Effect): string {
  if (effect.do === 'write') {
    const { holder, released: free, term, successor } = effect.record
    return `write ${free ? `released${successor === undefined ? '' : ` to ${successor}`}` : holder} term ${term} over ${effect.expected}`
  }
  if (effect.do === 'drain') return `drain ${effect.why}`
  if (effect.do === 'serve') return `serve after ${effect.change === null ? 'nobody' : `${effect.change.reason}`}`
  return effect.do
}
