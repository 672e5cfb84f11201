/** Damaged in every way a disk knows: what is not told of is not missing, and what can be read is saved. Whole processes: test/contract/bus-embedded-damage.test.ts. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  type Built,
  buildStore,
  type Damage,
  damage,
  layOut,
  randomOf,
  survivorsOf,
} from '../../../test/contract/damage.ts'
import { FULL } from '../../../test/full.ts'
import { inspectHeader } from './header.ts'
import { putValue } from './leases.ts'
import { openEnvironment } from './lmdb.ts'
import { look } from './look.ts'
import { readMark } from './mark.ts'
import { openPages } from './pages.ts'
import { rebuild } from './rebuild.ts'
import { openStore, STORE_FORMAT } from './store.ts'
import { snapshotsOf, survey } from './survey.ts'

const CASES = FULL ? 1500 : 40
/** A fresh one in the full run: what that finds is a case of its own. */
const FRESH = FULL ? Math.floor(Math.random() * 2 ** 31) : 20261130
const SEED = Number(process.env.VEDETTE_SEED ?? FRESH)
/** That once failed, by seed: the case. */
const FAILED: readonly [seed: number, n: number][] = [
  [496189817, 27],
  [1001, 36],
  [1012, 23],
  [1018, 12],
  [1028, 28],
]

interface Judged {
  wasFound: boolean
  /** Events. */
  lost: number
}

/** One damage, repaired. Null: there was no file. */
async function judge(built: Built, damaged: Damage, origin: string): Promise<Judged | null> {
  const dir = mkdtempSync(join(tmpdir(), 'vrebuild-'))
  const told = `${origin}: ${damaged.what}`
  try {
    layOut(built, damaged, dir)
    const header = inspectHeader(dir)
    if (header.state === 'gone') return null
    const pages = openPages(join(dir, 'data.mdb'))
    const { problems } = look(pages, STORE_FORMAT, () => {})
    const wasFound = problems.length > 0 || header.state !== 'ok'
    if (!wasFound) {
      const there = new Map<unknown, unknown>()
      survey(pages, snapshotsOf(pages)[0]!, ({ table, key, value }) => {
        if (table === 'log') there.set(key, (value as unknown[])[4])
      })
      for (const [seq, { id }] of built.events) assert.equal(there.get(seq), id, `overlooked; ${told}`)
    }
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
    pages.close()
    await target.close()
    assert.deepEqual(problemsOf(join(dir, 'target')), [], told)
    return { wasFound, lost }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function problemsOf(dir: string): string[] {
  const pages = openPages(join(dir, 'data.mdb'))
  const { problems } = look(pages, STORE_FORMAT, () => {})
  pages.close()
  return problems
}

suite('embedded store, damaged', { timeout: 1_800_000 }, () => {
  test(`${CASES} damages: none is overlooked, and every event whose bytes are left is saved`, async (t) => {
    t.diagnostic(`VEDETTE_SEED=${SEED}`)
    const built = await buildStore(randomOf(SEED), { rewrites: SEED % 2 === 0 })
    let [found, complete, events] = [0, 0, 0]
    for (let n = 0; n < CASES; n++) {
      const judged = await judge(built, damage(built, randomOf(SEED + n)), `VEDETTE_SEED=${SEED}, case ${n}`)
      if (judged === null) continue
      if (judged.wasFound) found++
      if (judged.lost === 0) complete++
      events += judged.lost
    }
    t.diagnostic(`${CASES} damages: ${found} told of; ${complete} without a loss, ${events} events lost in the others`)
  })

  for (const [seed, n] of FAILED) {
    test(`case ${n} of seed ${seed}, which once failed`, async () => {
      const built = await buildStore(randomOf(seed), { rewrites: seed % 2 === 0 })
      assert.ok(await judge(built, damage(built, randomOf(seed + n)), `seed ${seed}, case ${n}`))
    })
  }

  test('one of the first two pages is of yesterday: it is told, and nothing is lost', async () => {
    const built = await buildStore(randomOf(1))
    for (const page of [0, 1]) {
      const file = Buffer.from(built.file)
      built.before.copy(file, page * 4096, page * 4096, (page + 1) * 4096)
      const judged = await judge(built, { what: `page ${page} of yesterday`, file }, 'first pages')
      assert.deepEqual(judged, { wasFound: true, lost: 0 }, `page ${page}`)
    }
  })

  // lmdb lets it keep the pages that it had
  test('a big value that is written again in its transaction, smaller, is sound: at once, and when it is gone', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vrebuild-'))
    const store = await openStore({ dir, incarnation: 'next', maxBytes: 1 << 20 })
    const at = { nowMs: Date.now(), incarnation: store.incarnation, dedupMs: 1e9 }
    const put = (...sizes: number[]) =>
      store.transaction((tables) => {
        for (const size of sizes) putValue(tables, at, 'key', Buffer.alloc(size, 'v'), undefined)
      })
    try {
      for (const sizes of [[30_000, 5_000], [30_000, 3], [30_000, 9_000, 12_000], [3, 30_000, 29_000], [3]]) {
        put(...sizes)
        assert.deepEqual(problemsOf(dir), [], `written with ${sizes.join(', then ')} bytes`)
      }
    } finally {
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
