/** The embedded bus when processes are killed or frozen at any instant: what was acknowledged stays, nothing doubles. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import type { Fenced, Outcome, SourceRef } from '../../src/bus/bus.ts'
import type { EmbeddedBus } from '../../src/bus/embedded/client.ts'
import { event, eventsOf, kinds, numbered, readAll, rejectsWith, until } from './bus.ts'
import { type BusFixture, startBus, takeLease } from './bus-embedded.fixture.ts'

const ROUNDS = 20
const source = (name: string): SourceRef => ({ namespace: 'default', name })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function lead(bus: EmbeddedBus, of: SourceRef, holder: string): Promise<Fenced> {
  await takeLease(bus, of, holder)
  return await bus.claim(of, { holder, nonce: `${Math.random()}`, floor: 0 })
}

/** Appends ids without a pause, each until its fate is known; remembers those that were acknowledged. */
function keepAppending(bus: EmbeddedBus, of: SourceRef, prefix: string, acknowledged: Set<string>) {
  let running = true
  let sent = 0
  const work = (async () => {
    while (running) {
      const id = `${prefix}-${sent++}`
      for (;;) {
        const [outcome] = await bus.append(of, [event(id)])
        if (outcome!.outcome === 'stored' || outcome!.outcome === 'duplicate') {
          acknowledged.add(id)
          break
        }
        assert.ok(outcome!.outcome === 'unknown' || outcome!.outcome === 'unavailable', outcome!.outcome)
        if (!running) return
        await sleep(2)
      }
    }
  })()
  return {
    get sent() {
      return sent
    },
    async stop() {
      running = false
      await work
    },
  }
}

/** A leader as design §4 wants it: after an outcome that is unknown it claims anew and goes on after the positions. */
async function leadAndWrite(bus: EmbeddedBus, of: SourceRef, stop: () => boolean): Promise<number> {
  let next = 1
  while (!stop()) {
    let fence: Fenced
    try {
      fence = await lead(bus, of, 'r-0')
    } catch {
      await sleep(5)
      continue
    }
    next = ((fence.positions.get('e') as number | undefined) ?? 0) + 1
    for (let outcomes: Outcome[] = []; !stop(); next += 4) {
      const from = next
      outcomes = await bus.appendFenced(
        fence,
        [0, 1, 2, 3].map((i) => event(`n-${from + i}`, { position: from + i })),
      )
      if (outcomes.some(({ outcome }) => outcome !== 'stored')) break
    }
  }
  return next
}

