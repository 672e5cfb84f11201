/** Damaged in every way a disk knows: what is not told of is not missing, and what can be read is saved. Whole processes: test/contract/bus-embedded-damage.test.ts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { buildStore, damage, layOut, randomOf, survivorsOf } from '../../../test/contract/damage.ts'
import { inspectHeader } from './header.ts'
import { openEnvironment } from './lmdb.ts'
import { look } from './look.ts'
import { readMark } from './mark.ts'
import { openPages } from './pages.ts'
import { rebuild } from './rebuild.ts'
import { STORE_FORMAT } from './store.ts'
import { snapshotsOf, survey } from './survey.ts'

const CASES = process.env.VEDETTE_FULL === '1' ? 1500 : 40
const SEED = Number(process.env.VEDETTE_SEED ?? Math.floor(Math.random() * 2 ** 31))

suite('embedded store, damaged', { timeout: 1_800_000 }, () => {
  test(`${CASES} damages: none is overlooked, and every event whose bytes are left is saved`, async (t) => {
    t.diagnostic(`VEDETTE_SEED=${SEED}`)
    const built = await buildStore(randomOf(SEED))
    let [found, complete, events] = [0, 0, 0]
    for (let n = 0; n < CASES; n++) {
      const damaged = damage(built, randomOf(SEED + n))
      const dir = mkdtempSync(join(tmpdir(), 'vrebuild-'))
      const told = `VEDETTE_SEED=${SEED}, case ${n}: ${damaged.what}`
      try {
        layOut(built, damaged, dir)
        const header = inspectHeader(dir)
        if (header.state === 'gone') continue
        const pages = openPages(join(dir, 'data.mdb'))
        const { problems } = look(pages, STORE_FORMAT, () => {})
        if (problems.length === 0 && header.state === 'ok') {
          const there = new Map<unknown, unknown>()
          survey(pages, snapshotsOf(pages)[0]!, ({ table, key, value }) => {
            if (table === 'log') there.set(key, (value as unknown[])[4])
          })
          for (const [seq, { id }] of built.events) assert.equal(there.get(seq), id, `overlooked; ${told}`)
        } else found++
        const target = openEnvironment(join(dir, 'target'), { mapBytes: 1 << 26 })
        const rebuilt = rebuild(pages, target, readMark(dir), () => {})
        const saved = new Map(target.tables.log.range(0))
        const missing = survivorsOf(built, damaged.file).filter((seq) => !saved.has(seq))
        assert.deepEqual(missing, [], `events not saved; ${told}`)
        for (const [seq, record] of saved) assert.equal(record.id, built.ever.get(seq)?.id, `event ${seq}; ${told}`)
        const lost = [...built.events.keys()].filter((seq) => !saved.has(seq)).length
        const more = [...saved.keys()].filter((seq) => !built.events.has(seq)).length
        if (rebuilt.lost !== null && more === 0) assert.equal(rebuilt.lost, lost, `the loss is told wrong; ${told}`)
        for (const [key, position] of target.tables.positions.scan()) {
          assert.ok(built.positions.get(key)?.includes(position as number), `position ${position} of ${key}; ${told}`)
        }
        if (lost === 0) complete++
        events += lost
        pages.close()
        await target.close()
        const after = openPages(join(dir, 'target', 'data.mdb'))
        assert.deepEqual(look(after, STORE_FORMAT, () => {}).problems, [], told)
        after.close()
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    }
    t.diagnostic(`${CASES} damages: ${found} told of; ${complete} without a loss, ${events} events lost in the others`)
  })
})
