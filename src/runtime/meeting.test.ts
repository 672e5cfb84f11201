/** When a replica is through with others that serve: its Pod is not ready before, so a roll-out leaves theirs alone for as long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { meetOutsiders } from './meeting.ts'

function setUp() {
  const clock = fakeClock()
  const world = {
    ...{ elects: true, quiet: false, mixed: undefined as string | undefined, looked: [false, false] },
    unled: false,
  }
  const stop = new AbortController()
  let met = false
  void meetOutsiders({
    outsiders: { quiet: () => world.quiet, mixed: () => world.mixed },
    beside: () => world.mixed !== undefined || world.unled,
    ...{ clock, signal: stop.signal, elects: () => world.elects },
    runners: () => world.looked.map((one) => ({ looked: () => one })),
  }).then(() => {
    met = true
  })
  const metAfter = async (ms: number) => {
    await clock.advance(ms)
    return met
  }
  return { world, stop, metAfter }
}

test('nobody is known to be away before it was listened for long enough, and the Lease was read', async () => {
  const { world, metAfter } = setUp()
  assert.equal(await metAfter(60_000), false)
  ;[world.quiet, world.elects] = [true, false]
  assert.equal(await metAfter(60_000), false)
  world.elects = true
  assert.equal(await metAfter(200), true)
})

test('while they are there each entry looks first; one that cannot for long holds nobody up', async () => {
  const { world, metAfter } = setUp()
  world.mixed = 'they serve'
  assert.equal(await metAfter(5_000), false)
  world.looked = [true, false]
  assert.equal(await metAfter(5_000), false)
  world.looked = [true, true]
  assert.equal(await metAfter(200), true)

  const slow = setUp()
  slow.world.mixed = 'they serve'
  assert.equal(await slow.metAfter(29_000), false)
  assert.equal(await slow.metAfter(2_000), true)
})

test('where nobody of ours has ever led they may be there and only slow: each entry looks, and it is listened for as long as ever', async () => {
  const { world, metAfter } = setUp()
  world.unled = world.quiet = true
  assert.equal(await metAfter(5_000), false)
  world.looked = [true, true]
  world.quiet = false
  assert.equal(await metAfter(5_000), false)
  world.quiet = true
  assert.equal(await metAfter(200), true)
})

test('a replica that is stopped waits for nothing', async () => {
  const { stop, metAfter } = setUp()
  stop.abort()
  assert.equal(await metAfter(200), true)
})
