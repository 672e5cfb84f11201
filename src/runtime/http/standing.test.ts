import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStanding } from './standing.ts'

test('the last requests decide; who is not known stands as the entry does', () => {
  const standing = createStanding()
  assert.equal(standing.isProven('open', 'a'), false)
  standing.failed('open', 'a')
  standing.proved('github', 'a')
  assert.equal(standing.isProven('github', 'a'), true)
  assert.equal(standing.isProven('github', 'new'), true)
  assert.equal(standing.isProven('open', 'a'), false)
})

test('forged requests take the standing from those who send them, and from strangers, not from who was verified', () => {
  const standing = createStanding()
  for (let i = 0; i < 5; i++) standing.proved('github', 'a')
  for (let i = 0; i < 100; i++) standing.failed('github', `x${i}`)
  assert.equal(standing.isProven('github', 'a'), true)
  assert.equal(standing.isProven('github', 'x1'), false)
  assert.equal(standing.isProven('github', 'new'), false)
})

test('one that was verified and then sends only forged ones loses it', () => {
  const standing = createStanding()
  standing.proved('github', 'a')
  for (let i = 0; i < 3; i++) standing.failed('github', 'a')
  assert.equal(standing.isProven('github', 'a'), false)
})
