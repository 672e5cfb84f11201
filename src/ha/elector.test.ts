import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FakeClock, fakeClock } from '../../test/fake-clock.ts'
import type { Fenced } from '../bus/bus.ts'
import { type MemoryBus, type MemoryBusWorld, memoryBusWorld } from '../bus/memory.ts'
import { fail, isVedetteError } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { createElector, type Elector, type ElectorOptions, type Lead } from './elector.ts'
import { memoryLock } from './locks/memory.ts'
import { embeddedSuspicion } from './peers/embedded.ts'

const source = { namespace: 'default', name: 'orders' }

interface Rig {
  clock: FakeClock
  world: MemoryBusWorld
  replicas: Map<string, Replica>
  /** What happened, in order: `a leads 1`, `a drains`, `a drained`. */
  story: string[]
  start(id: string, over?: Partial<ElectorOptions<Fenced>>): Promise<Replica>
}

interface Replica {
  elector: Elector
  bus: MemoryBus
  stop: AbortController
  done: Promise<void>
  lead: Lead<Fenced> | null
  /** How long this one takes to drain. */
  drainMs: number
}

function rig(): Rig {
  const clock = fakeClock()
  const world = memoryBusWorld({ clock })
  const story: string[] = []
  const replicas = new Map<string, Replica>()
  return {
    clock,
    world,
    replicas,
    story,
    async start(id, over = {}) {
      const bus = world.connect(id)
      bus.link.delayMs = () => 1
      const stop = new AbortController()
      const replica: Replica = { bus, stop, lead: null, drainMs: 0, done: Promise.resolve(), elector: null! }
      replica.elector = createElector<Fenced>({
        id,
        lock: memoryLock(bus, 'default/orders'),
        suspicions: [embeddedSuspicion(bus)],
        clock,
        random: () => 0.5,
        log: silentLogger,
        strict: () => true,
        claim: (claim) => bus.claim(source, claim),
        onView: () => {},
        async serve(lead) {
          replica.lead = lead
          story.push(`${id} leads ${lead.fenced.term} after ${lead.change?.reason ?? 'nobody'}`)
          await new Promise<void>((resolve) => lead.signal.addEventListener('abort', () => resolve()))
          story.push(`${id} drains`)
          if (replica.drainMs > 0) await clock.sleep(replica.drainMs)
          story.push(`${id} drained`)
          replica.lead = null
        },
        ...over,
      })
      replica.done = replica.elector.run(stop.signal)
      replicas.set(id, replica)
      await clock.advance(20)
      return replica
    },
  }
}

