import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { base, election, lease, record, released } from './election.fixture.ts'
import { step, wakeAt } from './election.ts'
import type { ElectionConfig } from './standing.ts'
import { type Election, type ElectionEvent, notStarted, viewOf } from './state.ts'

describe('a leader', () => {
  test('renews every retry pause over the revision it holds', () => {
    const e = election().leads()
    assert.equal(e.wakeAt, 250)
    assert.deepEqual(e.words(250, { type: 'tick' }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(251, { type: 'written', lease: lease('r3', 'me') }), [])
    assert.equal(e.wakeAt, 501)
    assert.deepEqual(e.words(300, { type: 'changed' }), [], 'most changes are its own')
  })

  test('that finds another holder stops at once, and stands by when it has drained', () => {
    const e = election().leads()
    e.at(250, { type: 'tick' })
    assert.deepEqual(e.words(251, { type: 'written', lease: null }), ['drain lost', 'read'])
    assert.deepEqual(viewOf(e.state, 'me').state, 'draining')
    assert.deepEqual(e.words(252, { type: 'read', lease: lease('x1', 'other', { term: 6 }) }), [])
    assert.deepEqual(e.words(300, { type: 'served' }), ['released'])
    assert.deepEqual(viewOf(e.state, 'me'), { state: 'standby', leader: 'other', term: 6 })
  })

  test('with a fence keeps leading while the lock cannot be reached', () => {
    const e = election().leads()
    for (let now = 250; now < 60_000; now = e.wakeAt) {
      assert.deepEqual(e.words(now, { type: 'tick' }), ['write me term 5 over r2'])
      e.at(now + 1, { type: 'lockFailed', unknown: false })
      assert.equal(e.state.phase, 'leading')
      assert.ok(e.wakeAt > now + 1, 'not in circles')
    }
  })

  test('without a fence gives up when the renew deadline has passed', () => {
    const e = election({ strict: false }).leads()
    e.at(250, { type: 'tick' })
    assert.equal(e.wakeAt, 1000, 'also while a call is under way')
    assert.deepEqual(e.words(999, { type: 'tick' }), [])
    assert.deepEqual(e.words(1000, { type: 'tick' }), ['drain lost'])
  })

  test('recognises its own renewal whose answer was lost', () => {
    const e = election().leads()
    e.at(250, { type: 'tick' })
    assert.deepEqual(e.words(1250, { type: 'lockFailed', unknown: true }), [])
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['read'])
    assert.deepEqual(e.words(1275, { type: 'read', lease: lease('r3', 'me') }), ['write me term 5 over r3'])
    assert.equal(e.state.phase, 'leading')
    assert.equal(e.state.renewedAt, 250, 'as of when it was sent')
  })

  test('whose renewal of unknown outcome lands late is not confused by it', () => {
    const e = election().leads()
    e.at(250, { type: 'tick' })
    e.at(1250, { type: 'lockFailed', unknown: true })
    e.at(e.wakeAt, { type: 'tick' })
    assert.deepEqual(e.words(1275, { type: 'read', lease: lease('r2', 'me') }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(1276, { type: 'written', lease: null }), ['read'], 'the late one was faster')
    assert.deepEqual(e.words(1277, { type: 'read', lease: lease('r3', 'me') }), ['write me term 5 over r3'])
    assert.equal(e.state.phase, 'leading')
  })

  test('refused by the bus drains, then claims again if the lease is still here', () => {
    const e = election().leads()
    assert.deepEqual(e.words(100, { type: 'lost' }), ['drain lost'])
    assert.deepEqual(e.words(101, { type: 'served' }), ['write me term 5 over r2'])
    assert.deepEqual(e.words(102, { type: 'written', lease: lease('r3', 'me') }), ['claim'])
    assert.deepEqual(e.words(103, { type: 'claimed', term: 7 })[0], 'serve after nobody')
  })

  test('refused by the bus stands by if the lease is gone', () => {
    const e = election().leads()
    e.at(100, { type: 'lost' })
    e.at(101, { type: 'served' })
    assert.deepEqual(e.words(102, { type: 'written', lease: null }), ['read'])
    assert.equal(e.state.phase, 'standby')
  })

  test('that stops serving by itself gives the lead up, and comes last', () => {
    const e = election().leads()
    assert.deepEqual(e.words(100, { type: 'served' }), ['drain handOver', 'write released term 5 over r2'])
    assert.deepEqual(e.words(101, { type: 'written', lease: released('r3') }), ['released'])
    assert.ok(e.wakeAt <= 351)
    e.at(351, { type: 'tick' })
    e.at(351, { type: 'read', lease: released('r3') })
    e.at(601, { type: 'tick' })
    e.at(601, { type: 'read', lease: released('r3') })
    assert.deepEqual(e.words(850, { type: 'tick' }), [])
    assert.deepEqual(
      e.words(851, { type: 'tick' }),
      ['write me term 4 over r3'].map((w) => w.replace('4', '5')),
    )
  })
})

describe('a leader from whom the bus takes nothing', () => {
  /** Renews each second, and says so each time. @returns when it gave the lead up; null: never in these seconds */
  function failing(e: ReturnType<typeof election>, seconds: number, { from = 0, since = 0 } = {}): number | null {
    for (let now = from + 1_000; now <= from + seconds * 1_000; now += 1_000) {
      e.at(now, { type: 'tick' })
      e.at(now, { type: 'written', lease: lease(`n${now}`, 'me') })
      if (e.words(now, { type: 'failing', since }).includes('drain handOver')) return now
    }
    return null
  }

  test('hands the lead over when the lock is apart: another may reach the bus', () => {
    assert.equal(failing(election().leads(), 20), 6_000)
  })

  test('keeps it when the lock is on the bus: nobody would do better; but not for ever', () => {
    const e = election({ lockOnBus: true }).leads()
    assert.equal(failing(e, 60), null)
    assert.equal(failing(e, 10, { from: 60_000 }), 61_000)
  })

  test('keeps it while it cannot reach the lock either, and for as long after that as ever', () => {
    const e = election().leads()
    e.at(250, { type: 'tick' })
    e.at(251, { type: 'lockFailed', unknown: false })
    assert.deepEqual(e.words(9_000, { type: 'failing', since: 0 }), ['write me term 5 over r2'])
    e.at(9_001, { type: 'written', lease: lease('r3', 'me') })
    assert.deepEqual(e.words(9_002, { type: 'failing', since: 0 }), [])
    assert.equal(failing(e, 20, { from: 9_001 }), 15_001)
  })
})

describe('handing over', () => {
  test('drains while renewing, then releases to the successor', () => {
    const e = election().leads()
    assert.deepEqual(e.words(100, { type: 'handOver', successor: 'x' }), ['drain handOver'])
    assert.deepEqual(e.words(250, { type: 'tick' }), ['write me term 5 over r2'], 'still renews')
    e.at(251, { type: 'written', lease: lease('r3', 'me') })
    assert.deepEqual(e.words(300, { type: 'served' }), ['write released to x term 5 over r3'])
    assert.deepEqual(e.words(301, { type: 'written', lease: released('r4', { successor: 'x' }) }), ['released'])
    assert.deepEqual(viewOf(e.state, 'me'), { state: 'standby', leader: null, term: null })
  })

  test('by who does not lead is nothing', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(1, { type: 'handOver' }), ['released'])
  })

  test('repeats a release that did not get through, and one whose answer was lost is recognised', () => {
    const e = election().leads()
    e.at(100, { type: 'handOver' })
    e.at(100, { type: 'served' })
    e.at(101, { type: 'lockFailed', unknown: false })
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['write released term 5 over r2'])
    e.at(150, { type: 'lockFailed', unknown: true })
    assert.deepEqual(e.words(e.wakeAt, { type: 'tick' }), ['read'])
    assert.deepEqual(e.words(200, { type: 'read', lease: released('r3') }), ['released', 'read'])
    assert.equal(e.state.resigned, 'r3')
  })

  test('with an unreachable lock ends when the lease has run out by itself', () => {
    const e = election().leads()
    e.at(100, { type: 'handOver' })
    e.at(100, { type: 'served' })
    let words: string[] = []
    let now = 101
    while (now < 3000 && !words.includes('released')) {
      e.at(now, { type: 'lockFailed', unknown: false })
      assert.ok(e.wakeAt > now)
      now = e.wakeAt
      words = e.words(now, { type: 'tick' })
    }
    assert.ok(now >= 1500 && now < 1800, `${now}`)
    assert.ok(words.includes('released'))
    assert.equal(e.state.renewedAt, null)
  })
})

