import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from './clock.ts'

test('the wall clock agrees with Date and has more than milliseconds', () => {
  let fractions = 0
  for (let i = 0; i < 2000; i++) {
    const before = Date.now()
    const now = systemClock.now()
    const after = Date.now()
    assert.ok(now > before - 3 && now < after + 3, `${before} ${now} ${after}`)
    if (!Number.isInteger(now)) fractions++
  }
  assert.ok(fractions > 0)
})

test('the wall clock does not go back when the process is descheduled while it reads', (t) => {
  const date = Date.now
  let late = 0
  // as if the process stood still for 50 ms just after the inner reading
  t.mock.method(Date, 'now', () => {
    const now = date()
    if (late++ === 1) while (date() < now + 50) {}
    return now
  })
  const first = systemClock.now()
  const second = systemClock.now()
  const third = systemClock.now()
  assert.ok(second >= first && third >= second, `${first} ${second} ${third}`)
})

test('the wall clock follows a step', (t) => {
  const date = Date.now
  t.mock.method(Date, 'now', () => date() + 3_600_000)
  assert.ok(Math.abs(systemClock.now() - date() - 3_600_000) < 50)
})
