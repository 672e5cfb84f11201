import assert from 'node:assert/strict'
import test from 'node:test'
import { election, lease } from './election.fixture.ts'
import { acquireAt } from './standing.ts'
import { nobody, patienceOf, tenureAfter } from './unrest.ts'

test('leads that run out one soon after the other are unrest; what was given up, or lasted, is none', () => {
  const lost = (holder: string, now: number, before = nobody) => tenureAfter(before, { holder, ranOut: true }, now)
  let tenure = lost('a', 0)
  assert.equal(tenure.unrest, 0, 'the first one')
  assert.equal(patienceOf(1_500, tenure), 1_500)
  for (const [holder, now, unrest, patienceMs] of [
    ['b', 3_000, 1, 1_500],
    ['c', 6_000, 2, 3_000],
    ['a', 12_000, 3, 6_000],
    ['b', 21_000, 4, 12_000],
    ['c', 22_000, 5, 15_000],
  ] as const) {
    tenure = lost(holder, now, tenure)
    assert.equal(tenure.unrest, unrest)
    assert.equal(patienceOf(1_500, tenure), patienceMs)
  }
  assert.equal(patienceOf(20_000, tenure), 20_000, 'never less than the lease itself')
  assert.equal(tenureAfter(tenure, { holder: 'a', ranOut: false }, 23_000).unrest, 5, 'given up: as before')
  assert.equal(lost('a', 40_000, tenure).unrest, 5, 'it lasted for a while')
  assert.equal(tenureAfter(tenure, { holder: 'c', ranOut: false }, 83_000).unrest, 0, 'it is calm')
  assert.equal(lost('a', 90_000, tenure).unrest, 0)
})

/** Sees these take the lease, one after the other, each a second after the one before it. */
function seesTakers(suspects: boolean) {
  const e = election()
  const takers = ['a', 'b', 'c', 'd']
  e.sees(lease('r0', 'z'))
  for (const [i, taker] of takers.entries()) {
    const now = (i + 1) * 1_000
    if (suspects) e.at(now, { type: 'suspect', holder: takers[i - 1] ?? 'z' })
    e.at(now, { type: 'read', lease: lease(`r${i + 1}`, taker) })
  }
  return e
}

test('a standby that has seen many leases run out soon waits longer for the next one, unless its holder is known to be dead', () => {
  const e = seesTakers(false)
  assert.equal(e.state.tenure.unrest, 4)
  assert.equal(acquireAt(e.state, e.config), 4_000 + 12_000)
  e.at(4_100, { type: 'suspect', holder: 'd' })
  assert.equal(acquireAt(e.state, e.config), 4_100)
})

test('who takes over from the dead makes no unrest', () => {
  const e = seesTakers(true)
  assert.equal(e.state.tenure.unrest, 0)
  assert.equal(acquireAt(e.state, e.config), 4_000 + 1_500)
})
