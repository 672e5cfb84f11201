/**
 * The power fails: everything that the store's process writes and syncs is recorded, and cut at any instant. What was synced is there; of
 * the rest each write is there, or not, or torn at the sectors of a disk. Every such file must open, with all that was acknowledged.
 */

import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { look } from '../../src/bus/embedded/look.ts'
import { openPages } from '../../src/bus/embedded/pages.ts'
import { append } from '../../src/bus/embedded/rules.ts'
import { openStore, STORE_FORMAT, type Store } from '../../src/bus/embedded/store.ts'
import { isVedetteError } from '../../src/core/errors.ts'
import { FULL } from '../full.ts'
import { diskMs, makeDisk, type Operation } from '../servers/disk.ts'
import { event, until } from './bus.ts'
import { startBus, takeLease } from './bus-embedded.fixture.ts'
import { type Random, randomOf } from './damage.ts'

const IMAGES = Number(process.env.VEDETTE_IMAGES ?? (FULL ? 500 : 48))
/** A fresh one in the full run: what that finds is a case of its own. */
const FRESH = FULL ? Math.floor(Math.random() * 2 ** 31) : 20261130
const SEED = Number(process.env.VEDETTE_SEED ?? FRESH)
const EVENTS = 1500
const SECTOR = 512
const SOURCES = ['free', 'led'].map((name) => ({ namespace: 'default', name }))

interface Acknowledged {
  seq: number
  id: string
  atMs: number
}

/** What the disk holds when the power fails at an instant. */
function imageAt(operations: Operation[], cutMs: number, random: Random): Buffer {
  let disk = Buffer.alloc(0)
  const put = (offset: number, bytes: Buffer) => {
    if (disk.byteLength < offset + bytes.byteLength) disk = Buffer.concat([disk], offset + bytes.byteLength)
    bytes.copy(disk, offset)
  }
  let pending: Operation[] = []
  for (const operation of operations) {
    const { kind, offset, bytes, begunMs, endedMs } = operation
    if (begunMs > cutMs) break
    if (kind === 'truncate') throw new Error('the store is never cut')
    if (kind === 'durable' && endedMs <= cutMs) put(offset, bytes)
    else if (kind !== 'sync') pending.push(operation)
    else if (endedMs <= cutMs) {
      const isOnDisk = (write: Operation) => write.endedMs <= begunMs
      for (const write of pending.filter(isOnDisk)) put(write.offset, write.bytes)
      pending = pending.filter((write) => !isOnDisk(write))
    }
  }
  for (const { offset, bytes } of pending) {
    const fate = random()
    if (fate < 0.35) continue
    for (let at = 0; at < bytes.byteLength; ) {
      const end = Math.min(bytes.byteLength, at + SECTOR - ((offset + at) % SECTOR))
      if (fate < 0.65 || random() < 0.5) put(offset + at, bytes.subarray(at, end))
      at = end
    }
  }
  return disk
}

/** A look that stands still is no word about the store: this machine has others to serve. */
async function opened(dir: string): Promise<Store> {
  for (;;) {
    try {
      return await openStore({ dir, incarnation: 'next' })
    } catch (error) {
      if (!isVedetteError(error, 'BUS_UNAVAILABLE')) throw error
    }
  }
}

