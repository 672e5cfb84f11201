import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { election, lease, released } from './election.fixture.ts'
import { viewOf } from './state.ts'

describe('a standby takes the lease', () => {
  test('after its own duration when somebody else wrote its name, however long that is said to last', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    const forged = lease('r2', 'me', { durationMs: 1e15 })
    for (let now = 250; now < 1750; now += 250) {
      assert.deepEqual(e.words(now, { type: 'tick' }), ['read'])
      assert.deepEqual(e.words(now, { type: 'read', lease: forged }), [])
    }
    assert.equal(e.wakeAt, 1750)
    assert.deepEqual(e.words(1750, { type: 'tick' }), ['write me term 4 over r2'])
  })

  for (const { name, seen, over = {}, at, change } of [
    { name: 'at once when there is none', seen: null, at: 0, change: 'nobody' },
    { name: 'when it ran out: frozen, as nobody saw it die', seen: lease('r1', 'other'), at: 1500, change: 'frozen' },
    {
      name: 'when it ran out, with nobody to tell of deaths: expired',
      seen: lease('r1', 'other'),
      over: { watched: false },
      at: 1500,
      change: 'expired',
    },
    {
      name: 'by the duration that the holder stated',
      seen: lease('r1', 'other', { durationMs: 5000 }),
      at: 5000,
      change: 'frozen',
    },
    {
      name: 'after its own duration when the record states none',
      seen: lease('r1', 'other', { durationMs: Number.NaN }),
      at: 1500,
      change: 'frozen',
    },
    { name: 'within a moment after a release', seen: released('r1'), at: 10, change: 'nobody' },
    { name: 'at once when released to it', seen: released('r1', { successor: 'me' }), at: 0, change: 'nobody' },
    {
      name: 'a beat later when released to another',
      seen: released('r1', { successor: 'x' }),
      at: 260,
      change: 'nobody',
    },
    { name: 'at once when its own earlier process held it', seen: lease('r1', 'me'), at: 0, change: 'nobody' },
  ]) {
    test(name, () => {
      const e = election(over)
      const first = e.sees(seen)
      const write = `write me term ${seen === null ? 0 : 4} over ${seen === null ? null : 'r1'}`
      if (at === 0) assert.deepEqual(first, [write])
      else {
        assert.ok(!first.includes(write))
        assert.ok(e.wakeAt <= at)
        // It polls meanwhile, and finds the same revision.
        for (let now = 250; now < at; now += 250) {
          assert.deepEqual(e.words(now, { type: 'tick' }), ['read'])
          assert.deepEqual(e.words(now, { type: 'read', lease: seen }), [])
        }
        assert.deepEqual(e.words(at - 0.5, { type: 'tick' }), [])
        assert.equal(e.wakeAt, at)
        assert.deepEqual(e.words(at, { type: 'tick' }), [write])
      }
      assert.equal(e.state.phase, 'acquiring')
      assert.deepEqual(e.words(at, { type: 'written', lease: lease('r9', 'me') }), ['claim'])
      assert.equal(e.state.phase, 'claiming')
      const [serve, renew] = e.words(at, { type: 'claimed', term: 7 })
      assert.equal(serve, `serve after ${change}`)
      assert.equal(renew, 'write me term 7 over r9', 'the record soon carries the term')
      assert.equal(e.state.phase, 'leading')
    })
  }

  test('not while the holder renews', () => {
    const e = election()
    e.sees(lease('r0', 'other'))
    for (let i = 1; i < 40; i++) {
      assert.deepEqual(e.words(i * 250, { type: 'tick' }), ['read'])
      assert.deepEqual(e.words(i * 250, { type: 'read', lease: lease(`r${i}`, 'other') }), [])
    }
  })

  for (const { outageMs, takenAt } of [
    { outageMs: 1_000, takenAt: 2_500 },
    { outageMs: 10_000, takenAt: 11_750 },
  ])
    test(`after ${outageMs} ms without the lock, not before its holder could renew, which goes on under a fence`, () => {
      const e = election()
      e.sees(lease('r1', 'other'))
      for (let now = 250; now < 250 + outageMs; now += 250) {
        e.at(now, { type: 'tick' })
        e.at(now, { type: 'lockFailed', unknown: false })
      }
      const writes: number[] = []
      for (let now = 250 + outageMs; now < 20_000 && writes.length === 0; now += 250) {
        if (e.words(now, { type: 'tick' }).some((word) => word.startsWith('write'))) writes.push(now)
        else e.at(now, { type: 'read', lease: lease('r1', 'other') })
      }
      assert.deepEqual(writes, [takenAt])
    })

  test('after a time without the lock, at once where there is no fence: its holder has stopped', () => {
    const e = election({ strict: false })
    e.sees(lease('r1', 'other'))
    e.at(250, { type: 'tick' })
    e.at(3_000, { type: 'lockFailed', unknown: false })
    const words = [
      ...e.words(3_050, { type: 'tick' }),
      ...e.words(3_060, { type: 'read', lease: lease('r1', 'other') }),
    ]
    assert.ok(words.includes('write me term 4 over r1'), words.join())
  })

  test('not while the bus does not answer; at once when it does', () => {
    const e = election({ mayStand: false })
    assert.deepEqual(e.sees(null), [])
    assert.deepEqual(e.words(250, { type: 'tick' }), ['read'])
    e.config.mayStand = true
    assert.deepEqual(e.words(251, { type: 'read', lease: null }), ['write me term 0 over null'])
  })

  test('when told of a change, it reads at once, also when a read was under way', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(10, { type: 'changed' }), ['read'])
    assert.deepEqual(e.words(11, { type: 'changed' }), [])
    assert.deepEqual(e.words(12, { type: 'read', lease: lease('r1', 'other') }), ['read'])
    assert.deepEqual(e.words(13, { type: 'read', lease: released('r2', { successor: 'me' }) }), [
      'write me term 4 over r2',
    ])
    e.at(14, { type: 'written', lease: lease('r3', 'me') })
    const [effect] = e.at(15, { type: 'claimed', term: 5 })
    assert.deepEqual(effect, { do: 'serve', change: { from: 'other', reason: 'resigned', lossSeenAt: 13 } })
  })

  test('lost to another candidate: stands by and reads', () => {
    const e = election()
    e.sees(null)
    assert.deepEqual(e.words(1, { type: 'written', lease: null }), ['read'])
    assert.equal(e.state.phase, 'standby')
    assert.deepEqual(e.words(2, { type: 'read', lease: lease('r1', 'other') }), [])
  })

  test('whoever bears the same name and renews is another one', () => {
    const e = election()
    e.sees(lease('r1', 'me'))
    assert.deepEqual(e.words(1, { type: 'written', lease: null }), ['read'])
    assert.deepEqual(e.words(2, { type: 'read', lease: lease('r2', 'me') }), [])
    assert.equal(e.wakeAt, 252)
    assert.equal(viewOf(e.state, 'me').leader, null)
  })
})

