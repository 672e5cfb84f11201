/** `vedette doctor --repair` on a disk of fifty syncs a second: in few syncs and little memory, and it says how far it is. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkStore } from '../../src/bus/embedded/check.ts'
import { append } from '../../src/bus/embedded/rules.ts'
import { openStore } from '../../src/bus/embedded/store.ts'
import { makeDisk } from '../servers/disk.ts'

const VEDETTE = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const SYNC_MS = 20
const PAGE = 4096
const MIB = 2 ** 20
/** Of the events of the large store; in the file they are more. */
const LARGE_MIB = Number(process.env.VEDETTE_STORE_MIB ?? 112)
const EVENT_BYTES = Number(process.env.VEDETTE_EVENT_BYTES ?? 1000)

/** A store of `count` events, with one zeroed page in its middle. */
async function damagedStore(dir: string, count: number, bytes: number): Promise<void> {
  const store = await openStore({ dir, incarnation: 'next', maxBytes: Number.MAX_SAFE_INTEGER, maxStoreBytes: 2 ** 34 })
  const at = { nowMs: Date.now(), incarnation: store.incarnation, dedupMs: 1e9 }
  const group = Math.max(1, Math.floor((2 * MIB) / bytes))
  for (let i = 0; i < count; i += group) {
    const batch = Array.from({ length: Math.min(group, count - i) }, (_, n) => ({
      entry: 'e',
      id: `id-${i + n}`,
      event: Buffer.alloc(bytes, 'x'),
    }))
    store.transaction((tables) => append(tables, at, { namespace: 'default', name: 's' }, batch))
  }
  await store.close()
  const file = join(dir, 'data.mdb')
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(PAGE), 0, PAGE, Math.floor(statSync(file).size / PAGE / 2) * PAGE)
  closeSync(handle)
}

/** Memory of a process' own, and all that it has of RAM (pages of the file among it), of the children of `pid`, KiB. */
function memoryOf(pid: number): { own: number; all: number } {
  const most = { own: 0, all: 0 }
  for (const name of readdirSync('/proc').filter((it) => /^\d+$/.test(it))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8')
      const of = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
      if (of('PPid') !== pid) continue
      most.own = Math.max(most.own, of('RssAnon'))
      most.all = Math.max(most.all, of('VmRSS'))
    } catch {
      // it has ended
    }
  }
  return most
}

async function repair(dir: string, env: Record<string, string>) {
  const beganMs = performance.now()
  const child = spawn(process.execPath, [VEDETTE, 'doctor', '--repair', '--json', '--data', dir], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const most = { own: 0, all: 0 }
  const watch = setInterval(() => {
    const now = memoryOf(child.pid ?? -1)
    most.own = Math.max(most.own, now.own)
    most.all = Math.max(most.all, now.all)
  }, 100)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  return { code, stdout, stderr, most, seconds: (performance.now() - beganMs) / 1000 }
}

async function repairs(t: TestContext, count: number, bytes: number) {
  const disk = makeDisk(t, { file: 'data.mdb', delayMs: SYNC_MS })
  if ('cannot' in disk) return t.skip(disk.cannot)
  const dir = mkdtempSync(join(tmpdir(), 'vrepair-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  await damagedStore(dir, count, bytes)
  const size = statSync(join(dir, 'data.mdb')).size
  const { problems } = await checkStore(dir)
  assert.ok(problems.length > 0, 'the damage is none')
  const { code, stdout, stderr, most, seconds } = await repair(dir, disk.env)
  assert.equal(code, 0, stdout + stderr)
  const { repaired } = JSON.parse(stdout) as { repaired: { records: number; lost: number } }
  const syncs = disk.operations().filter(({ kind }) => kind === 'sync' || kind === 'durable').length
  t.diagnostic(
    `${(size / MIB).toFixed(0)} MiB, ${count} events: ${repaired.records} saved in ${seconds.toFixed(1)} s with ${syncs} syncs of ${SYNC_MS} ms; ` +
      `at most ${(most.own / 1024).toFixed(0)} MiB of its own, ${(most.all / 1024).toFixed(0)} MiB with pages of files`,
  )
  assert.equal(repaired.records + repaired.lost, count)
  assert.ok(repaired.lost <= 64, `${repaired.lost} events lost by one page`)
  assert.ok(syncs <= 30 + (2 * size) / (2 * MIB), `${syncs} syncs`)
  assert.ok(most.own < 400 * 1024, `${most.own} KiB`)
  assert.deepEqual((await checkStore(dir)).problems, [])
  return { stderr }
}

suite('embedded bus: repair on a slow disk', { timeout: 3_600_000 }, () => {
  test('5,000 events and one zeroed page', async (t) => {
    await repairs(t, 5000, 300)
  })

  test(`${LARGE_MIB} MiB of events and one zeroed page: it says how far it is`, async (t) => {
    const ran = await repairs(t, Math.ceil((LARGE_MIB * MIB) / EVENT_BYTES), EVENT_BYTES)
    if (ran === undefined) return
    const last = ran.stderr.trimEnd().split('\n').at(-1) ?? ''
    assert.match(ran.stderr, /saving what can be read: \w+, \d+ events of \d+ \(\d+ %\), \d+ s/, last)
  })
})