describe('three replicas', () => {
  async function three() {
    const r = rig()
    const [a, b, c] = [await r.start('a'), await r.start('b'), await r.start('c')]
    assert.deepEqual(r.story, ['a leads 1 after nobody'])
    r.story.length = 0
    await r.clock.advance(300)
    assert.deepEqual(b.elector.view(), { state: 'standby', leader: 'a', term: 1 })
    return { ...r, a, b, c }
  }

  test('stay as they are while all is well', async () => {
    const r = await three()
    await r.clock.advance(20_000)
    assert.deepEqual(r.story, [])
    assert.deepEqual(r.a.elector.view(), { state: 'leading', leader: 'a', term: 1 })
  })

  test('the leader is killed: another leads within milliseconds', async () => {
    const r = await three()
    const before = r.clock.monotonic()
    r.a.bus.link.cut({ processDied: true })
    r.a.stop.abort()
    await r.clock.advance(10)
    const next = [r.b, r.c].find(({ lead }) => lead !== null)
    assert.ok(next?.lead, r.story.join())
    assert.equal(next.lead.fenced.term, 2)
    const { change } = next.lead
    assert.deepEqual([change?.from, change?.reason], ['a', 'crash'])
    assert.ok(change!.lossSeenAt >= before && change!.lossSeenAt <= before + 2)
  })

  test('the leader freezes: another leads when the lease has run out; it then finds itself deposed, in the same process', async () => {
    const r = await three()
    r.a.bus.link.freeze()
    await r.clock.advance(1_000)
    assert.deepEqual(r.story, [], 'not before')
    await r.clock.advance(800)
    const next = [r.b, r.c].find(({ lead }) => lead !== null)
    assert.equal(next?.lead?.change?.reason, 'frozen')
    assert.equal(next?.lead?.fenced.term, 2)
    r.a.bus.link.thaw()
    await r.clock.advance(300)
    assert.equal(r.a.lead, null)
    assert.equal(r.a.elector.view().state, 'standby')
    assert.equal(r.a.elector.view().term, 2)
  })

  test('handed over to a named one: it drains, renews meanwhile, releases after that, and the named one leads', async () => {
    const r = await three()
    r.a.drainMs = 4_000
    const handedOver = r.a.elector.handOver('c').then(() => r.story.push('handed over'))
    await r.clock.advance(3_990)
    assert.deepEqual(r.story, ['a drains'], 'nobody else takes over while it drains')
    assert.equal(r.a.elector.view().state, 'draining')
    await r.clock.advance(100)
    await handedOver
    assert.deepEqual(r.story, ['a drains', 'a drained', 'handed over', 'c leads 2 after resigned'])
    await r.clock.advance(5_000)
    assert.equal(r.story.length, 4, 'and that is that')
  })

  test('a hand-over takes a few round trips', async () => {
    const r = await three()
    void r.a.elector.handOver('b')
    const from = r.clock.monotonic()
    while (r.b.lead === null && r.clock.monotonic() < from + 1000) await r.clock.advance(1)
    // Release, notice, take, claim: each 1 ms there and back.
    assert.ok(r.clock.monotonic() - from <= 10, `${r.clock.monotonic() - from} ms`)
    await r.clock.advance(20)
    void r.b.elector.handOver()
    const again = r.clock.monotonic()
    while (r.a.lead === null && r.c.lead === null && r.clock.monotonic() < again + 1000) await r.clock.advance(1)
    assert.ok(r.clock.monotonic() - again <= 35, `to whom it may concern: ${r.clock.monotonic() - again} ms`)
    assert.equal(r.b.lead, null)
  })

  test('a successor that is gone does not hold the lead up', async () => {
    const r = await three()
    r.c.bus.link.cut({ processDied: true })
    void r.a.elector.handOver('c')
    await r.clock.advance(300)
    assert.ok(r.b.lead, r.story.join())
  })

  test('stopped: the leader releases and another one leads at once', async () => {
    const r = await three()
    r.a.stop.abort()
    await r.clock.advance(50)
    await r.a.done
    assert.equal(r.story.filter((line) => line.includes('leads 2 after resigned')).length, 1)
  })

  test('the lock is out of reach of all: the leader leads on', async () => {
    const r = await three()
    for (const { bus } of [r.a, r.b, r.c]) bus.link.cut()
    await r.clock.advance(30_000)
    assert.deepEqual(r.story, [])
    for (const { bus } of [r.a, r.b, r.c]) bus.link.mend()
    await r.clock.advance(10_000)
    assert.deepEqual(r.story, [], 'and when it is back, nobody takes over from one who could not renew')
    assert.ok(r.a.lead)
  })

  test('the leader dies while the lock is out of reach of all: another leads soon after it is back', async () => {
    const r = await three()
    for (const { bus } of [r.a, r.b, r.c]) bus.link.cut()
    await r.clock.advance(10_000)
    r.a.stop.abort()
    for (const { bus } of [r.b, r.c]) bus.link.mend()
    const others = () => [r.b, r.c].filter(({ lead }) => lead !== null).length
    await r.clock.advance(1_400)
    assert.equal(others(), 0, 'the leader is given the time to renew')
    await r.clock.advance(400)
    assert.equal(others(), 1)
  })
})

test('a lock that can be read and not written is not told to answer again, until it is written, by whoever', async () => {
  for (const who of ['itself', 'another']) {
    const r = rig()
    const lock = memoryLock(r.world.connect('a-lock'), 'default/orders')
    let may = false
    const told: (string | null)[] = []
    const refused = () => Promise.reject(fail('LOCK_UNAVAILABLE', 'may not write'))
    const a = await r.start('a', {
      lock: { ...lock, write: (...write) => (may ? lock.write(...write) : refused()) },
      onLockError: (error) => told.push(error),
    })
    await r.clock.advance(20_000)
    assert.equal(a.lead, null)
    assert.deepEqual(told, ['may not write'], 'once')
    if (who === 'itself') may = true
    else await r.start('b')
    await r.clock.advance(5_000)
    assert.deepEqual(told, ['may not write', null])
    assert.equal(a.lead !== null, who === 'itself')
  }
})

test('alone, it hands over to nobody and leads again', async () => {
  const r = rig()
  const a = await r.start('a')
  await Promise.all([a.elector.handOver(), r.clock.advance(2_000)])
  assert.deepEqual(r.story, ['a leads 1 after nobody', 'a drains', 'a drained', 'a leads 2 after nobody'])
})

test('restarted under the same name, it does not wait for the lease of its earlier process', async () => {
  const r = rig()
  const before = await r.start('a')
  before.bus.link.cut()
  const a = await r.start('a')
  assert.equal(a.lead?.fenced.term, 2)
  assert.equal(a.lead?.change, null)
})

test('refused by the bus while the lease is here, it claims again', async () => {
  const r = rig()
  const a = await r.start('a')
  a.lead?.lost(fail('FENCED', 'term 1 is over'))
  await r.clock.advance(50)
  assert.deepEqual(r.story, ['a leads 1 after nobody', 'a drains', 'a drained', 'a leads 2 after nobody'])
})

test('the signal says why it aborted', async () => {
  const r = rig()
  const a = await r.start('a')
  const first = a.lead!.signal
  a.lead?.lost(fail('FENCED', 'term 1 is over'))
  assert.ok(isVedetteError(first.reason, 'FENCED'))
  await r.clock.advance(50)
  const second = a.lead!.signal
  void a.elector.handOver()
  await r.clock.advance(5)
  assert.ok(isVedetteError(second.reason, 'NOT_LEADING'))
})