describe('stopping', () => {
  test('as a standby ends at once', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(1, { type: 'stop' }), ['ended'])
    assert.deepEqual(e.words(2, { type: 'tick' }), [])
    assert.equal(e.wakeAt, Number.POSITIVE_INFINITY)
  })

  test('as leader drains, releases, ends', () => {
    const e = election().leads()
    assert.deepEqual(e.words(1, { type: 'stop' }), ['drain handOver'])
    assert.deepEqual(e.words(2, { type: 'served' }), ['write released term 5 over r2'])
    assert.deepEqual(e.words(3, { type: 'written', lease: released('r3') }), ['released', 'ended'])
  })

  test('while acquiring releases what it got, without a claim', () => {
    const e = election()
    e.sees(null)
    assert.deepEqual(e.words(1, { type: 'stop' }), [])
    assert.deepEqual(e.words(2, { type: 'written', lease: lease('r1', 'me', { term: 0 }) }), [
      'write released term 0 over r1',
    ])
  })

  test('while claiming waits for the outcome, which would depose the next leader if it came later', () => {
    const e = election()
    e.sees(null)
    e.at(1, { type: 'written', lease: lease('r1', 'me', { term: 0 }) })
    assert.deepEqual(e.words(2, { type: 'stop' }), [])
    assert.deepEqual(e.words(3, { type: 'claimed', term: 3 }), ['write released term 3 over r1'])
    assert.deepEqual(e.words(4, { type: 'written', lease: released('r2') }), ['released', 'ended'])
  })
})

