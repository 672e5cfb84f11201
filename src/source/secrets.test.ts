import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { acceptedSecrets, providerSecret, secretsIn } from './secrets.ts'

const selector = { name: 's', key: 'k' }

test('a value holds one secret a line; blank lines are none', () => {
  assert.deepEqual(secretsIn('a'), ['a'])
  assert.deepEqual(secretsIn('new\r\nold\n\n'), ['new', 'old'])
  assert.deepEqual(secretsIn(' a b '), [' a b '])
  assert.deepEqual(secretsIn('\n'), [])
})

test('read on use, but not more than once a second; a flood of uses is one read', async () => {
  const clock = fakeClock()
  let reads = 0
  const secrets = acceptedSecrets(selector, { clock, secret: async () => `v${reads++}` })
  assert.deepEqual(await Promise.all(Array.from({ length: 50 }, secrets)), Array(50).fill(['v0']))
  await clock.advance(999)
  assert.deepEqual(await secrets(), ['v0'])
  await clock.advance(1)
  assert.deepEqual(await secrets(), ['v1'])
})

test('what was replaced is accepted for the grace, counted from its replacement; without a grace not at all', async () => {
  const clock = fakeClock()
  let value = 'a'
  const source = { clock, secret: async () => value }
  const [lenient, strict] = [acceptedSecrets(selector, source, 10_000), acceptedSecrets(selector, source)]
  const both = async () => [await lenient(), await strict()]
  assert.deepEqual(await both(), [['a'], ['a']])
  value = 'b'
  await clock.advance(1_000)
  assert.deepEqual(await both(), [['b', 'a'], ['b']])
  await clock.advance(5_000)
  assert.deepEqual(await both(), [['b', 'a'], ['b']])
  value = 'a'
  await clock.advance(1_000)
  assert.deepEqual(await both(), [['a', 'b'], ['a']], 'put back')
  await clock.advance(10_000)
  assert.deepEqual(await both(), [['a'], ['a']])
})

test('an empty or missing value is an error that names the Secret; a failed read is tried again', async () => {
  const clock = fakeClock()
  let value = '\n'
  const secrets = acceptedSecrets(selector, { clock, secret: async () => value })
  await assert.rejects(secrets(), { code: 'SECRET_MISSING', message: /Secret s has nothing under k/ })
  value = 'a'
  await clock.advance(1_000)
  assert.deepEqual(await secrets(), ['a'])
})

test('a provider is given the first one', async () => {
  const ctx = { secret: async () => 'new\nold' }
  assert.equal(await providerSecret(ctx, selector), 'new')
  assert.equal(await providerSecret(ctx, undefined), undefined)
})
