/** An election on a machine that is far too busy: seed 520049 of the campaign, where 43 terms in four minutes served nobody. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { seeded } from '../../sim/random.ts'
import { base } from './election.fixture.ts'
import { step } from './election.ts'
import type { Lease } from './lock.ts'
import { type Effect, type Election, type ElectionEvent, notStarted } from './state.ts'

const TIMEOUT_MS = 1_000

/** Replicas on a machine that is so busy that most calls of the lock are not answered in time, and a claim, which deposes whoever leads, takes seconds. */
function busyMachine(seed: number, replicas: number) {
  const random = seeded(seed)
  const { between } = random
  let lease: Lease | null = null
  let term = 0
  let longestMs = 0
  let ledSinceMs: number | null = null
  const due: { at: number; run: () => void }[] = []
  const states: Election[] = Array.from({ length: replicas }, () => notStarted)
  let now = 0

  const tell = (index: number, event: { type: ElectionEvent['type'] } & Record<string, unknown>) => {
    const config = { ...base, id: `r${index}`, random: random() }
    const { state, effects } = step(states[index]!, { ...event, now } as ElectionEvent, config)
    states[index] = state
    for (const effect of effects) act(index, effect)
  }
  const later = (ms: number, run: () => void) => due.push({ at: now + ms, run })
  /** Works when its time has come, also when nobody waits for the answer any more. */
  const call = (index: number, kind: 'read' | 'written', work: () => Lease | null) => {
    const ms = between(300, 3_000)
    later(ms, () => {
      const answer = work()
      if (ms <= TIMEOUT_MS) tell(index, { type: kind, lease: answer })
    })
    if (ms > TIMEOUT_MS) later(TIMEOUT_MS, () => tell(index, { type: 'lockFailed', unknown: kind === 'written' }))
  }
  const act = (index: number, effect: Effect) => {
    if (effect.do === 'read') call(index, 'read', () => lease)
    else if (effect.do === 'write') {
      const { record, expected } = effect
      call(index, 'written', () => {
        if ((lease?.revision ?? null) !== expected) return null
        lease = { record, revision: String(Number(lease?.revision ?? 0) + 1) }
        return lease
      })
    } else if (effect.do === 'claim') {
      later(between(4_000, 12_000), () => {
        const mine = ++term
        for (const [other, { phase }] of states.entries())
          if (other !== index && phase === 'leading') tell(other, { type: 'lost' })
        tell(index, { type: 'claimed', term: mine })
      })
    } else if (effect.do === 'drain') later(500, () => tell(index, { type: 'served' }))
  }

  for (const [index] of states.entries()) tell(index, { type: 'start' })
  for (; now < 300_000; now += 25) {
    for (const one of due.filter(({ at }) => at <= now)) {
      due.splice(due.indexOf(one), 1)
      one.run()
    }
    for (const [index] of states.entries()) tell(index, { type: 'tick' })
    if (!states.some(({ phase }) => phase === 'leading')) ledSinceMs = null
    else {
      ledSinceMs ??= now
      longestMs = Math.max(longestMs, now - ledSinceMs)
    }
  }
  return { terms: term, longestMs }
}

test('on a machine that is too busy to renew in time somebody leads for long, all the same', () => {
  const longest = Array.from({ length: 20 }, (_, seed) => busyMachine(seed + 1, 4).longestMs)
  assert.ok(Math.min(...longest) > 40_000, `the longest lead of each seed, ms: ${longest.join(', ')}`)
})
