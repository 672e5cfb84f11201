import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { watchSilence } from './silence.ts'

test('silence is told once, when nothing was heard for the whole of the time; what is heard begins it anew', async () => {
  const clock = fakeClock()
  let told = 0
  const silence = watchSilence(clock, 10_000, () => told++)
  for (let i = 0; i < 5; i++) {
    await clock.advance(8_500)
    silence.broken()
  }
  assert.equal(told, 0)
  await clock.advance(10_000)
  assert.equal(told, 1)
  await clock.advance(60_000)
  assert.equal(told, 1)
})

test('a process that was frozen itself has heard nothing, which proves nothing', async () => {
  const clock = fakeClock()
  let told = 0
  const silence = watchSilence(clock, 10_000, () => told++)
  await clock.stall(60_000)
  silence.broken()
  await clock.advance(8_500)
  assert.equal(told, 0)
})

test('no longer watched, nothing is told', async () => {
  const clock = fakeClock()
  const silence = watchSilence(clock, 1_000, () => assert.fail())
  await clock.advance(900)
  silence.end()
  await clock.advance(10_000)
})