describe('a standby whose lock was out of reach', () => {
  const away = (until: number) => {
    const e = election()
    e.sees(lease('r1', 'other'))
    e.at(250, { type: 'tick' })
    for (let now = 260; now < until; now = e.wakeAt) {
      e.at(now, { type: 'lockFailed', unknown: false })
      e.at(e.wakeAt, { type: 'tick' })
    }
    return e
  }

  test('for long: gives the holder, who could not renew either, the time to do so', () => {
    const e = away(60_000)
    assert.deepEqual(e.words(60_000, { type: 'read', lease: lease('r1', 'other') }), [])
    for (let now = e.wakeAt; now < 61_500; now = e.wakeAt) {
      assert.deepEqual(e.words(now, { type: 'tick' }), ['read'])
      assert.deepEqual(e.words(now, { type: 'read', lease: lease('r1', 'other') }), [])
    }
    assert.deepEqual(e.words(61_500, { type: 'tick' }), ['write me term 4 over r1'])
  })

  test('for a moment: that moment does not count against the holder', () => {
    const e = away(600)
    assert.deepEqual(e.words(600, { type: 'read', lease: lease('r1', 'other') }), [])
    assert.ok(!e.words(1500, { type: 'tick' }).includes('write me term 4 over r1'))
    assert.deepEqual(e.words(1500, { type: 'read', lease: lease('r1', 'other') }), [])
    assert.ok(e.words(1850, { type: 'tick' }).includes('write me term 4 over r1'))
  })
})

describe('suspicion', () => {
  test('makes it take over at once, and the change is a crash', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(100, { type: 'suspect', holder: 'other' }), ['write me term 4 over r1'])
    e.at(101, { type: 'written', lease: lease('r2', 'me') })
    const [effect] = e.at(102, { type: 'claimed', term: 5 })
    assert.deepEqual(effect, { do: 'serve', change: { from: 'other', reason: 'crash', lossSeenAt: 100 } })
  })

  test('counts for nothing where the bus has no fence', () => {
    const e = election({ strict: false })
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(100, { type: 'suspect', holder: 'other' }), [])
    assert.equal(e.wakeAt, 250)
  })

  test('of somebody else, or of itself, is nothing', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    assert.deepEqual(e.words(100, { type: 'suspect', holder: 'third' }), [])
    assert.deepEqual(e.words(100, { type: 'suspect', holder: 'me' }), [])
  })

  test('holds for a renewal that was seen late, not for one that comes later', () => {
    const e = election()
    e.sees(lease('r1', 'other'))
    e.at(100, { type: 'suspect', holder: 'other' })
    assert.deepEqual(e.words(101, { type: 'written', lease: null }), ['read'])
    assert.deepEqual(e.words(102, { type: 'read', lease: lease('r2', 'other') }), ['write me term 4 over r2'])
    assert.deepEqual(e.words(103, { type: 'written', lease: null }), ['read'])
    assert.deepEqual(e.words(400, { type: 'read', lease: lease('r3', 'other') }), [], 'it lives after all')
  })

  test('during a call waits for its answer', () => {
    const e = election()
    e.at(0, { type: 'start' })
    assert.deepEqual(e.words(1, { type: 'suspect', holder: 'other' }), [])
    assert.deepEqual(e.words(2, { type: 'read', lease: lease('r1', 'other') }), ['write me term 4 over r1'])
  })
})
