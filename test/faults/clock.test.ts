/** The wall clock of one process is set, forward and back: nobody loses the lead for it, no tick is repeated. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { makeClocks } from './clocks.ts'
import { nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { assertEveryTickOnce, ticking, timeOfTick } from './ticks.ts'

const HOUR_MS = 3_600_000

async function startClockRig(t: TestContext): Promise<Rig & { setClock(pid: number, ms: number): Promise<void> }> {
  const clocks = makeClocks(t)
  const rig = await startRig(ticking(3), { env: clocks.env })
  t.after(() => rig.close(t))
  const setClock = { value: (pid: number, ms: number) => clocks.set(rig, pid, ms) }
  return Object.defineProperties(rig, { setClock }) as Awaited<ReturnType<typeof startClockRig>>
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
