/** The contract of the lock and suspicion ports, run by every adapter. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import type { Lease, LeaseRecord, Lock, Suspicion } from '../../src/ha/lock.ts'
import { until } from './bus.ts'

export interface LockUnderTest {
  /** The lock of that name as a process of its own sees it. */
  open(name: string): Promise<LockClient>
  close(): Promise<void>
}

export interface LockClient {
  lock: Lock
  /** Where this adapter can see a process die. */
  suspicion?: Suspicion
  /** Where a death is only seen once this client has found the holder: true when it has. */
  watches?: () => boolean
  /** Ends this client as kill -9 would. */
  kill(): Promise<void>
}

export const record = (holder: string, more: Partial<LeaseRecord> = {}): LeaseRecord => ({
  holder,
  durationMs: 1500,
  term: 0,
  released: false,
  ...more,
})

export function lockContract(name: string, make: () => Promise<LockUnderTest>): void {
  suite(`lock contract: ${name}`, { timeout: 60_000 }, () => {
    let under: LockUnderTest
    let count = 0
    const run = randomBytes(4).toString('hex')
    const fresh = () => `contract/l${run}-${count++}`
    before(async () => {
      under = await make()
    })
    after(() => under?.close())

    test('a lease is made once, read back whole, and changed from the revision last seen', async () => {
      const { lock } = await under.open(fresh())
      assert.equal(await lock.read(), null)
      const first = (await lock.write(record('a', { term: 3, successor: 'b' }), null)) as Lease
      assert.deepEqual(first.record, record('a', { term: 3, successor: 'b' }))
      assert.deepEqual(await lock.read(), first)
      assert.equal(await lock.write(record('b'), null), null, 'there is one already')
      const second = (await lock.write(record('a', { term: 4 }), first.revision)) as Lease
      assert.notEqual(second.revision, first.revision)
      assert.equal(await lock.write(record('b'), first.revision), null, 'that revision has gone')
      const released = (await lock.write(record('', { released: true, term: 4 }), second.revision)) as Lease
      assert.deepEqual((await lock.read())?.record, released.record)
      assert.equal(released.record.released, true)
    })

    test('a renewal that changes nothing changes the revision all the same', async () => {
      const { lock } = await under.open(fresh())
      let lease = (await lock.write(record('a'), null)) as Lease
      const seen = new Set([lease.revision])
      for (let i = 0; i < 10; i++) {
        lease = (await lock.write(record('a'), lease.revision)) as Lease
        seen.add(lease.revision)
      }
      assert.equal(seen.size, 11)
    })

    test('of many that want it at once, one gets it', async () => {
      const name = fresh()
      const clients = await Promise.all(Array.from({ length: 6 }, () => under.open(name)))
      let revision: string | null = null
      for (let round = 0; round < 15; round++) {
        const results: (Lease | null)[] = await Promise.all(
          clients.map(({ lock }, i) => lock.write(record(`c${i}`, { term: round }), revision)),
        )
        const won = results.filter((lease) => lease !== null)
        assert.equal(won.length, 1, `round ${round}`)
        assert.deepEqual(await clients[0]!.lock.read(), won[0])
        revision = won[0]!.revision
      }
    })

    test('names do not touch each other', async () => {
      const [one, two] = [await under.open(fresh()), await under.open(fresh())]
      await one.lock.write(record('a'), null)
      assert.equal(await two.lock.read(), null)
    })

    test('who watches is called when the holder changes or lets go, until it stops watching', async () => {
      const name = fresh()
      const [holder, watcher] = [await under.open(name), await under.open(name)]
      let calls = 0
      const stop = watcher.lock.onChange(() => calls++)
      // When the watching begins to work is not said (an interest must first travel through a cluster), so changes go on until one is told.
      let held: Lease | null = null
      for (let turn = 0; calls === 0 && turn < 100; turn++) {
        held = await holder.lock.write(record(turn % 2 === 0 ? 'a' : 'c'), held?.revision ?? null)
        await until('the new holder is told', () => calls >= 1, 100).catch(() => {})
      }
      assert.ok(held !== null && calls >= 1, 'a new holder is told')
      const before = calls
      const freed = (await holder.lock.write(record('', { released: true }), held.revision)) as Lease
      await until('the release is told', () => calls > before)
      stop()
      const atStop = calls
      await holder.lock.write(record('b'), freed.revision)
      await until('it can be read', async () => (await watcher.lock.read())?.record.holder === 'b')
      assert.equal(calls, atStop)
    })

    test('a holder whose process dies is suspected by the others, one that let go is not', async (t) => {
      const [name, free] = [fresh(), fresh()]
      const [holder, watcher] = [await under.open(name), await under.open(name)]
      if (watcher.suspicion === undefined) return t.skip('this adapter cannot see processes')
      const suspects: string[] = []
      watcher.suspicion.onSuspect((suspect) => suspects.push(suspect))
      await holder.lock.write(record('s-0'), null)
      const releasing = await under.open(free)
      const lease = (await releasing.lock.write(record('q-0'), null)) as Lease
      await releasing.lock.write(record('q-0', { released: true }), lease.revision)
      await releasing.kill()
      // As whoever stands by does from time to time: an interest may not yet have travelled through the cluster when a holder is told.
      await until('the holder is read', async () => (await watcher.lock.read())?.record.holder === 's-0')
      await until('the holder is watched', () => watcher.watches?.() ?? true)
      await holder.kill()
      await until('the dead holder is suspected', () => suspects.length > 0)
      assert.deepEqual(suspects, ['s-0'])
    })
  })
}
