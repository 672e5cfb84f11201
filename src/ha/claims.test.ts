/** Claims: what an election that holds the lease does until it may serve, and once more under the same lease. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { election, lease } from './election.fixture.ts'
import type { ElectionConfig } from './standing.ts'

describe('claiming', () => {
  const claiming = (over: Partial<ElectionConfig> = {}) => {
    const e = election(over)
    e.sees(null)
    e.at(0, { type: 'written', lease: lease('r1', 'me', { term: 0 }) })
    return e
  }

  test('refused: looks at the lease first, and again after a pause', () => {
    const e = claiming()
    assert.deepEqual(e.words(1, { type: 'claimFailed', fenced: true }), ['write me term 0 over r1'])
    assert.deepEqual(e.words(2, { type: 'written', lease: lease('r2', 'me') }), ['claim'])
    assert.deepEqual(e.words(3, { type: 'claimFailed', fenced: true }), [])
    assert.ok(e.wakeAt > 3)
  })

  test('for long in vain: lets another try', () => {
    const e = claiming()
    let now = 0
    for (; now < 10_000 && e.state.phase === 'claiming'; now++) {
      const words = e.words(now, { type: 'tick' })
      if (words.some((word) => word.startsWith('write me'))) {
        e.at(now, { type: 'written', lease: lease(`n${now}`, 'me', { term: 0 }) })
      }
      if (e.state.claiming) e.at(now, { type: 'claimFailed', fenced: false })
    }
    assert.ok(now > 3000 && now < 3500, `${now}`)
    assert.equal(e.state.after, 'release')
  })

  test('in vain on a bus that keeps the lock, too: goes on, as others would fare no better', () => {
    const e = election({ lockOnBus: true })
    e.sees(null)
    e.at(0, { type: 'written', lease: lease('r1', 'me', { term: 0 }) })
    for (let now = 0; now < 30_000; now += 250) {
      e.at(now, { type: 'tick' })
      if (e.state.call === 'write') e.at(now, { type: 'written', lease: lease(`n${now}`, 'me', { term: 0 }) })
      if (e.state.claiming) e.at(now, { type: 'claimFailed', fenced: false })
    }
    assert.equal(e.state.phase, 'claiming')
  })

  test('that took longer than the renew deadline serves under a fence', () => {
    const e = claiming()
    assert.deepEqual(e.words(1200, { type: 'claimed', term: 3 }), ['serve after nobody', 'write me term 3 over r1'])
  })

  test('that took longer than the renew deadline is repeated after a renewal where nothing fences', () => {
    const e = claiming({ strict: false })
    assert.deepEqual(e.words(1200, { type: 'claimed', term: 3 }), ['write me term 3 over r1'])
    assert.deepEqual(e.words(1201, { type: 'written', lease: lease('r2', 'me') }), ['claim'])
    assert.equal(e.words(1202, { type: 'claimed', term: 4 })[0], 'serve after nobody')
  })

  test('whose lease is lost meanwhile does not serve', () => {
    const e = claiming()
    e.at(250, { type: 'tick' })
    e.at(251, { type: 'written', lease: null })
    assert.equal(e.state.phase, 'standby')
    assert.deepEqual(e.words(252, { type: 'claimed', term: 3 }), [])
    assert.equal(e.state.phase, 'standby')
  })
})

describe('a claim under the same lease', () => {
  test('comes after a renewal', () => {
    const e = election().leads()
    assert.deepEqual(e.words(100, { type: 'reclaim' }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(101, { type: 'written', lease: lease('r3', 'me') }), ['claim'])
    assert.deepEqual(e.words(102, { type: 'claimed', term: 6 }), ['reclaimed', 'write me term 6 over r3'])
    assert.equal(e.state.phase, 'leading')
  })

  test('does not wait for an unreachable lock, unless it has been refused', () => {
    const e = election().leads()
    e.at(100, { type: 'reclaim' })
    assert.deepEqual(e.words(101, { type: 'lockFailed', unknown: false }), ['claim'])
    assert.deepEqual(e.words(102, { type: 'claimFailed', fenced: true }), [])
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(160, { type: 'lockFailed', unknown: false }), [])
  })

  test('asks the lock anew when what was asked before the doubt fails: cut off meanwhile, somebody else may lead', () => {
    const e = election().leads()
    // A renewal is on its way for seconds; then the connection breaks, which leaves a write of an event in doubt too, and comes back.
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(4_000, { type: 'reclaim' }), [])
    assert.deepEqual(e.words(4_001, { type: 'lockFailed', unknown: true }), [])
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['read'])
    assert.deepEqual(e.words(4_030, { type: 'read', lease: lease('r9', 'other', { term: 6 }) }), ['drain lost', 'read'])
  })

  test('finds the lease gone', () => {
    const e = election().leads()
    e.at(100, { type: 'reclaim' })
    assert.deepEqual(e.words(101, { type: 'written', lease: null }), ['drain lost', 'read'])
  })
})
