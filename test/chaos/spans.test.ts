/** What a hot standby must have. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Deaf, isPromised, type Span } from './spans.ts'

const sent: Span = { fromMs: 100_000, toMs: 100_005 }
const deaf = (replica: Deaf['replica'], fromMs: number, toMs: number): Deaf => ({ replica, fromMs, toMs })
const promised = (all: Deaf[], away: Span[] = []) => isPromised(sent, 2, all, away)

test('promised while one replica that heard it lives on until it is on the bus', () => {
  assert.ok(promised([]))
  assert.ok(promised([deaf(0, 100_001, 112_000)]))
  assert.ok(promised([deaf(0, 90_000, 99_999), deaf(1, 125_000, 130_000)]))
})

test('not promised when nobody heard it, or who heard it died before it was stored', () => {
  assert.ok(!promised([deaf('all', 99_000, 101_000)]))
  assert.ok(!promised([deaf(0, 90_000, 100_001), deaf(1, 104_000, 110_000)]))
  assert.ok(!promised([deaf(0, 99_500, 105_000), deaf(1, 99_900, 105_000)]))
})

test('while the bus is away it takes longer until it is stored', () => {
  const later = [deaf(0, 100_001, 112_000), deaf(1, 118_000, 120_000)]
  assert.ok(promised(later))
  assert.ok(!promised(later, [{ fromMs: 101_000, toMs: 109_000 }]))
})