suite('embedded bus: power loss', { timeout: 1_800_000 }, () => {
  test(`${IMAGES} images of the disk: each opens, every acknowledged event is there, no hole`, async (t) => {
    const disk = makeDisk(t, { file: 'data.mdb', bytes: true })
    if ('cannot' in disk) return t.skip(disk.cannot)
    t.diagnostic(`VEDETTE_SEED=${SEED}`)
    const random = randomOf(SEED)
    const bus = await startBus({ maxBytes: 300_000 }, disk.env)
    const client = await bus.connect()
    const beganMs = diskMs()
    const acknowledged: Acknowledged[] = []
    const positions: { position: number; atMs: number }[] = []
    const padding = () => ({ event: Buffer.alloc(random() < 0.2 ? 2000 + random() * 6000 : 50 + random() * 600, 'x') })
    const enough = () => acknowledged.length >= EVENTS
    const free = async (sender: number) => {
      for (let n = 0; !enough(); n++) {
        const id = `s${sender}-${n}`
        const [outcome] = await client.append(SOURCES[0]!, [event(id, padding())])
        assert.equal(outcome?.outcome, 'stored')
        acknowledged.push({ seq: (outcome as { seq: number }).seq, id, atMs: diskMs() })
      }
    }
    const led = async () => {
      await takeLease(client, SOURCES[1]!, 'r-0')
      const fence = await client.claim(SOURCES[1]!, { holder: 'r-0', nonce: 'n', floor: 0 })
      for (let next = 1; !enough(); next += 3) {
        const batch = [0, 1, 2].map((i) => event(`n-${next + i}`, { ...padding(), position: next + i }))
        const outcomes = await client.appendFenced(fence, batch)
        const atMs = diskMs()
        for (const [i, outcome] of outcomes.entries()) {
          assert.equal(outcome.outcome, 'stored')
          acknowledged.push({ seq: (outcome as { seq: number }).seq, id: `n-${next + i}`, atMs })
        }
        positions.push({ position: next + 2, atMs })
      }
    }
    await Promise.all([free(0), free(1), free(2), free(3), led()])
    await bus.kill()
    const endedMs = diskMs()
    const operations = disk.operations()
    const mark = join(bus.dir, 'store.json')
    let [unsynced, lastSeqs] = [0, 0]
    for (let n = 0; n < IMAGES; n++) {
      const cutMs = beganMs + random() * (endedMs - beganMs)
      const image = imageAt(operations, cutMs, random)
      const told = `VEDETTE_SEED=${SEED}, image ${n}`
      const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vpower-'))
      try {
        writeFileSync(join(dir, 'data.mdb'), image)
        copyFileSync(mark, join(dir, 'store.json'))
        const pages = openPages(join(dir, 'data.mdb'))
        assert.deepEqual(look(pages, STORE_FORMAT, () => {}).problems, [], told)
        pages.close()
        const store = await opened(dir)
        assert.equal(store.notice, null, told)
        const records = [...store.committed.log.range(0)]
        const first = records[0]?.[0] ?? 1
        assert.deepEqual(
          records.map(([seq]) => seq),
          records.map((_, i) => first + i),
          `a hole; ${told}`,
        )
        const there = new Map(records.map(([seq, { id }]) => [seq, id]))
        const missing = acknowledged.filter(
          ({ seq, id, atMs }) => atMs <= cutMs && seq >= first && there.get(seq) !== id,
        )
        assert.deepEqual(missing, [], told)
        const acknowledgedSeq = Math.max(0, ...acknowledged.filter(({ atMs }) => atMs <= cutMs).map(({ seq }) => seq))
        assert.ok(store.committed.meta.get('seq') >= acknowledgedSeq, told)
        const position = Number(store.committed.positions.get('default/led/e') ?? 0)
        assert.ok(
          position >= Math.max(0, ...positions.filter(({ atMs }) => atMs <= cutMs).map((it) => it.position)),
          told,
        )
        if (records.some(([, { eventSource }]) => eventSource === 'led')) {
          assert.equal(records.findLast(([, { eventSource }]) => eventSource === 'led')?.[1].id, `n-${position}`, told)
        }
        const at = { nowMs: Date.now(), incarnation: store.incarnation, dedupMs: 1e9 }
        const [seq] = store.transaction((tables) => append(tables, at, SOURCES[0]!, [event('after')]))
        assert.equal(seq, store.committed.meta.get('seq'), told)
        if (records.length > 0) assert.equal(seq, first + records.length, told)
        unsynced += operations.filter(({ begunMs, endedMs: end }) => begunMs <= cutMs && end > cutMs).length
        lastSeqs += seq as number
        await store.close()
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    }
    const kinds = Object.groupBy(operations, ({ kind }) => kind)
    t.diagnostic(
      `${operations.length} operations (${Object.entries(kinds).map(([kind, list]) => `${list.length} ${kind}`)}), ${acknowledged.length} events; ` +
        `${IMAGES} images, ${unsynced} of them within an operation, event ${Math.round(lastSeqs / IMAGES)} in the middle`,
    )
    assert.ok((kinds.sync?.length ?? 0) > 50 && (kinds.durable?.length ?? 0) > 50, 'the disk was not recorded')
    await until('the bus is gone', () => bus.child.exitCode !== null || bus.child.signalCode !== null)
    await bus.close()
  })
})
