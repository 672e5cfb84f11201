import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Claim, createLedger } from './ledger.ts'

const come = (ledger: ReturnType<typeof createLedger>, entry: string, peer = 'a', proven = false): Claim =>
  ledger.come({ entry, peer, proven, now: 0 }, 0)

test('what is not whole is dropped for others, of whoever holds the most, the oldest first', () => {
  const ledger = createLedger({ maxRequests: 100, maxBytes: 100_000 })
  const hoard = Array.from({ length: 9 }, () => come(ledger, 'open'))
  for (const claim of hoard) claim.grow(9_000)
  const dropped: Claim[] = []
  for (const claim of hoard) claim.onDrop = () => dropped.push(claim)
  const honest = come(ledger, 'github', 'b')
  honest.grow(5_000)
  assert.equal(honest.dropped, null)
  assert.ok(dropped.length > 0)
  assert.equal(dropped[0], hoard[0])
  assert.ok(ledger.bytes() <= 100_000)
  assert.equal(honest.admit(), true)
  for (const claim of [...hoard, honest]) claim.end()
  assert.equal(ledger.bytes(), 0)
})

test('one entry that fills what is at work leaves room for others, and more for who was verified', () => {
  const ledger = createLedger({ maxRequests: 100, maxBytes: 1e9 })
  const admitted = (entry: string, peer: string, proven = false) => {
    let count = 0
    while (come(ledger, entry, peer, proven).admit()) count++
    return count
  }
  const greedy = admitted('open', 'a')
  assert.ok(greedy >= 99 && greedy <= 102, `${greedy}`)
  const samePeer = admitted('other', 'a')
  assert.ok(samePeer >= 5, `another entry gets ${samePeer}`)
  const verified = admitted('github', 'a', true)
  assert.ok(verified >= 20, `verified senders get ${verified}`)
})

test('a request that still comes is none: thousands of them keep nobody from work', () => {
  const ledger = createLedger({ maxRequests: 10, maxBytes: 1e9 })
  for (let i = 0; i < 5_000; i++) come(ledger, 'open', `${i}`).grow(1)
  assert.equal(come(ledger, 'open', 'x').admit(), true)
})

test('verified before: dropped last', () => {
  const ledger = createLedger({ maxRequests: 10, maxBytes: 50_000 })
  const proven = come(ledger, 'github', 'g', true)
  proven.grow(30_000)
  for (let i = 0; i < 50; i++) come(ledger, 'github', 'x').grow(3_000)
  assert.equal(proven.dropped, null)
})
