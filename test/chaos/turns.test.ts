/** Who holds the same waits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { newTurns } from './turns.ts'

test('what holds the same goes one after the other, in order, also after a failure; the rest at once', async () => {
  const turns = newTurns(0)
  const order: string[] = []
  const slow = Promise.withResolvers<void>()
  const first = turns.take('bus', async () => {
    await slow.promise
    order.push('first')
    throw new Error('it fails')
  })
  const second = turns.take('bus', async () => void order.push('second'))
  await turns.take('run', async () => void order.push('other'))
  await turns.take(null, async () => void order.push('free'))
  await turn()
  assert.deepEqual(order, ['other', 'free'])
  slow.resolve()
  await assert.rejects(first)
  await second
  assert.deepEqual(order, ['other', 'free', 'first', 'second'])
})

test('it is quiet when whoever asks is alone, and nothing has just ended', async () => {
  const turns = newTurns(50)
  assert.ok(await turns.take('a', async () => turns.quiet()))
  assert.ok(!(await turns.take('a', async () => turns.quiet())))
  const other = Promise.withResolvers<void>()
  const alone = newTurns(0)
  const going = alone.take('b', () => other.promise)
  assert.ok(!(await alone.take('a', async () => alone.quiet())))
  other.resolve()
  await going
  assert.ok(await alone.take('a', async () => alone.quiet()))
})
