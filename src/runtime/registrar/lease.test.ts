import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fakeClock, passUntil as until } from '../../../test/fake-clock.ts'
import { memoryBusWorld } from '../../bus/memory.ts'
import { withLease } from './lease.ts'

test('one at a time, given back, taken over only when it stands still', async (t) => {
  const [clock, world] = [fakeClock(), memoryBusWorld()]
  const lease = (index: number) => {
    const bus = world.connect(`host-${index}`)
    t.after(() => bus.close())
    return { kv: bus.kv, key: 'k', holder: `es-${index}`, clock }
  }
  const { signal } = new AbortController()
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const held = withLease(lease(0), signal, async () => {
    order.push('first')
    await first.promise
  })
  await until(clock, () => order.length === 1, 'held')
  const waiting = withLease(lease(1), signal, async () => void order.push('second'))
  // Renewed, so it never stands still for long enough.
  for (let i = 0; i < 60; i++) {
    await clock.advance(1000)
    await pause(1)
  }
  assert.deepEqual(order, ['first'])
  first.resolve()
  await held
  await until(clock, () => order.length === 2, 'next')
  await waiting
})
