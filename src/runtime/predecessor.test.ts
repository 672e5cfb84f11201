/** What Argo Events' Pods leave, as a first term of ours finds it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { Stored } from '../bus/bus.ts'
import { encodeEvent } from '../core/event.ts'
import { watchPredecessor } from './predecessor.ts'

const source = { namespace: 'default', name: 'es' }

function setUp(follows = 5) {
  const clock = fakeClock()
  const world = {
    clock,
    beside: false,
    looks: 0,
    broken: false,
    onBus: [] as Stored[],
    stop: new AbortController(),
  }
  const watch = watchPredecessor({
    bus: {
      async others(_source, _entry, limit) {
        return world.onBus.slice(-limit)
      },
    },
    ...{ source, entry: 'e', follows, clock },
    beside: () => world.beside,
    async look() {
      world.looks++
      if (world.broken) throw new Error('the origin is away')
      return `look ${world.looks}`
    },
  })
  /** What a term finds that begins now. */
  const found = async () => {
    const one = watch.found()
    if (world.beside) await clock.advance(500)
    return await one
  }
  return { world, watch, found }
}

test('a standby looks while they serve, every minute; what counts is the older of the last two looks', async () => {
  const { world, watch, found } = setUp()
  const attended = watch.attend(world.stop.signal)
  await world.clock.advance(10_000)
  assert.equal(world.looks, 0, 'nobody of theirs is there')
  assert.equal(watch.looked(), false)
  world.beside = true
  await world.clock.advance(1_000)
  const firstMs = world.clock.now() - 800
  assert.equal(watch.looked(), true)
  assert.deepEqual(await found(), { told: [], seen: { atMs: firstMs, look: 'look 1' } })
  await world.clock.advance(60_000)
  assert.equal(world.looks, 2)
  assert.equal((await found())?.seen?.look, 'look 1')
  await world.clock.advance(60_000)
  assert.equal((await found())?.seen?.look, 'look 2')
  world.beside = false
  await world.clock.advance(600_000)
  assert.equal(world.looks, 3, 'and not once they are gone')
  world.stop.abort()
  await attended
  assert.equal((await found())?.seen?.look, 'look 2', 'it is for the term that follows')
})

test('who serves needs no look any more', async () => {
  const { watch, found } = setUp()
  assert.equal(watch.looked(), false)
  assert.equal(await found(), null)
  assert.equal(watch.looked(), true)
})

test('an origin that cannot be looked at is looked at again soon', async () => {
  const { world, watch, found } = setUp()
  world.beside = world.broken = true
  const attended = watch.attend(world.stop.signal)
  await world.clock.advance(3_500)
  assert.equal((await found())?.seen, undefined)
  assert.equal(watch.looked(), true, 'tried: it is in nobody’s way')
  world.broken = false
  await world.clock.advance(1_000)
  assert.equal((await found())?.seen?.look, `look ${world.looks}`)
  world.stop.abort()
  await world.clock.advance(1_000)
  await attended
})

test('what they told is given with its payload and when they made it; what is no event of anybody is left out', async () => {
  const { world, found } = setUp(2)
  const stored = (event: Uint8Array, seq: number): Stored => ({
    ...{ seq, timeMs: 1_000 + seq, subject: 'default.es.e', namespace: '', id: `${seq}`, event },
  })
  const event = (n: number) =>
    encodeEvent({ id: `${n}`, source: 'es', type: 'file', subject: 'e', timeMs: n * 1_000 }, Buffer.from(`{"n":${n}}`))
  world.onBus = [stored(event(1), 1), stored(Buffer.from('no event'), 2), stored(event(3), 3)]
  const told = [{ id: '3', atMs: 3_000, data: '{"n":3}' }]
  assert.deepEqual(await found(), { told, seen: null, more: true }, 'of as many as are asked for there may be more')
  world.onBus = world.onBus.slice(2)
  assert.deepEqual(await found(), { told, seen: null })
})

test('a type whose origin keeps its place asks nothing', async () => {
  const none = watchPredecessor({
    bus: { others: () => Promise.reject(new Error('asked')) },
    ...{ source, entry: 'e', follows: undefined, clock: fakeClock(), beside: () => true },
    look: () => Promise.reject(new Error('looked')),
  })
  await none.attend(new AbortController().signal)
  assert.equal(await none.found(), null)
  assert.equal(none.looked(), true)
})

test('while they are there, what their worker publishes last is waited for', async () => {
  const { world, watch } = setUp()
  world.beside = true
  const found = watch.found()
  await world.clock.advance(400)
  const event = encodeEvent({ id: '1', source: 'es', type: 'file', subject: 'e', timeMs: 0 }, Buffer.from('{}'))
  world.onBus = [{ seq: 1, timeMs: 1, subject: 'default.es.e', namespace: '', id: '1', event }]
  await world.clock.advance(100)
  assert.equal((await found)?.told.length, 1)
})
