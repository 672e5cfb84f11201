/** The wall clock of one process is set, forward and back: nobody loses the lead for it, no tick is repeated. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { assertEveryTickOnce, ticking, timeOfTick } from './ticks.ts'

const HOUR_MS = 3_600_000

interface ClockRig extends Rig {
  /** From now on the wall clock of process `pid` is off by `ms`. */
  setClock(pid: number, ms: number): Promise<void>
}

async function startClockRig(t: TestContext): Promise<ClockRig> {
  const clocks = mkdtempSync(join(tmpdir(), 'vedette-clocks-'))
  t.after(() => rmSync(clocks, { recursive: true, force: true }))
  const preload = pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href
  const rig = await startRig(ticking(3), {
    env: { VEDETTE_TEST_CLOCKS: clocks, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${preload}` },
  })
  t.after(() => rig.close(t))
  return Object.defineProperties(rig, {
    setClock: {
      async value(pid: number, ms: number) {
        const said = `process ${pid}: the clock is off by ${ms} ms\n`
        const before = rig.log().split(said).length
        writeFileSync(join(clocks, String(pid)), String(ms))
        process.kill(pid, 'SIGUSR2')
        await waitFor(async () => rig.log().split(said).length > before)
      },
    },
  }) as ClockRig
}

const published = async (rig: Rig) => (await rig.status()).eventSources[0]!.entries[0]!.published

async function moreTicks(rig: Rig, count: number): Promise<void> {
  const before = await published(rig)
  await waitFor(async () => (await published(rig)) >= before + count, 20_000, 50)
}

test('clocks set forward and back by seconds, on the leader, on a standby, on the bus and on the supervisor: the row of ticks is unbroken', async (t) => {
  const rig = await startClockRig(t)
  const leader = await nextLeader(rig, 'clock', null)
  await moreTicks(rig, 2)
  const standby = (await rig.status()).eventSources[0]!.replicas.find(({ id }) => id !== leader.id)!
  for (const pid of [leader.pid, standby.pid!, await rig.busPid(), rig.supervisor.pid!]) {
    for (const ms of [5000, 0, -3000, 0]) {
      await rig.setClock(pid, ms)
      await moreTicks(rig, 1)
    }
  }
  await moreTicks(rig, 2)
  assert.deepEqual(await rig.leader('clock'), leader, 'the lead went to another')
  const { failovers } = await rig.status()
  assert.equal(await rig.stop(), 0)
  const ticks = assertEveryTickOnce(await rig.lines())
  t.diagnostic(`${ticks} ticks in one row`)
  assert.deepEqual(failovers, [])
})

test("the leader's clock set forward by an hour and back: no tick twice, the lead stays, and status says why there are none", async (t) => {
  const rig = await startClockRig(t)
  const leader = await nextLeader(rig, 'clock', null)
  const error = async () => (await rig.status()).eventSources[0]!.entries[0]!.error
  await moreTicks(rig, 2)
  await rig.setClock(leader.pid, HOUR_MS)
  await moreTicks(rig, 3)
  await rig.setClock(leader.pid, 0)
  await waitFor(async () => (await error())?.includes('Check the clock') === true)
  const before = await published(rig)
  assert.deepEqual(await rig.leader('clock'), leader, 'the lead went to another')
  // Whoever takes over goes on after the last tick, too.
  process.kill(leader.pid, 'SIGKILL')
  const next = await nextLeader(rig, 'clock', leader)
  await waitFor(async () => (await error())?.includes('Check the clock') === true)
  assert.equal(await published(rig), before, 'a tick was repeated')
  await rig.setClock(next.pid, HOUR_MS)
  await moreTicks(rig, 3)
  await waitFor(async () => (await error()) === null)
  const { failovers } = await rig.status()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assert.equal(new Set(lines.map(({ event }) => event.id)).size, lines.length, 'a tick is on the log twice')
  t.diagnostic(`${lines.length} ticks, the first at ${new Date(timeOfTick(lines[0])).toISOString()}`)
  assert.deepEqual(
    failovers.map(({ reason }) => reason),
    ['crash'],
  )
})