describe('reclaim', () => {
  test('gives a newer term under the same lease, and serving goes on', async () => {
    const r = rig()
    const a = await r.start('a')
    const lead = a.lead!
    const [fence] = await Promise.all([lead.reclaim(), r.clock.advance(20)])
    assert.equal(fence.term, 2)
    assert.equal(lead.signal.aborted, false)
    await r.clock.advance(300)
    assert.deepEqual(a.elector.view(), { state: 'leading', leader: 'a', term: 2 })
  })

  test('waits for a bus that is away', async () => {
    const r = rig()
    const a = await r.start('a')
    a.bus.link.cut()
    let term = 0
    void a.lead!.reclaim().then((fence) => {
      term = fence.term
    })
    await r.clock.advance(5_000)
    assert.equal(term, 0)
    a.bus.link.mend()
    await r.clock.advance(300)
    assert.equal(term, 2)
  })

  test('throws when the lead is gone, before or meanwhile', async () => {
    const r = rig()
    const a = await r.start('a')
    const lead = a.lead!
    a.bus.link.freeze()
    const early = lead.reclaim().then(
      () => 'claimed',
      (error) => error.code,
    )
    lead.lost(fail('FENCED', 'term 1 is over'))
    await r.clock.advance(10)
    assert.equal(await early, 'NOT_LEADING')
    await assert.rejects(lead.reclaim(), (error) => isVedetteError(error, 'NOT_LEADING'))
  })
})

describe('without a fence', () => {
  test('it gives up when it cannot renew in time, before another may take over', async () => {
    const r = rig()
    const a = await r.start('a', { strict: () => false })
    const b = await r.start('b', { strict: () => false })
    a.bus.link.cut({ processDied: true })
    await r.clock.advance(900)
    assert.equal(b.lead, null, 'suspicion alone is not enough')
    assert.ok(a.lead)
    await r.clock.advance(150)
    assert.equal(a.lead, null)
    assert.equal(b.lead, null)
    await r.clock.advance(700)
    assert.ok(b.lead)
  })
})

test('serving that fails gives the lead up; another one takes it', async () => {
  const r = rig()
  const a = await r.start('a', { serve: () => Promise.reject(new Error('no')) })
  const b = await r.start('b')
  await r.clock.advance(100)
  assert.equal(b.lead?.change?.from, undefined, 'b has not seen a lead')
  assert.ok(b.lead)
  assert.equal(a.elector.view().state, 'standby')
})

test('does not stand while it may not', async () => {
  const r = rig()
  let may = false
  const a = await r.start('a', { mayStand: () => may })
  await r.clock.advance(5_000)
  assert.equal(a.lead, null)
  may = true
  await r.clock.advance(300)
  assert.ok(a.lead)
})

test('a claim that never answers is given up, and its late success not used', async () => {
  const r = rig()
  const late: (() => void)[] = []
  let calls = 0
  const a = await r.start('a', {
    claim: async (claim) => {
      if (++calls === 1) await new Promise<void>((resolve) => late.push(resolve))
      return await r.replicas.get('a')!.bus.claim(source, claim)
    },
  })
  await r.clock.advance(3_500)
  assert.equal(calls, 2)
  assert.equal(a.lead?.fenced.term, 1)
  late[0]?.()
  await r.clock.advance(100)
  assert.deepEqual(r.story, ['a leads 1 after nobody'])
})

test('a claim that takes long is not given up while the bus is heard: a new one would fence it', async () => {
  const r = rig()
  let calls = 0
  const a = await r.start('a', {
    async claim(claim, progress) {
      calls++
      for (let i = 0; i < 5; i++) {
        await r.clock.sleep(2_000)
        progress()
      }
      return await r.replicas.get('a')!.bus.claim(source, claim)
    },
  })
  await r.clock.advance(11_000)
  assert.equal(calls, 1)
  assert.equal(a.lead?.fenced.term, 1)
  assert.deepEqual(r.story, ['a leads 1 after nobody'])
})

test('stopped with the lock out of reach, it ends when the lease has run out by itself', async () => {
  const r = rig()
  const a = await r.start('a')
  a.bus.link.cut()
  a.stop.abort()
  await r.clock.advance(2_000)
  await a.done
  assert.deepEqual(r.story, ['a leads 1 after nobody', 'a drains', 'a drained'])
  assert.equal(r.clock.timers, 0)
})

test('stopped before it ran, it ends', async () => {
  const r = rig()
  const stop = AbortSignal.abort()
  const bus = r.world.connect('x')
  const elector = createElector<Fenced>({
    ...{ id: 'x', lock: memoryLock(bus, 'default/orders'), suspicions: [], clock: r.clock, log: silentLogger },
    ...{ strict: () => true, claim: (claim) => bus.claim(source, claim), onView() {}, serve: async () => {} },
  })
  const done = elector.run(stop)
  await r.clock.advance(10)
  await done
})