/** Any event, at any time, with answers only to calls that are under way. */
const anyEvent = fc.record({
  after: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 3000 })),
  kind: fc.constantFrom(
    'tick',
    'lock',
    'lock',
    'lock',
    'claim',
    'served',
    'changed',
    'suspect',
    'lost',
    'reclaim',
    'handOver',
  ),
  holder: fc.constantFrom('me', 'other', 'third', ''),
  luck: fc.constantFrom('good', 'good', 'good', 'lost', 'failed', 'unknown'),
  strict: fc.boolean(),
  mayStand: fc.constantFrom(true, true, true, false),
})

test('whatever comes in whatever order: one call at a time, the claim after a write, serving after a claim, no circles', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 80 }), (events) => {
      let state: Election = notStarted
      let [now, revision] = [0, 0]
      let [calls, claims, serving] = [0, 0, false]
      let mayClaim = false
      const tell = (event: ElectionEvent, config: ElectionConfig) => {
        const before = state
        const { state: next, effects } = step(state, event, config)
        state = next
        for (const effect of effects) {
          if (effect.do === 'read' || effect.do === 'write') calls++
          if (effect.do === 'claim') {
            assert.ok(
              mayClaim || (config.strict && before.phase === 'leading'),
              'claims without a write that succeeded',
            )
            claims++
          }
          if (effect.do === 'serve') {
            assert.ok(!serving, 'serves twice')
            assert.equal(event.type, 'claimed')
            serving = true
          }
          if (effect.do === 'write' && effect.record.released) assert.ok(!serving, 'releases while serving')
        }
        assert.ok(calls <= 1, 'two lock calls at once')
        assert.ok(claims <= 1, 'two claims at once')
        assert.equal(state.serving, serving)
      }
      tell({ type: 'start', now }, base)
      for (const { after, kind, holder, luck, strict, mayStand } of events) {
        now += after
        const config = { ...base, strict, mayStand }
        mayClaim = false
        if (kind === 'lock') {
          if (calls === 0) continue
          calls--
          const held = { record: record(holder, { released: holder === '' }), revision: `r${++revision}` }
          if (luck === 'failed' || luck === 'unknown')
            tell({ type: 'lockFailed', now, unknown: luck === 'unknown' }, config)
          else if (state.call === 'read')
            tell({ type: 'read', now, lease: luck === 'lost' ? state.lease : held }, config)
          else {
            mayClaim = luck === 'good'
            const mine = {
              record: record('me', { released: state.phase === 'releasing' && !serving }),
              revision: `r${revision}`,
            }
            tell({ type: 'written', now, lease: luck === 'good' ? mine : null }, config)
          }
        } else if (kind === 'claim') {
          if (claims === 0) continue
          claims--
          if (luck === 'good') tell({ type: 'claimed', now, term: state.term + 1 }, config)
          else tell({ type: 'claimFailed', now, fenced: luck === 'lost' }, config)
        } else if (kind === 'served') {
          if (!serving) continue
          serving = false
          tell({ type: 'served', now }, config)
        } else if (kind === 'suspect') tell({ type: 'suspect', now, holder }, config)
        else tell({ type: kind as 'tick', now }, config)
        // Woken when it asked to be, it either does something or asks for a later time.
        for (let i = 0; wakeAt(state, config) <= now; i++) {
          assert.ok(i < 3, `asks to be woken at ${wakeAt(state, config)}, and at ${now} does nothing`)
          tell({ type: 'tick', now }, config)
        }
      }
    }),
    { numRuns: 3000 },
  )
})