suite('embedded bus: kill -9', { timeout: 180_000 }, () => {
  test(`of the bus under load, ${ROUNDS} times: all acknowledged is there, once, and fenced entries have no hole`, async () => {
    const bus = await startBus()
    const clients = await Promise.all([bus.connect(), bus.connect(), bus.connect()])
    const acknowledged = new Set<string>()
    const writers = [0, 1, 2, 3, 4, 5].map((i) => keepAppending(clients[i % 2]!, source('free'), `w${i}`, acknowledged))
    let stopped = false
    const leading = leadAndWrite(clients[2]!, source('led'), () => stopped)
    for (let round = 0; round < ROUNDS; round++) {
      const before = acknowledged.size
      await until('events are acknowledged', () => acknowledged.size > before + 20)
      await bus.kill()
      assert.equal((await bus.start()).incarnation, 1)
    }
    const before = acknowledged.size
    await until('events are acknowledged again', () => acknowledged.size > before)
    await Promise.all(writers.map((writer) => writer.stop()))
    stopped = true
    await leading
    const reader = await bus.connect()
    const ids = (await eventsOf(reader, source('free'))).map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length, 'an id is there twice')
    const there = new Set(ids)
    assert.deepEqual(
      [...acknowledged].filter((id) => !there.has(id)),
      [],
    )
    const led = await eventsOf(reader, source('led'))
    assert.ok(led.length > ROUNDS)
    assert.deepEqual(
      led.map(({ id }) => id),
      led.map((_, i) => `n-${i + 1}`),
    )
    const fence = await lead(reader, source('led'), 'r-1')
    assert.equal(fence.positions.get('e'), led.length)
    const { entries, messages } = await reader.state()
    assert.equal(messages, ids.length + led.length)
    assert.equal(entries.find(({ eventSource }) => eventSource === 'free')?.published, ids.length)
    await bus.close()
  })

  test('of the bus: ids, terms, positions, snapshots, values and leases stay; followers and clients go on by themselves', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const of = source('s')
    const fence = await lead(client, of, 'r-0')
    await client.appendFenced(fence, [event('a', { position: { at: 1 } })])
    await client.saveSnapshot(fence, 'e', Buffer.from('snapshot'))
    const revision = await client.kv.put('k', Buffer.from('v'))
    const lease = await client.readLease('default/s')
    const stop = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const { id } of client.read({ follow: true, signal: stop.signal })) seen.push(id)
    })()
    await until('the follower has begun', () => seen.length === 1)
    const statuses: boolean[] = []
    client.onStatus(({ connected }) => statuses.push(connected))

    await bus.kill()
    await until('the client has noticed', () => !client.status().connected)
    const refused = await client.append(of, [event('b')])
    assert.deepEqual(kinds(refused), ['unavailable'])
    assert.equal((refused[0] as { error: { code: string } }).error.code, 'BUS_UNAVAILABLE')
    await rejectsWith(client.kv.put('k', Buffer.from('w')), 'BUS_UNAVAILABLE')
    await bus.start()
    await until('the client is back', () => client.status().connected)
    assert.deepEqual(statuses, [false, true])

    assert.deepEqual(kinds(await client.append(of, [event('a'), event('b')])), ['duplicate', 'stored'])
    assert.deepEqual(kinds(await client.appendFenced(fence, [event('c', { position: { at: 2 } })])), ['stored'])
    assert.deepEqual(await client.readLease('default/s'), lease)
    const next = await lead(client, of, 'r-1')
    assert.equal(next.term, fence.term + 1)
    assert.deepEqual(Object.fromEntries(next.positions), { e: { at: 2 } })
    assert.equal(String(await client.loadSnapshot(of, 'e')), 'snapshot')
    assert.deepEqual((await client.kv.get('k'))?.revision, revision)
    await until('the follower has gone on', () => seen.length === 3)
    assert.deepEqual(seen, ['a', 'b', 'c'])
    stop.abort()
    await following
    await bus.close()
  })

  test('of the bus with a batch in flight: its outcome is unknown, and repeated it is there once', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const inFlight = Array.from({ length: 64 }, (_, i) => client.append(source('s'), numbered(`b${i}`, 10)))
    await new Promise((resolve) => setImmediate(resolve))
    await bus.kill()
    const outcomes = (await Promise.all(inFlight)).flat()
    assert.ok(outcomes.every(({ outcome }) => ['stored', 'unknown', 'unavailable'].includes(outcome)))
    assert.ok(kinds(outcomes).includes('unknown'))
    await bus.start()
    await until('the client is back', () => client.status().connected)
    await Promise.all(Array.from({ length: 64 }, (_, i) => client.append(source('s'), numbered(`b${i}`, 10))))
    const ids = (await eventsOf(client, source('s'))).map(({ id }) => id)
    assert.equal(ids.length, 640)
    assert.equal(new Set(ids).size, 640)
    await bus.close()
  })

  test('of a supervisor: its bus ends by itself, after what was in flight', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const inFlight = client.append(source('s'), numbered('b', 100))
    await new Promise((resolve) => setImmediate(resolve))
    const gone = once(bus.child, 'exit')
    bus.child.stdin!.end()
    assert.deepEqual(await gone, [0, null])
    const outcomes = kinds(await inFlight)
    await bus.start({ incarnation: 'next' })
    const reader = await bus.connect()
    const there = (await eventsOf(reader, source('s'))).length
    if (outcomes.includes('stored')) assert.equal(there, 100)
    else assert.equal(there, outcomes[0] === 'unknown' ? there : 0)
    await bus.close()
  })

  test('SIGTERM ends it cleanly when it has no supervisor, and not when it has: that one ends it last', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    bus.child.kill('SIGTERM')
    assert.deepEqual(kinds(await client.append(source('s'), [event('a')])), ['stored'])
    await bus.kill()
    await bus.start({ endWithParent: false })
    await until('the client is back', () => client.status().connected)
    const gone = once(bus.child, 'exit')
    bus.child.kill('SIGTERM')
    assert.deepEqual(await gone, [0, null])
    await bus.close()
  })
})

