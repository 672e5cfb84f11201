/**
 * The contract of the bus port, run by every adapter: `busContract('memory', () => …)` in a test file. Each test uses names of its
 * own, so all share one world.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Append, Bus, Fenced, Outcome, ReadOptions, SourceRef, Stored } from '../../src/bus/bus.ts'
import { isVedetteError } from '../../src/core/errors.ts'

/** A bus to test, with as many clients as wanted. */
export interface BusUnderTest {
  /** A connected client. */
  connect(): Promise<Bus>
  /** Does what must precede a claim by `holder` (on the embedded bus: takes the lease for it). */
  hold(source: SourceRef, holder: string): Promise<void>
  /** Whatever answers for the bus stops to, and later goes on where it was, as by SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

/** What not every bus promises; tests of what this one does not promise are not run. */
export interface Traits {
  /** A claim by somebody who does not hold the lease is refused. */
  claimNeedsLease: boolean
  /** It knows an id that it has stored. */
  dedup: boolean
  /** It refuses older terms itself. */
  strict: boolean
}

export interface World {
  connect(): Promise<Bus>
  hold(source: SourceRef, holder: string): Promise<void>
  freeze(): void
  thaw(): void
  /** A name nobody else uses. */
  source(): SourceRef
  /** Takes the lease and claims. */
  lead(bus: Bus, source: SourceRef, holder: string, floor?: number): Promise<Fenced>
}

export function event(id: string, more: Partial<Append> = {}): Append {
  return { entry: 'e', id, event: Buffer.from(`{"id":"${id}"}`), ...more }
}

export function numbered(prefix: string, count: number, more: (i: number) => Partial<Append> = () => ({})): Append[] {
  return Array.from({ length: count }, (_, i) => event(`${prefix}-${i}`, more(i)))
}

export async function readAll(bus: Pick<Bus, 'read'>, options: ReadOptions): Promise<Stored[]> {
  const found: Stored[] = []
  for await (const stored of bus.read(options)) found.push(stored)
  return found
}

export const eventsOf = (bus: Pick<Bus, 'read'>, source: SourceRef) =>
  readAll(bus, { namespace: source.namespace, eventSource: source.name })

export const kinds = (outcomes: Outcome[]) => outcomes.map(({ outcome }) => outcome)

/** Resolves once `condition` holds; fails loudly after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const rejectsWith = (work: Promise<unknown>, code: string) =>
  assert.rejects(work, (error) => isVedetteError(error) && error.code === code)

export function worldOf(under: () => BusUnderTest): World {
  let count = 0
  const run = randomBytes(4).toString('hex')
  const world: World = {
    connect: () => under().connect(),
    hold: (source, holder) => under().hold(source, holder),
    freeze: () => under().freeze(),
    thaw: () => under().thaw(),
    source: () => ({ namespace: 'contract', name: `s${run}-${count++}` }),
    async lead(bus, source, holder, floor = 0) {
      await world.hold(source, holder)
      return await bus.claim(source, { holder, nonce: randomBytes(8).toString('hex'), floor })
    },
  }
  return world
}

export function busContract(name: string, traits: Traits, make: () => Promise<BusUnderTest>): void {
  suite(`bus contract: ${name}`, { timeout: 120_000 }, () => {
    let under: BusUnderTest
    let bus: Bus
    const world = worldOf(() => under)
    before(async () => {
      under = await make()
      bus = await world.connect()
    })
    after(() => under?.close())

    storing(() => bus, world, traits)
    fencing(() => bus, world, traits)
    reading(() => bus, world, traits)
    keeping(() => bus, world)
    unanswered(world)
    closing(world)
  })
}

function storing(bus: () => Bus, world: World, traits: Traits) {
  test('an appended event is read back as it was, with its subject, namespace, id and source id', async () => {
    const source = world.source()
    const bytes = randomBytes(1000)
    const start = Date.now()
    const [outcome] = await bus().append(source, [{ entry: 'orders', id: 'one', sourceId: 'src/1', event: bytes }])
    assert.equal(outcome?.outcome, 'stored')
    const [stored, ...more] = await eventsOf(bus(), source)
    assert.deepEqual(more, [])
    assert.deepEqual(Buffer.from(stored!.event), bytes)
    assert.equal(stored!.subject, `default.${source.name}.orders`)
    assert.equal(stored!.namespace, source.namespace)
    assert.equal(stored!.id, 'one')
    assert.equal(stored!.sourceId, 'src/1')
    assert.equal(stored!.term, undefined)
    assert.equal(stored!.seq, (outcome as { seq: number }).seq)
    assert.ok(stored!.timeMs >= start - 2000 && stored!.timeMs <= Date.now() + 2000, `time ${stored!.timeMs}`)
  })

  test('sequence numbers rise in the order of a batch', async () => {
    const source = world.source()
    const outcomes = await bus().append(source, numbered('a', 50))
    const seqs = outcomes.map((o) => (o as { seq: number }).seq)
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    )
    assert.equal(new Set(seqs).size, 50)
    assert.deepEqual(
      (await eventsOf(bus(), source)).map(({ id }) => id),
      numbered('a', 50).map(({ id }) => id),
    )
  })

  if (traits.dedup) {
    test('an id stored is not stored again: in one batch, in a later one, from another client', async () => {
      const source = world.source()
      assert.deepEqual(kinds(await bus().append(source, [event('x'), event('y'), event('x')])), [
        'stored',
        'stored',
        'duplicate',
      ])
      const other = await world.connect()
      assert.deepEqual(kinds(await other.append(source, [event('y'), event('z')])), ['duplicate', 'stored'])
      await other.close()
      assert.deepEqual(
        (await eventsOf(bus(), source)).map(({ id }) => id),
        ['x', 'y', 'z'],
      )
    })
  }

  if (traits.dedup) {
    test('the same ids from many at once are stored once each', async () => {
      const source = world.source()
      const clients = await Promise.all(Array.from({ length: 4 }, () => world.connect()))
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, i) => clients[i % 4]!.append(source, [event(`same-${i % 50}`)])),
      )
      assert.equal(outcomes.flat().filter(({ outcome }) => outcome === 'stored').length, 50)
      assert.equal(outcomes.flat().filter(({ outcome }) => outcome === 'duplicate').length, 150)
      const ids = (await eventsOf(bus(), source)).map(({ id }) => id)
      assert.equal(ids.length, 50)
      assert.equal(new Set(ids).size, 50)
      await Promise.all(clients.map((client) => client.close()))
    })
  }

  test('an event that is too large is refused, its neighbours are stored', async () => {
    const source = world.source()
    const tooLarge = event('big', { event: Buffer.alloc(bus().maxEventBytes + 1) })
    const outcomes = await bus().append(source, [event('before'), tooLarge, event('after')])
    assert.deepEqual(kinds(outcomes), ['stored', 'refused', 'stored'])
    assert.equal((outcomes[1] as { error: { code: string } }).error.code, 'EVENT_TOO_LARGE')
    assert.deepEqual(
      (await eventsOf(bus(), source)).map(({ id }) => id),
      ['before', 'after'],
    )
  })

  test('an empty batch has no outcomes', async () => {
    assert.deepEqual(await bus().append(world.source(), []), [])
  })
}

function fencing(bus: () => Bus, world: World, traits: Traits) {
  test('terms grow by each claim, and are greater than the floor', async () => {
    const source = world.source()
    const first = await world.lead(bus(), source, 'r-0')
    const second = await world.lead(bus(), source, 'r-1')
    const third = await world.lead(bus(), source, 'r-0', second.term + 40)
    assert.ok(first.term >= 1)
    assert.ok(second.term > first.term)
    assert.ok(third.term > second.term + 40)
    assert.equal(third.fencing, bus().fencing)
    assert.deepEqual(third.source, source)
  })

  test('terms of different sources and namespaces are apart', async () => {
    const source = world.source()
    const twin = { ...source, namespace: 'elsewhere' }
    const fence = await world.lead(bus(), source, 'r-0')
    await bus().appendFenced(fence, [event('a', { position: 'here' })])
    const other = await world.lead(bus(), twin, 'r-0')
    assert.equal(other.positions.size, 0)
    assert.deepEqual(kinds(await bus().appendFenced(fence, [event('b')])), ['stored'])
    assert.deepEqual(kinds(await bus().appendFenced(other, [event('a')])), ['stored'])
  })

  test('a claim repeated with its nonce gives the term it gave', async () => {
    const source = world.source()
    await world.hold(source, 'r-0')
    const claim = { holder: 'r-0', nonce: 'the-same', floor: 0 }
    const first = await bus().claim(source, claim)
    const again = await bus().claim(source, claim)
    assert.equal(again.term, first.term)
    assert.deepEqual(kinds(await bus().appendFenced(again, [event('a')])), ['stored'])
  })

  if (traits.claimNeedsLease) {
    test('who does not hold the lease cannot claim', async () => {
      const source = world.source()
      await rejectsWith(bus().claim(source, { holder: 'r-0', nonce: 'n', floor: 0 }), 'FENCED')
      await world.hold(source, 'r-1')
      await rejectsWith(bus().claim(source, { holder: 'r-0', nonce: 'n', floor: 0 }), 'FENCED')
    })
  }

  test('positions move in the same write as their events, and the next claim finds them', async () => {
    const source = world.source()
    const fence = await world.lead(bus(), source, 'r-0')
    assert.equal(fence.positions.size, 0)
    const batch = [
      event('a', { position: { offset: 1, at: [1, null, 'x'] } }),
      event('b', { position: { offset: 2 } }),
      event('c', { entry: 'other', position: 'p' }),
      event('d', { entry: 'without' }),
    ]
    assert.deepEqual(kinds(await bus().appendFenced(fence, batch)), ['stored', 'stored', 'stored', 'stored'])
    assert.deepEqual(kinds(await bus().appendFenced(fence, [{ entry: 'e', position: { offset: 7 } }])), ['stored'])
    const next = await world.lead(bus(), source, 'r-1')
    assert.deepEqual(Object.fromEntries(next.positions), { e: { offset: 7 }, other: 'p' })
    const stored = await eventsOf(bus(), source)
    assert.deepEqual(
      stored.map(({ id }) => id),
      ['a', 'b', 'c', 'd'],
    )
    assert.deepEqual(new Set(stored.map(({ term }) => term)), new Set([fence.term]))
  })

  test('after a newer claim the old term stores nothing and moves no position', async () => {
    const source = world.source()
    const old = await world.lead(bus(), source, 'r-0')
    await bus().appendFenced(old, [event('a', { position: 1 })])
    const next = await world.lead(bus(), source, 'r-1')
    const outcomes = await bus().appendFenced(old, [event('b', { position: 2 }), { entry: 'e', position: 3 }])
    assert.deepEqual(kinds(outcomes), ['fenced', 'fenced'])
    assert.equal((outcomes[0] as { error: { code: string } }).error.code, 'FENCED')
    assert.equal(next.positions.get('e'), 1)
    const third = await world.lead(bus(), source, 'r-2')
    assert.equal(third.positions.get('e'), 1)
    assert.deepEqual(
      (await eventsOf(bus(), source)).map(({ id }) => id),
      ['a'],
    )
  })

  if (traits.strict) {
    test('a claim is not held up by a term whose positions move all the time', async () => {
      const source = world.source()
      let leading = await world.lead(bus(), source, 'r-0')
      const client = await world.connect()
      for (let round = 1; round <= 30; round++) {
        const old = leading
        let moved = 0
        const moving = (async () => {
          for (;;) {
            const [outcome] = await client.appendFenced(old, [{ entry: 'e', position: `${old.term}-${++moved}` }])
            if (outcome!.outcome !== 'stored') return outcome!.outcome
            await new Promise((resolve) => setTimeout(resolve, 2))
          }
        })()
        await until('a position has moved', () => moved > 2)
        leading = await world.lead(bus(), source, `r-${round}`)
        assert.equal(await moving, 'fenced')
      }
      await client.close()
    })

    test('under load, nothing of the old term is stored after the claim resolved, and positions end where its events do', async () => {
      const source = world.source()
      let holder = 0
      let leading = await world.lead(bus(), source, 'r-0')
      for (let round = 0; round < 8; round++) {
        const [old, client] = [leading, await world.connect()]
        let next = (old.positions.get('e') as number | undefined) ?? 0
        const writing = (async () => {
          for (;;) {
            const batch = Array.from({ length: 5 }, () => event(`${source.name}-${++next}`, { position: next }))
            const outcomes = await client.appendFenced(old, batch)
            if (outcomes.some(({ outcome }) => outcome !== 'stored' && outcome !== 'duplicate')) return outcomes
          }
        })()
        await until('something of this term is stored', async () =>
          (await bus().tail(source, 'e', 1)).some(({ term }) => term === old.term),
        )
        leading = await world.lead(bus(), source, `r-${++holder}`)
        const lastSeq = (await bus().tail(source, 'e', 1))[0]!.seq
        assert.deepEqual(new Set(kinds(await writing)), new Set(['fenced']))
        const stored = await eventsOf(bus(), source)
        assert.deepEqual(
          stored.filter(({ seq }) => seq > lastSeq).map(({ id }) => id),
          [],
        )
        assert.equal(leading.positions.get('e'), stored.length)
        await client.close()
      }
      const ids = (await eventsOf(bus(), source)).map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.map((_, i) => `${source.name}-${i + 1}`),
      )
    })
  }

  if (traits.dedup) {
    test('a duplicate in a fenced batch moves the position', async () => {
      const source = world.source()
      const fence = await world.lead(bus(), source, 'r-0')
      await bus().appendFenced(fence, [event('a', { position: 1 })])
      const outcomes = await bus().appendFenced(fence, [event('a', { position: 5 }), event('b', { position: 6 })])
      assert.deepEqual(kinds(outcomes), ['duplicate', 'stored'])
      assert.deepEqual(kinds(await bus().appendFenced(fence, [event('b', { position: 9 })])), ['duplicate'])
      assert.equal((await world.lead(bus(), source, 'r-1')).positions.get('e'), 9)
    })
  }

  test('a refused member of a fenced batch moves the position, the others are stored', async () => {
    const source = world.source()
    const fence = await world.lead(bus(), source, 'r-0')
    const tooLarge = event('big', { event: Buffer.alloc(bus().maxEventBytes + 1), position: 2 })
    assert.deepEqual(
      kinds(await bus().appendFenced(fence, [event('a', { position: 1 }), tooLarge, event('c', { entry: 'f' })])),
      ['stored', 'refused', 'stored'],
    )
    assert.equal((await world.lead(bus(), source, 'r-1')).positions.get('e'), 2)
  })

  test('a batch of many megabytes is stored in order', async () => {
    const source = world.source()
    const fence = await world.lead(bus(), source, 'r-0')
    const batch = numbered('m', 3000, (i) => ({ event: Buffer.alloc(5000, 'm'), position: i }))
    assert.deepEqual(new Set(kinds(await bus().appendFenced(fence, batch))), new Set(['stored']))
    assert.deepEqual(
      (await eventsOf(bus(), source)).map(({ id }) => id),
      batch.map(({ id }) => id),
    )
    assert.equal((await world.lead(bus(), source, 'r-1')).positions.get('e'), 2999)
  })

  test('fenced and active-active entries of one source do not disturb each other', async () => {
    const source = world.source()
    const fence = await world.lead(bus(), source, 'r-0')
    const [fenced, free] = await Promise.all([
      bus().appendFenced(fence, numbered('f', 20)),
      bus().append(
        source,
        numbered('g', 20, () => ({ entry: 'free' })),
      ),
    ])
    assert.deepEqual(new Set(kinds([...fenced, ...free])), new Set(['stored']))
    await world.lead(bus(), source, 'r-1')
    assert.deepEqual(kinds(await bus().append(source, [event('later', { entry: 'free' })])), ['stored'])
  })
}

function reading(bus: () => Bus, world: World, traits: Traits) {
  test('tail gives the last events of one entry, oldest first', async () => {
    const source = world.source()
    await bus().append(
      source,
      numbered('t', 30, (i) => ({ entry: i % 3 === 0 ? 'e' : 'f' })),
    )
    assert.deepEqual(
      (await bus().tail(source, 'e', 3)).map(({ id }) => id),
      ['t-21', 't-24', 't-27'],
    )
    assert.equal((await bus().tail(source, 'e', 1000)).length, 10)
    assert.deepEqual(await bus().tail(source, 'none', 5), [])
    assert.deepEqual(await bus().tail(source, 'e', 0), [])
  })

  test('read filters by namespace, source and entry, and begins where it is told', async () => {
    const [one, two] = [world.source(), world.source()]
    const outcomes = await bus().append(
      one,
      numbered('r', 10, (i) => ({ entry: i < 5 ? 'e' : 'f' })),
    )
    await bus().append(two, numbered('q', 3))
    const seqs = outcomes.map((o) => (o as { seq: number }).seq)
    const ids = async (options: ReadOptions) => (await readAll(bus(), options)).map(({ id }) => id)
    assert.deepEqual(await ids({ eventSource: one.name, entry: 'f' }), ['r-5', 'r-6', 'r-7', 'r-8', 'r-9'])
    assert.deepEqual(await ids({ eventSource: one.name, from: seqs[7]! }), ['r-7', 'r-8', 'r-9'])
    assert.deepEqual(await ids({ eventSource: one.name, from: seqs[9]! + 1 }), [])
    assert.deepEqual(await ids({ eventSource: one.name, namespace: 'nowhere' }), [])
    const all = await ids({ from: seqs[0]! })
    assert.ok(all.includes('r-0') && all.includes('q-2'))
  })

  test('read pages through more than fits into one answer', async () => {
    const source = world.source()
    const batch = numbered('p', 2500)
    await bus().append(source, batch)
    assert.deepEqual(
      (await eventsOf(bus(), source)).map(({ id }) => id),
      batch.map(({ id }) => id),
    )
  })

  test('a follower sees what is stored later, in order, until it is told to stop', async () => {
    const source = world.source()
    await bus().append(source, numbered('old', 3))
    const stop = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const { id } of bus().read({ eventSource: source.name, follow: true, signal: stop.signal }))
        seen.push(id)
    })()
    await until('the old ones are seen', () => seen.length === 3)
    const writer = await world.connect()
    for (let i = 0; i < 20; i++) await writer.append(source, [event(`new-${i}`)])
    await until('the new ones are seen', () => seen.length === 23)
    assert.deepEqual(
      seen.slice(3),
      Array.from({ length: 20 }, (_, i) => `new-${i}`),
    )
    stop.abort()
    await following
    await writer.close()
  })

  test('state counts what each entry has on the log', async () => {
    const source = world.source()
    const before = await bus().state()
    await bus().append(source, numbered('c', 7))
    await bus().append(source, [event('c-0'), event('other', { entry: 'f' })])
    const after = await bus().state()
    const mine = after.entries.filter(({ eventSource }) => eventSource === source.name)
    assert.deepEqual(
      mine
        .map(({ namespace, entry, published }) => ({ namespace, entry, published }))
        .sort((a, b) => (a.entry < b.entry ? -1 : 1)),
      [
        { namespace: source.namespace, entry: 'e', published: traits.dedup ? 7 : 8 },
        { namespace: source.namespace, entry: 'f', published: 1 },
      ],
    )
    assert.ok(mine.every(({ lastMs }) => Math.abs(lastMs - Date.now()) < 60_000))
    assert.ok(after.messages >= before.messages + 8)
    assert.ok(after.bytes > before.bytes)
    assert.ok(after.lastSeq >= before.lastSeq + 8)
    assert.ok(after.firstSeq >= 1 && after.firstSeq <= after.lastSeq)
  })
}

function keeping(bus: () => Bus, world: World) {
  test('a snapshot is kept until the next, and an old term cannot write one', async () => {
    const source = world.source()
    const old = await world.lead(bus(), source, 'r-0')
    assert.equal(await bus().loadSnapshot(source, 'e'), null)
    const big = randomBytes(2 << 20)
    assert.equal((await bus().saveSnapshot(old, 'e', Buffer.from('first'))).outcome, 'stored')
    assert.equal((await bus().saveSnapshot(old, 'e', big)).outcome, 'stored')
    assert.deepEqual(Buffer.from((await bus().loadSnapshot(source, 'e'))!), big)
    const next = await world.lead(bus(), source, 'r-1')
    assert.equal((await bus().saveSnapshot(old, 'e', Buffer.from('late'))).outcome, 'fenced')
    assert.deepEqual(Buffer.from((await bus().loadSnapshot(source, 'e'))!), big)
    assert.equal((await bus().saveSnapshot(next, 'e', Buffer.from('mine'))).outcome, 'stored')
    assert.deepEqual(Buffer.from((await bus().loadSnapshot(source, 'e'))!), Buffer.from('mine'))
    assert.equal(await bus().loadSnapshot(source, 'other'), null)
  })

  test('a value is changed only from the revision that is expected', async () => {
    const { name: key } = world.source()
    const { kv } = bus()
    assert.equal(await kv.get(key), null)
    assert.equal(await kv.put(key, Buffer.from('a'), 99), null)
    const first = await kv.put(key, Buffer.from('a'), 0)
    assert.ok(first !== null && first > 0)
    assert.equal(await kv.put(key, Buffer.from('b'), 0), null)
    const second = await kv.put(key, Buffer.from('b'), first)
    assert.ok(second !== null && second > first)
    assert.equal(await kv.put(key, Buffer.from('c'), first), null)
    const third = await kv.put(key, Buffer.from('d'))
    const got = await kv.get(key)
    assert.deepEqual([Buffer.from(got!.value).toString(), got!.revision], ['d', third])
    await kv.delete(key)
    assert.equal(await kv.get(key), null)
    const anew = await kv.put(key, Buffer.from('e'), 0)
    assert.ok(anew !== null && anew > third!, 'a revision never comes twice')
    await kv.delete(`${key}-never-was`)
  })

  test('of many that change one value at once, one wins', async () => {
    const { name: key } = world.source()
    const clients = await Promise.all(Array.from({ length: 5 }, () => world.connect()))
    for (let round = 0, revision = 0; round < 10; round++) {
      const wins = await Promise.all(clients.map((client, i) => client.kv.put(key, Buffer.from([i]), revision)))
      const won = wins.filter((win) => win !== null)
      assert.equal(won.length, 1)
      revision = won[0]!
    }
    await Promise.all(clients.map((client) => client.close()))
  })
}

/** What no question may be answered with, when it is not answered: silence for ever, or an outcome, which only writes have. */
function unanswered(world: World) {
  test('while nothing answers, each read is unavailable and each write has an outcome, within seconds; then all work again', async (t) => {
    const source = world.source()
    const client = await world.connect()
    t.after(() => client.close())
    const fence = await world.lead(client, source, 'r-0')
    await client.appendFenced(fence, [event('a', { position: 1 })])
    assert.equal((await client.saveSnapshot(fence, 'e', Buffer.from('one'))).outcome, 'stored')
    await client.kv.put(source.name, Buffer.from('v'))
    const reads = {
      tail: () => client.tail(source, 'e', 1),
      state: () => client.state(),
      loadSnapshot: () => client.loadSnapshot(source, 'e'),
      read: () => eventsOf(client, source),
      'kv.get': () => client.kv.get(source.name),
    }
    world.freeze()
    try {
      await until('it is frozen', async () => {
        const answer = client.kv.get(source.name).catch(() => null)
        return (await Promise.race([answer, pause(200, 'silence')])) === 'silence'
      })
      const asked = Object.entries(reads).map(async ([name, read]) => {
        const answer = await soon(read().then(() => 'an answer'))
        return [name, answer]
      })
      const saved = soon(client.saveSnapshot(fence, 'e', Buffer.from('two')).then(({ outcome }) => outcome))
      const appended = soon(client.append(source, [event('b')]).then(([one]) => one!.outcome))
      const fenced = soon(client.appendFenced(fence, [event('c', { position: 2 })]).then(([one]) => one!.outcome))
      assert.deepEqual(
        await Promise.all(asked),
        Object.keys(reads).map((name) => [name, 'BUS_UNAVAILABLE']),
      )
      for (const outcome of await Promise.all([saved, appended, fenced])) {
        assert.ok(outcome === 'unknown' || outcome === 'unavailable', outcome)
      }
    } finally {
      world.thaw()
    }
    await until('it answers again', () => client.status().connected, 60_000)
    for (const [name, read] of Object.entries(reads)) {
      await until(
        `${name} works again`,
        async () => (await soon(read().then(() => 'an answer'))) === 'an answer',
        60_000,
      )
    }
    const next = await untilLed(world, client, source)
    assert.equal((await client.saveSnapshot(next, 'e', Buffer.from('three'))).outcome, 'stored')
  })
}

/** The answer, or the code of the error; `silence` when there is neither within half a minute. */
async function soon(answer: Promise<string>): Promise<string> {
  const patience = new AbortController()
  const silence = pause(30_000, 'silence', { signal: patience.signal }).catch(() => 'silence')
  const coded = answer.catch((error: unknown) => (isVedetteError(error) ? error.code : String(error)))
  try {
    return await Promise.race([coded, silence])
  } finally {
    patience.abort()
  }
}

/** Claims until it works: a bus that has just come back may refuse the first. */
async function untilLed(world: World, client: Bus, source: SourceRef): Promise<Fenced> {
  let fence: Fenced | null = null
  const claimed = async () => {
    fence = await world.lead(client, source, 'r-1').catch(() => null)
    return fence !== null
  }
  await until('a term is claimed', claimed, 60_000)
  return fence!
}

function closing(world: World) {
  test('a closed client answers with outcomes, not with exceptions', async () => {
    const source = world.source()
    const client = await world.connect()
    const fence = await world.lead(client, source, 'r-0')
    assert.deepEqual(client.status(), { connected: true })
    await client.close()
    await client.close()
    assert.equal(client.status().connected, false)
    assert.deepEqual(kinds(await client.append(source, [event('a')])), ['unavailable'])
    assert.deepEqual(kinds(await client.appendFenced(fence, [event('b'), event('c')])), ['unavailable', 'unavailable'])
    await rejectsWith(client.claim(source, { holder: 'r-0', nonce: 'n', floor: 0 }), 'BUS_UNAVAILABLE')
  })
}
