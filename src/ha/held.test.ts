import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { election, lease } from './election.fixture.ts'
import { heldIn, heldText } from './held.ts'
import type { Lease } from './lock.ts'

const foreign = (revision: string, holder: string, durationMs: number): Lease => ({
  ...lease(revision, holder, { durationMs }),
  foreign: true,
})

describe('a lease for which everybody waits', () => {
  test('of another replica nothing is said, until it is silent for longer than our own lease', () => {
    const e = election()
    e.sees(lease('r1', 'other', { durationMs: 1e15 }))
    assert.equal(heldIn(e.state, e.config, 1_499), null)
    assert.deepEqual(heldIn(e.state, e.config, 1_500), {
      ...{ holder: 'other', foreign: false, sinceMs: 0, renewedMs: 0 },
      untilMs: 600_000,
    })
    e.at(1_600, { type: 'read', lease: lease('r2', 'other', { durationMs: 1e15 }) })
    assert.equal(heldIn(e.state, e.config, 1_700), null)
  })

  test('of who is not Vedette it is said at once, and for as long as he renews it', () => {
    const e = election()
    e.sees(foreign('r1', 'mallory', 4_000))
    e.at(900, { type: 'read', lease: foreign('r2', 'mallory', 4_000) })
    assert.deepEqual(heldIn(e.state, e.config, 901), {
      ...{ holder: 'mallory', foreign: true, sinceMs: 0, renewedMs: 900 },
      untilMs: 4_900,
    })
    e.at(1_000, { type: 'read', lease: null })
    assert.equal(heldIn(e.state, e.config, 1_000), null)
  })

  test('not of our own, nor while the lock cannot be read', () => {
    const e = election().leads()
    assert.equal(heldIn(e.state, e.config, 10_000), null)
    const other = election()
    other.sees(foreign('r1', 'mallory', 4_000))
    other.at(100, { type: 'lockFailed', unknown: false })
    assert.equal(heldIn(other.state, other.config, 200), null)
  })

  test('whoever may not stand names no end; words are bounded, whatever the name', () => {
    const e = election({ mayStand: false })
    e.sees(foreign('r1', 'm'.repeat(100_000), 4_000))
    const held = heldIn(e.state, e.config, 1)!
    const text = heldText(held, 'the Lease ns/eventsource-a', (ms) => `T${ms}`)
    assert.match(
      text,
      /^m{253}… holds the Lease ns\/eventsource-a since T0 .* last renewed at T0, this replica may not take it now$/,
    )
  })
})
