/** The disk is full, or the store is damaged: it is said, nothing acknowledged is lost, and there is a way back. */

import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openPages } from '../../src/bus/embedded/pages.ts'
import { FULL } from '../full.ts'
import { assertAcknowledgedOnce, assertOrdered } from './checks.ts'
import { orders, ordersUrl } from './orders.ts'
import { type Line, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'
import { fill, smallDisk } from './small-disk.ts'
import { assertEveryTickOnce, ticking } from './ticks.ts'

const vedette = new URL('../../vedette', import.meta.url).pathname

const both = (ports: number[]) => `${ticking(3)()}---
${orders(3)(ports)}`

/** How long a busy machine may take for what is done in a second; how fast it is belongs to bench/. */
const PATIENCE_MS = 60_000

const posted = async (rig: Rig) => {
  const answer = await fetch(ordersUrl(rig), {
    method: 'POST',
    body: '{"key":"probe"}',
    headers: { 'idempotency-key': 'probe' },
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  return { status: answer.status, retryAfter: answer.headers.get('retry-after') }
}

test('the disk is full under load, twice: 503 with Retry-After, every process lives, with space it goes on, nothing is lost', async (t) => {
  const disk = smallDisk(t, 16)
  if ('cannot' in disk) return t.skip(disk.cannot)
  const ballast = join(disk.path, 'ballast')
  const rig = await startRig(both, { data: join(disk.path, 'data') })
  t.after(() => rig.close(t))
  // a full disk admits no lease: who fills it before somebody leads waits for ever
  await nextLeader(rig, 'clock', null)
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 50, attemptTimeoutMs: PATIENCE_MS })
  const pids = async () => [await rig.busPid(), ...(await rig.hostPids()).sort()]
  const before = await pids()
  const recoveredMs: number[] = []
  for (let round = 0; round < 2; round++) {
    const takenBefore = crowd.acknowledged.length
    await waitFor(async () => crowd.acknowledged.length > takenBefore + 100, PATIENCE_MS)
    fill(ballast)
    const refusedBefore = crowd.statuses.get(503) ?? 0
    await waitFor(async () => (crowd.statuses.get(503) ?? 0) > refusedBefore + 20, PATIENCE_MS)
    let answer = await posted(rig)
    // Freed pages may take the one or other event yet.
    await waitFor(async () => {
      answer = await posted(rig)
      return answer.status !== 200
    }, PATIENCE_MS)
    assert.deepEqual([answer.status, answer.retryAfter], [503, '1'])
    assert.match(rig.log(), /the store is full/)
    await pause(2000)
    assert.deepEqual(await pids(), before, 'a process ended because the disk was full')
    rmSync(ballast)
    const freedMs = performance.now()
    const acknowledgedBefore = crowd.acknowledged.length
    await waitFor(async () => crowd.acknowledged.length > acknowledgedBefore + 200, PATIENCE_MS)
    recoveredMs.push(performance.now() - freedMs)
  }
  await pause(1500)
  await crowd.stop()
  await nextLeader(rig, 'clock', null)
  assert.deepEqual(await pids(), before)
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertOrdered(lines)
  assertAcknowledgedOnce(
    lines.filter(({ subject }) => subject === 'default.orders.order'),
    crowd.acknowledged,
  )
  const ticks = assertEveryTickOnce(lines.filter(({ subject }) => subject === 'default.clock.tick'))
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged, ${ticks} ticks; went on ${recoveredMs.map((ms) => ms.toFixed(0)).join(', ')} ms after there was space; ` +
      `answers: ${[...crowd.statuses].map(([status, times]) => `${status}: ${times}`).join(', ')}`,
  )
  assert.deepEqual([...crowd.failures], [])
  assert.deepEqual([...crowd.statuses.keys()].sort(), [200, 503])
})

test('the bus and a host are killed while the disk is full: the run waits for space, then all goes on', async (t) => {
  const disk = smallDisk(t, 16)
  if ('cannot' in disk) return t.skip(disk.cannot)
  const ballast = join(disk.path, 'ballast')
  const rig = await startRig(both, { data: join(disk.path, 'data') })
  t.after(() => rig.close(t))
  await nextLeader(rig, 'clock', null)
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 50, attemptTimeoutMs: PATIENCE_MS })
  await waitFor(async () => crowd.acknowledged.length > 100, PATIENCE_MS)
  fill(ballast)
  await waitFor(async () => (crowd.statuses.get(503) ?? 0) > 20, PATIENCE_MS)
  fill(ballast)
  process.kill((await nextLeader(rig, 'clock', null)).pid, 'SIGKILL')
  process.kill(await rig.busPid(), 'SIGKILL')
  // Longer than a process that does not start is tried.
  await pause(12_000)
  assert.equal(rig.supervisor.exitCode, null, rig.log().slice(-2000))
  const lost = await rig.status()
  assert.ok(lost.eventSources.length === 2)
  assert.match(lost.bus.error ?? '', /^the bus process (does not start|ended|starts).*/)
  rmSync(ballast)
  const freedMs = performance.now()
  const before = crowd.acknowledged.length
  // Longer than it takes to kill a bus process that hangs.
  await waitFor(async () => crowd.acknowledged.length > before + 200, 40_000)
  const recoveredMs = performance.now() - freedMs
  if (recoveredMs > 5_000) t.diagnostic(`slow to go on; the run's log ends:\n${rig.log().slice(-8_000)}`)
  await nextLeader(rig, 'clock', null)
  const recorded = () =>
    (JSON.parse(readFileSync(join(rig.data, 'run.json'), 'utf8')) as { children: { pid: number }[] }).children.map(
      ({ pid }) => pid,
    )
  const host = (await rig.hostPids())[0]!
  process.kill(host, 'SIGKILL')
  await waitFor(async () => {
    const pids = [await rig.busPid(), ...(await rig.hostPids())].sort()
    return pids.length === 4 && !pids.includes(host) && recorded().sort().join() === pids.join()
  }, PATIENCE_MS)
  await pause(1500)
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertAcknowledgedOnce(
    lines.filter(({ subject }) => subject === 'default.orders.order'),
    crowd.acknowledged,
  )
  const ticks = assertEveryTickOnce(lines.filter(({ subject }) => subject === 'default.clock.tick'))
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged, ${ticks} ticks; went on ${recoveredMs.toFixed(0)} ms after there was space`,
  )
})

test('a run that starts on a full disk says so and ends with 3, however little space there is', async (t) => {
  const disk = smallDisk(t, 4)
  if ('cannot' in disk) return t.skip(disk.cannot)
  const manifest = join(mkdtempSync(join(tmpdir(), 'vedette-full-')), 'sources.yaml')
  t.after(() => rmSync(dirname(manifest), { recursive: true }))
  writeFileSync(manifest, ticking(1)())
  const spare = join(disk.path, 'spare')
  for (const free of [0, 4, 8, 16, 32, 64, 200]) {
    writeFileSync(spare, Buffer.alloc(free << 10))
    fill(join(disk.path, 'ballast'))
    rmSync(spare)
    const ran: SpawnSyncReturns<string> = spawnSync(
      vedette,
      ['run', manifest, '--data', join(disk.path, 'data'), '--listen', '127.0.0.1:0'],
      {
        encoding: 'utf8',
        timeout: PATIENCE_MS,
      },
    )
    assert.equal(ran.status, 3, `with ${free} KiB free: ${ran.stderr}`)
    assert.match(ran.stderr, /vedette: .*(disk|store).* is full/)
    assert.doesNotMatch(ran.stderr, /\n\s+at /, 'a stack')
    for (const name of ['ballast', 'data']) rmSync(join(disk.path, name), { recursive: true, force: true })
  }
})

const PAGE = 4096

interface Damage {
  damage(file: string, lines: Line[]): void
  /** How many of so many events it may cost. */
  loses(events: number): number
  starts: boolean
  tailFails?: boolean
  /** Tried on a whole run in every length: each stands for others, which test/contract tries on the store alone. */
  always?: true
}

/** How a store is damaged. */
const damages: Record<string, Damage> = {
  'its first pages are garbage': {
    always: true,
    damage(file) {
      for (const page of [0, 1]) overwrite(file, page)
    },
    loses: () => 0,
    starts: false,
  },
  'its file is empty': {
    damage: (file) => truncateSync(file, 0),
    loses: (events) => events,
    starts: false,
  },
  'its file is gone': {
    damage: (file) => rmSync(file),
    loses: (events) => events,
    starts: false,
  },
  'its list of free pages is garbage': {
    always: true,
    damage(file) {
      const pages = openPages(file)
      const [first, second] = pages.metas
      pages.close()
      overwrite(file, (first!.transaction > second!.transaction ? first! : second!).free.root!)
    },
    loses: () => 0,
    starts: false,
    // only writing needs it
    tailFails: false,
  },
  'the root of its tables is zeroed': {
    damage(file) {
      const pages = openPages(file)
      for (const meta of pages.metas) overwrite(file, meta!.main.root!, Buffer.alloc(PAGE))
      pages.close()
    },
    loses: () => 16,
    starts: false,
  },
  'a third of the file is missing': {
    damage: (file) => truncateSync(file, Math.floor((statSync(file).size * 2) / 3)),
    loses: (events) => events * 0.7,
    starts: false,
  },
  'a page in its middle is garbage': {
    always: true,
    damage(file, lines) {
      const { id } = lines[Math.floor(lines.length / 2)]!.event
      const bytes = readFileSync(file)
      const wanted = `"id":"${id}"`
      // Its page, and whatever former copies of that page there are.
      for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1))
        overwrite(file, Math.floor(at / PAGE))
    },
    // One page has room for no more.
    loses: () => 16,
    starts: true,
  },
}

function overwrite(file: string, page: number, bytes = Buffer.alloc(PAGE, 'no page of ours ')): void {
  const handle = openSync(file, 'r+')
  writeSync(handle, bytes, 0, PAGE, page * PAGE)
  closeSync(handle)
}

for (const [what, { damage, loses, starts, tailFails = true, always = FULL }] of Object.entries(damages)) {
  if (!always) continue
  test(`a store, ${what}: it is said, with what to do; doctor --repair saves what is readable, run works again`, async (t) => {
    const rig = await startRig(both)
    t.after(() => rig.close(t))
    const crowd = startCrowd(t, ordersUrl(rig), { senders: 20, name: 'before' })
    await waitFor(async () => crowd.acknowledged.length > 500, PATIENCE_MS)
    await crowd.stop()
    assert.equal(await rig.stop(), 0)
    const before = await rig.lines()
    damage(join(rig.data, 'data.mdb'), before)

    const says = /damaged.*vedette doctor --repair/
    if (!starts) {
      const { code, stderr } = await rig.cli('run', rig.manifest, '--listen', '127.0.0.1:0')
      assert.equal(code, 1, stderr)
      assert.match(stderr, says)
    }
    const tail = await rig.cli('tail', '--from', 'start', '-n', '1000000', '--json')
    if (tailFails) {
      assert.equal(tail.code, 1, 'tail of a damaged store')
      assert.match(tail.stderr, says)
    }
    const looked = await rig.cli('doctor')
    assert.equal(looked.code, 1, `doctor finds nothing:\n${looked.stdout}`)
    const repaired = await rig.cli('doctor', '--repair')
    assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr)
    const after = await rig.lines()
    const kept = new Map(before.map((line) => [line.seq, line.event.id]))
    for (const { seq, event } of after) assert.equal(event.id, kept.get(seq), `event ${seq} is another than before`)
    const lost = before.length - after.length
    t.diagnostic(
      `${before.length} events, ${lost} lost; ${repaired.stdout.split('\n').find((line) => line.startsWith('repaired'))}`,
    )
    assert.ok(lost > 0 || !starts, 'the damage is none')
    assert.ok(lost <= loses(before.length), `${lost} of ${before.length} events are lost`)

    await rig.restart()
    const again = startCrowd(t, ordersUrl(rig), { senders: 20, name: 'after' })
    await waitFor(async () => again.acknowledged.length > 200, PATIENCE_MS)
    await again.stop()
    await nextLeader(rig, 'clock', null)
    assert.equal(await rig.stop(), 0)
    const all = await rig.lines()
    assertOrdered(all)
    const isNew = (line: Line) => !kept.has(line.seq) && line.subject === 'default.orders.order'
    assertAcknowledgedOnce(all.filter(isNew), again.acknowledged)
    assert.equal(all.filter((line) => kept.has(line.seq)).length, after.length)
    assert.ok(
      all.filter((line) => !kept.has(line.seq)).every((line) => line.seq > before.at(-1)!.seq),
      'a sequence number was given twice',
    )
  })
}
