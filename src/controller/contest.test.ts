import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { KubeObject } from '../kube/resources.ts'
import { createContests, lastChangedBy } from './contest.ts'
import { createPace } from './pace.ts'

suite('objects that are fought over', () => {
  const start = () => {
    const clock = fakeClock()
    const contests = createContests(clock)
    return { clock, contests, may: () => contests.mayRepair('x') }
  }

  test('what happens now and then is put back', async () => {
    const { clock, contests, may } = start()
    for (let i = 0; i < 20; i++) {
      assert.ok(may())
      assert.equal(contests.contested('x'), null)
      await clock.advance(60_000)
    }
  })

  test('what comes back at once is left alone, twice as long each time, and tried once after each', async () => {
    const { clock, contests, may } = start()
    for (let i = 0; i < 4; i++) assert.ok(may())
    let pauseMs = 10_000
    for (let round = 0; round < 9; round++) {
      assert.equal(may(), false)
      assert.equal(contests.contested('x'), clock.now() + pauseMs)
      assert.equal(may(), false)
      assert.ok(contests.mayRepair('other'), 'of others nothing is thought')
      await clock.advance(pauseMs)
      assert.ok(may(), 'tried again')
      pauseMs = Math.min(600_000, pauseMs * 2)
    }
  })

  test('it is over when what was put back has lasted', async () => {
    const { clock, contests, may } = start()
    for (let i = 0; i < 5; i++) may()
    await clock.advance(10_000)
    assert.ok(may())
    assert.notEqual(contests.contested('x'), null)
    await clock.advance(121_000)
    assert.equal(contests.contested('x'), null)
    assert.ok(may())
  })

  test('who it was is what the API server kept last', () => {
    const changed = (...managedFields: object[]): KubeObject => ({
      apiVersion: 'v1',
      kind: 'X',
      metadata: { name: 'x', managedFields },
    })
    const ours = { manager: 'vedette-controller', time: '2026-01-01T00:00:05Z' }
    const scale = { manager: 'kube-controller-manager', subresource: 'scale', time: '2026-01-01T00:00:05Z' }
    const status = { manager: 'kube-controller-manager', subresource: 'status', time: '2026-01-01T00:00:09Z' }
    const older = { manager: 'kubectl', time: '2026-01-01T00:00:01Z' }
    assert.equal(lastChangedBy(changed(ours, older, status, scale)), '"kube-controller-manager" (scale)')
    assert.equal(lastChangedBy(changed(older, ours, status)), 'another vedette-controller')
    assert.equal(lastChangedBy(changed()), '"unknown"')
  })
})

test('an object that never rests is looked at once in five seconds', async () => {
  const clock = fakeClock()
  const pace = createPace(clock)
  let worked = 0
  for (let i = 0; i < 600; i++) {
    if (pace('busy') === 0) worked++
    assert.equal(pace(`calm ${i}`), 0)
    await clock.advance(100)
  }
  // 60 at once, then one in five seconds for what is left of the minute.
  assert.ok(worked >= 68 && worked <= 74, `${worked}`)
})
