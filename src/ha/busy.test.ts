/**
 * An election on a machine that is far too busy, as in the campaign (seeds 520049 and 520083): in four minutes 43 terms, each deposed by the
 * next one before an entry that must first look at its origin could serve.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seeded } from '../../sim/random.ts'
import { base } from './election.fixture.ts'
import { step } from './election.ts'
import type { Lease } from './lock.ts'
import { type Effect, type Election, type ElectionEvent, notStarted } from './state.ts'

const REPLICAS = 4
const FOR_MS = 300_000
const STEP_MS = 25
const TIMEOUT_MS = 1_000

interface Busy {
  /** How long a call of the lock takes. */
  callMs: [number, number]
  /** How long a replica gets no processor at all, and how long it gets one then. */
  stallMs: [number, number]
  awakeMs: [number, number]
  /** How long a claim takes. One that succeeds deposes whoever leads. */
  claimMs: [number, number]
}

/** @returns for how long one and the same replica led at most, milliseconds */
function longestLead(seed: number, { callMs, stallMs, awakeMs, claimMs }: Busy): number {
  const random = seeded(seed)
  const due: { at: number; index: number; run: () => void }[] = []
  const replicas = Array.from({ length: REPLICAS }, () => ({
    state: notStarted as Election,
    asleepUntil: 0,
    turnAt: random.between(...awakeMs),
    ledSince: null as number | null,
  }))
  let lease: Lease | null = null
  let [term, now, longest] = [0, 0, 0]

  const tell = (index: number, event: { type: ElectionEvent['type'] } & Record<string, unknown>) => {
    const config = { ...base, id: `r${index}`, random: random() }
    const { state, effects } = step(replicas[index]!.state, { ...event, now } as ElectionEvent, config)
    replicas[index]!.state = state
    for (const effect of effects) act(index, effect)
  }
  const later = (index: number, ms: number, run: () => void) => due.push({ at: now + ms, index, run })
  /** The lock does its work at once; how late the answer is heard is another matter. */
  const call = (index: number, kind: 'read' | 'written', answer: Lease | null) => {
    const ms = random.between(...callMs)
    if (ms <= TIMEOUT_MS) later(index, ms, () => tell(index, { type: kind, lease: answer }))
    else later(index, TIMEOUT_MS, () => tell(index, { type: 'lockFailed', unknown: kind === 'written' }))
  }
  const act = (index: number, effect: Effect) => {
    if (effect.do === 'read') call(index, 'read', lease)
    else if (effect.do === 'write') {
      const may = (lease?.revision ?? null) === effect.expected
      if (may) lease = { record: effect.record, revision: String(Number(lease?.revision ?? 0) + 1) }
      call(index, 'written', may ? lease : null)
    } else if (effect.do === 'claim') {
      later(index, random.between(...claimMs), () => {
        const mine = ++term
        for (const [other, { state }] of replicas.entries()) {
          if (other !== index && state.phase === 'leading') later(other, 0, () => tell(other, { type: 'lost' }))
        }
        tell(index, { type: 'claimed', term: mine })
      })
    } else if (effect.do === 'drain') later(index, 500, () => tell(index, { type: 'served' }))
  }

  for (const [index] of replicas.entries()) tell(index, { type: 'start' })
  for (; now < FOR_MS; now += STEP_MS) {
    const ready = due.filter(({ at, index }) => at <= now && replicas[index]!.asleepUntil <= now)
    for (const one of ready) {
      due.splice(due.indexOf(one), 1)
      one.run()
    }
    for (const [index, replica] of replicas.entries()) {
      if (now >= replica.turnAt) {
        replica.asleepUntil = now + random.between(...stallMs)
        replica.turnAt = replica.asleepUntil + random.between(...awakeMs)
      }
      if (replica.asleepUntil <= now) tell(index, { type: 'tick' })
      if (replica.state.phase !== 'leading') replica.ledSince = null
      else {
        replica.ledSince ??= now
        longest = Math.max(longest, now - replica.ledSince)
      }
    }
  }
  return longest
}

describe('somebody leads for long', () => {
  for (const [name, busy] of Object.entries({
    'although most calls of the lock are not answered in time': {
      ...{ callMs: [300, 3_000], stallMs: [0, 25], awakeMs: [500, 3_000], claimMs: [4_000, 12_000] },
    },
    'although processes stand still for longer than the lease lasts': {
      ...{ callMs: [5, 100], stallMs: [500, 4_000], awakeMs: [300, 3_000], claimMs: [1_000, 4_000] },
    },
  } satisfies Record<string, Busy>)) {
    test(name, () => {
      const longest = Array.from({ length: 20 }, (_, seed) => longestLead(seed + 1, busy as Busy))
      assert.ok(Math.min(...longest) > 30_000, `the longest lead of each seed, ms: ${longest.join(', ')}`)
    })
  }
})
