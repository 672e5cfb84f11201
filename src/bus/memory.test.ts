/** The faults of the memory bus. That it is a bus: test/contract/bus-memory.test.ts. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { Fenced, Outcome, SourceRef } from './bus.ts'
import { type MemoryBus, memoryBusWorld } from './memory.ts'

const SOURCE: SourceRef = { namespace: 'default', name: 's' }
const event = (id: string, position?: unknown) => ({ entry: 'e', id, event: Buffer.from(id), position })
const kinds = (outcomes: Outcome[] | undefined) => outcomes?.map(({ outcome }) => outcome)

function scene() {
  const clock = fakeClock()
  const world = memoryBusWorld({ clock, requestTimeoutMs: 1000 })
  const soon = async <T>(work: Promise<T>, ms = 10): Promise<T> => {
    const settled = work.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    await clock.advance(ms)
    const result = await settled
    if ('error' in result) throw result.error
    return result.value
  }
  const lead = async (bus: MemoryBus, holder: string): Promise<Fenced> => {
    const lease = await soon(bus.readLease('default/s'))
    const record = { holder, durationMs: 1500, term: 0, released: false }
    assert.ok(await soon(bus.writeLease('default/s', record, lease?.revision ?? null)))
    return await soon(bus.claim(SOURCE, { holder, nonce: holder, floor: 0 }))
  }
  const ids = () => world.log().map(({ id }) => id)
  return { clock, world, soon, lead, ids }
}

suite('memory bus faults', () => {
  test('an answer that is lost makes the outcome unknown; it was stored all the same, once', async () => {
    const { world, soon, ids } = scene()
    const bus = world.connect('a')
    bus.link.lose = (direction) => direction === 'reply'
    assert.deepEqual(kinds(await soon(bus.append(SOURCE, [event('x')]), 1000)), ['unknown'])
    bus.link.lose = () => false
    assert.deepEqual(kinds(await soon(bus.append(SOURCE, [event('x')]))), ['duplicate'])
    assert.deepEqual(ids(), ['x'])
  })

  test('a request that is lost makes the outcome unknown; it was never stored', async () => {
    const { world, soon, ids } = scene()
    const bus = world.connect('a')
    bus.link.lose = (direction) => direction === 'request'
    assert.deepEqual(kinds(await soon(bus.append(SOURCE, [event('x')]), 1000)), ['unknown'])
    assert.deepEqual(ids(), [])
  })

  test('messages are as slow as the link says and never overtake each other', async () => {
    const { clock, world, ids } = scene()
    const bus = world.connect('a')
    let delay = 100
    bus.link.delayMs = () => delay
    const first = bus.append(SOURCE, [event('slow')])
    delay = 1
    const second = bus.append(SOURCE, [event('quick')])
    await clock.advance(99)
    assert.deepEqual(ids(), [])
    await clock.advance(200)
    assert.deepEqual(ids(), ['slow', 'quick'])
    assert.deepEqual([kinds(await first), kinds(await second)], [['stored'], ['stored']])
  })

  test('a cut link refuses at once, what was under way is unknown, and it heals', async () => {
    const { clock, world, soon, ids } = scene()
    const bus = world.connect('a')
    const changes: boolean[] = []
    bus.onStatus(({ connected }) => changes.push(connected))
    bus.link.delayMs = () => 50
    const [arrives, lost] = [bus.append(SOURCE, [event('arrives')]), world.connect('b')]
    bus.link.cut({ deliver: true })
    assert.deepEqual(kinds(await arrives), ['unknown'])
    assert.deepEqual(kinds(await bus.append(SOURCE, [event('refused')])), ['unavailable'])
    lost.link.delayMs = () => 50
    const never = lost.append(SOURCE, [event('never')])
    lost.link.cut()
    assert.deepEqual(kinds(await never), ['unknown'])
    await clock.advance(100)
    assert.deepEqual(ids(), ['arrives'])
    bus.link.mend()
    assert.deepEqual(kinds(await soon(bus.append(SOURCE, [event('again')]), 100)), ['stored'])
    assert.deepEqual(changes, [false, true])
  })

  test('a frozen bus does late what was asked, unless a newer term was claimed before', async () => {
    const { clock, world, soon, lead, ids } = scene()
    const [old, heir] = [world.connect('a'), world.connect('b')]
    const fence = await lead(old, 's-0')
    old.link.freeze()
    const late = old.appendFenced(fence, [event('late', 1)])
    await clock.advance(1000)
    assert.deepEqual(kinds(await late), ['unknown'])
    const next = await lead(heir, 's-1')
    assert.equal(next.term, fence.term + 1)
    old.link.thaw()
    await clock.advance(10)
    assert.deepEqual(ids(), [])
    assert.deepEqual(kinds(await soon(heir.appendFenced(next, [event('mine', 1)]))), ['stored'])
    world.freeze()
    const waiting = heir.append(SOURCE, [event('waits')])
    await clock.advance(500)
    assert.deepEqual(ids(), ['mine'])
    world.thaw()
    assert.deepEqual(kinds(await soon(waiting)), ['stored'])
  })

  test('a restart breaks every link for a while and keeps what was acknowledged', async () => {
    const { clock, world, soon, lead, ids } = scene()
    const bus = world.connect('a')
    const fence = await lead(bus, 's-0')
    await soon(bus.appendFenced(fence, [event('a', 1)]))
    world.restart(300)
    assert.equal(bus.status().connected, false)
    await clock.advance(300)
    assert.equal(bus.status().connected, true)
    assert.deepEqual(kinds(await soon(bus.appendFenced(fence, [event('b', 2)]))), ['stored'])
    assert.deepEqual(ids(), ['a', 'b'])
  })

  test('who dies is suspected by the others, who is only cut is not', async () => {
    const { clock, world, lead } = scene()
    const [holder, watcher] = [world.connect('a'), world.connect('b')]
    await lead(holder, 's-0')
    const suspects: string[] = []
    watcher.onSuspect((suspect) => suspects.push(suspect))
    holder.link.cut()
    await clock.advance(10)
    assert.deepEqual(suspects, [])
    holder.link.mend()
    holder.link.cut({ processDied: true })
    await clock.advance(10)
    assert.deepEqual(suspects, ['s-0'])
  })

  test('a new incarnation voids leases and fences the clients of the old', async () => {
    const { world, soon, lead } = scene()
    const old = world.connect('a')
    const fence = await lead(old, 's-0')
    assert.equal(world.nextIncarnation(), 2)
    assert.deepEqual(kinds(await soon(old.appendFenced(fence, [event('x')]))), ['fenced'])
    assert.deepEqual(kinds(await soon(old.append(SOURCE, [event('y')]))), ['fenced'])
    const heir = world.connect('b')
    assert.equal(await soon(heir.readLease('default/s')), null)
    assert.equal((await lead(heir, 's-0')).term, 2)
  })
})