suite('embedded bus: frozen', { timeout: 60_000 }, () => {
  const frozen = async (work: (bus: BusFixture, client: EmbeddedBus) => Promise<void>) => {
    const bus = await startBus()
    const client = await bus.connect({ requestTimeoutMs: 2500 })
    await client.append(source('s'), [event('before')])
    bus.child.kill('SIGSTOP')
    try {
      await work(bus, client)
    } finally {
      bus.child.kill('SIGCONT')
      await bus.close()
    }
  }

  test('what was sent becomes unknown, what comes after a second is refused at once, and all goes on when it thaws', () =>
    frozen(async (bus, client) => {
      const start = performance.now()
      const first = client.append(source('s'), [event('first')])
      await until('appends are refused', async () => {
        const asked = performance.now()
        const answered = await Promise.race([client.append(source('s'), [event('probe')]), sleep(100)])
        return (
          answered !== undefined &&
          performance.now() - asked < 100 &&
          (answered as Outcome[])[0]!.outcome === 'unavailable'
        )
      })
      assert.ok(performance.now() - start < 2400, `refused only after ${performance.now() - start} ms`)
      assert.deepEqual(kinds(await first), ['unknown'])
      assert.deepEqual(kinds(await client.append(source('s'), [event('later')])), ['unavailable'])
      bus.child.kill('SIGCONT')
      await until(
        'appends are taken again',
        async () => kinds(await client.append(source('s'), [event('again')]))[0] !== 'unavailable',
      )
      assert.deepEqual(kinds(await client.append(source('s'), [event('first')])), ['duplicate'])
      const ids = (await eventsOf(client, source('s'))).map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length)
      assert.equal(ids.includes('later'), false)
    }))

  test('a fenced batch that lay in its socket is stored before a newer claim or not at all', async () => {
    const bus = await startBus()
    const [old, heir] = [await bus.connect({ requestTimeoutMs: 300 }), await bus.connect({ requestTimeoutMs: 20_000 })]
    for (let round = 0; round < 10; round++) {
      const of = source(`s${round}`)
      const fence = await lead(old, of, 'r-0')
      await old.appendFenced(fence, [event('a', { position: 1 })])
      await takeLease(heir, of, 'r-1')
      bus.child.kill('SIGSTOP')
      // Whichever socket the bus reads first when it thaws.
      const claim = () => heir.claim(of, { holder: 'r-1', nonce: 'heir', floor: 0 })
      const late = () => old.appendFenced(fence, [event('b', { position: 2 })])
      const [claiming, lost] = round % 2 === 0 ? [claim(), late()] : ((l) => [claim(), l] as const)(late())
      assert.deepEqual(kinds(await lost), ['unknown'])
      bus.child.kill('SIGCONT')
      const next = await claiming
      const ids = (await eventsOf(heir, of)).map(({ id }) => id)
      assert.deepEqual(ids, next.positions.get('e') === 2 ? ['a', 'b'] : ['a'])
      // What the old leader repeats, not knowing, is refused in any case.
      assert.deepEqual(kinds(await old.appendFenced(fence, [event('b', { position: 2 })])), ['fenced'])
      assert.equal((await eventsOf(heir, of)).length, ids.length)
    }
    await bus.close()
  })
})

suite('embedded bus: incarnations', { timeout: 60_000 }, () => {
  test('a new one voids all leases and fences every write of the old', async () => {
    const bus = await startBus()
    const orphan = await bus.connect()
    const fence = await lead(orphan, source('s'), 'r-0')
    await orphan.appendFenced(fence, [event('a', { position: 1 })])
    await bus.kill()
    assert.equal((await bus.start({ incarnation: 'next' })).incarnation, 2)
    await until('the orphan is back', () => orphan.status().connected)
    const heir = await bus.connect()
    assert.equal(await heir.readLease('default/s'), null)
    assert.deepEqual(kinds(await orphan.append(source('s'), [event('b')])), ['fenced'])
    assert.deepEqual(kinds(await orphan.appendFenced(fence, [event('c')])), ['fenced'])
    await rejectsWith(orphan.claim(source('s'), { holder: 'r-0', nonce: 'n', floor: 0 }), 'FENCED')
    assert.equal((await orphan.saveSnapshot(fence, 'e', Buffer.from('x'))).outcome, 'fenced')
    const record = { holder: 'r-0', durationMs: 1500, term: 0, released: false }
    assert.equal(await orphan.writeLease('default/s', record, null), null)
    assert.equal(await orphan.kv.put('k', Buffer.from('x')), null)
    const next = await lead(heir, source('s'), 'r-0')
    assert.equal(next.term, fence.term + 1)
    assert.equal(next.positions.get('e'), 1)
    assert.deepEqual(
      (await readAll(heir, {})).map(({ id }) => id),
      ['a'],
    )
    await bus.close()
  })

  test('one that has ended is refused at the start', async () => {
    const bus = await startBus()
    await bus.kill()
    await bus.start({ incarnation: 'next' })
    await bus.kill()
    const said = await bus.start({ incarnation: 1 })
    assert.equal(said.error?.code, 'FENCED')
    if (bus.child.exitCode === null) await once(bus.child, 'exit')
    assert.equal(bus.child.exitCode, 1)
    await bus.close()
  })

  test('a second bus process on the same store ends the first, also a frozen one', async () => {
    const bus = await startBus()
    const first = bus.child
    first.kill('SIGSTOP')
    const gone = once(first, 'exit')
    const said = await bus.start({ incarnation: 'next' })
    assert.equal(said.incarnation, 2)
    assert.deepEqual(await gone, [null, 'SIGKILL'])
    const client = await bus.connect()
    assert.deepEqual(kinds(await client.append(source('s'), [event('a')])), ['stored'])
    await bus.close()
  })
})
