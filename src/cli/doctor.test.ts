import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { append } from '../bus/embedded/rules.ts'
import { openStore } from '../bus/embedded/store.ts'
import { type Check, examine } from './doctor.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

function vedette(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  )
}

async function fill(dir: string, count: number) {
  const store = await openStore({ dir, incarnation: 'next' })
  const at = { nowMs: Date.now(), incarnation: store.incarnation, dedupMs: 1e9 }
  for (let i = 0; i < count; i += 100) {
    const batch = Array.from({ length: 100 }, (_, n) => ({
      entry: 'e',
      id: `id-${i + n}`,
      event: Buffer.alloc(1000, 'x'),
    }))
    store.transaction((tables) => append(tables, at, { namespace: 'default', name: 's' }, batch))
  }
  await store.close()
}

const failed = (checks: Check[]) => checks.filter(({ ok }) => !ok).map(({ name }) => name)

suite('vedette doctor', { timeout: 300_000 }, () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vdoctor-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  test('finds nothing wrong with a directory that is not there yet, and leaves nothing behind', async () => {
    assert.deepEqual(failed(await examine(join(dir, 'a', 'b'))), [])
    assert.deepEqual(readdirSync(dir), [])
  })

  test('counts what a sound store holds', async () => {
    await fill(dir, 300)
    const { code, stdout } = await vedette('doctor', '--data', dir)
    assert.equal(code, 0, stdout)
    assert.match(stdout, /ok +store +sound, format 1, 300 events/)
    assert.match(stdout, /ok +fsync +a write is on disk after \d+\.\d\d ms/)
    const repair = await vedette('doctor', '--repair', '--data', dir)
    assert.equal(repair.code, 0)
    assert.match(repair.stdout, /nothing to repair/)
  })

  test('says what is wrong with a damaged store, repairs it, and is content then', async () => {
    await fill(dir, 3000)
    truncateSync(join(dir, 'data.mdb'), 512 * 4096)
    const found = await vedette('doctor', '--data', dir)
    assert.equal(found.code, 1)
    assert.match(found.stdout, /FAIL store +damaged: /)
    assert.match(found.stdout, /vedette doctor --repair/)
    const repair = await vedette('doctor', '--repair', '--json', '--data', dir)
    assert.equal(repair.code, 0, repair.stdout + repair.stderr)
    const { ok, repaired } = JSON.parse(repair.stdout)
    assert.equal(ok, true)
    assert.ok(repaired.records > 500, repair.stdout)
    assert.deepEqual(readdirSync(repaired.damaged), ['data.mdb'])
    const after = await vedette('doctor', '--data', dir)
    assert.equal(after.code, 0)
    assert.match(after.stdout, new RegExp(`sound, format 1, ${repaired.records} events`))
  })

  test('names a clock that is behind what was written, and a store that is none', async () => {
    writeFileSync(join(dir, 'data.mdb'), 'this is no store'.repeat(1000))
    const tomorrow = new Date(Date.now() + 86_400_000)
    utimesSync(join(dir, 'data.mdb'), tomorrow, tomorrow)
    assert.deepEqual(failed(await examine(dir)), ['store', 'clock'])
  })

  test('does not repair under a run', async () => {
    const { takeDataDir } = await import('../local/dataDir.ts')
    await fill(dir, 100)
    truncateSync(join(dir, 'data.mdb'), 4 * 4096)
    const taken = await takeDataDir(dir)
    try {
      const { code, stderr } = await vedette('doctor', '--repair', '--data', dir)
      assert.equal(code, 1)
      assert.match(stderr, /in use|has the directory|already/i)
    } finally {
      await taken.release()
    }
  })
})
