/** A calendar with a tick each second: whatever is killed or frozen, each tick is on the log once. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FULL } from '../full.ts'
import { everyoneBack, median, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { assertEveryTickOnce, ticking, timeOfTick } from './ticks.ts'

/** Changes of leader that are asked for. */
const TIMES = FULL ? 10 : 4

/** @returns kill to the next leader serving, milliseconds, as seen from outside */
async function killTheLeader(rig: Rig, times: number): Promise<number[]> {
  const gaps: number[] = []
  let leader = await nextLeader(rig, 'clock', null)
  for (let i = 0; i < times; i++) {
    // At no fixed place within a second: sometimes just before a tick, sometimes just after.
    await pause(200 + Math.random() * 900)
    process.kill(leader.pid, 'SIGKILL')
    const killedMs = performance.now()
    leader = await nextLeader(rig, 'clock', leader)
    gaps.push(performance.now() - killedMs)
    await everyoneBack(rig)
  }
  return gaps
}

async function killing(t: TestContext, replicas: number, times: number): Promise<void> {
  const rig = await startRig(ticking(replicas))
  t.after(() => rig.close(t))
  const gaps = await killTheLeader(rig, times)
  await pause(2500)
  const { failovers } = await rig.status()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  const ticks = assertEveryTickOnce(lines)
  const lateMs = lines.slice(1).map((line) => Date.parse(line.time) - timeOfTick(line))
  t.diagnostic(
    `${ticks} ticks; kill to next leader: median ${median(gaps).toFixed(0)} ms, max ${Math.max(...gaps).toFixed(0)} ms; ` +
      `latest tick ${Math.max(...lateMs)} ms late`,
  )
  assert.ok(median(gaps) <= 1000, `median gap ${median(gaps)} ms`)
  assert.ok(Math.max(...gaps) <= 5000, `longest gap ${Math.max(...gaps)} ms`)
  assert.ok(median(lateMs) <= 1000 && Math.max(...lateMs) <= 5000, 'ticks are late')
  assert.equal(failovers.filter(({ reason }) => reason === 'crash').length, times, JSON.stringify(failovers))
}

for (const [replicas, times] of [
  [3, FULL ? 20 : 8],
  [2, FULL ? 10 : 4],
] as const)
  test(`${replicas} replicas, ${times} times kill -9 of the serving process: no tick missing, none doubled`, (t) =>
    killing(t, replicas, times))

test('1 replica: resumes after a kill, and ticks of a short outage are made up once', async (t) => {
  const rig = await startRig(ticking(1))
  t.after(() => rig.close(t))
  const leader = await nextLeader(rig, 'clock', null)
  await waitFor(async () => (await rig.lines()).length >= 2, 10_000, 200)
  process.kill(leader.pid, 'SIGKILL')
  await nextLeader(rig, 'clock', leader)
  await pause(1500)
  await rig.killAll()
  // Longer than several ticks and well within the documented bound of 60 s.
  await pause(4500)
  await rig.restart()
  await nextLeader(rig, 'clock', null)
  await pause(2500)
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertEveryTickOnce(lines)
  assert.ok(
    lines.some((line) => Date.parse(line.time) - timeOfTick(line) > 2500),
    'no tick was made up, so the outage was not one',
  )
})

test('the serving process frozen for 20 s: another serves within 2 s; awake again, nothing of the old term is accepted', async (t) => {
  const rig = await startRig(ticking(3))
  t.after(() => rig.close(t))
  const old = await nextLeader(rig, 'clock', null)
  await waitFor(async () => (await rig.lines()).length >= 1, 10_000, 100)
  process.kill(old.pid, 'SIGSTOP')
  const frozenMs = performance.now()
  const next = await nextLeader(rig, 'clock', old)
  const takenMs = performance.now() - frozenMs
  assert.notEqual(next.id, old.id)
  await pause(20_000 - takenMs)
  process.kill(old.pid, 'SIGCONT')
  await waitFor(async () => {
    const replica = (await rig.status()).eventSources[0]!.replicas.find(({ id }) => id === old.id)!
    return replica.state === 'standby' && replica.pid === old.pid && replica.restarts === 0
  })
  await pause(3000)
  const { failovers } = await rig.status()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertEveryTickOnce(lines)
  t.diagnostic(`another served after ${takenMs.toFixed(0)} ms; ${lines.length} ticks`)
  assert.ok(takenMs <= 5000, `it took ${takenMs} ms`)
  assert.deepEqual(
    failovers.map(({ reason }) => reason),
    ['frozen'],
  )
})

/** Ends the run: every change of leader was a hand-over, soon done, and no tick is missing or doubled. */
async function assertHandedOver(t: TestContext, rig: Rig): Promise<void> {
  await pause(2500)
  const { failovers } = await rig.status()
  assert.equal(await rig.stop(), 0)
  assertEveryTickOnce(await rig.lines())
  const gaps = failovers.map(({ gapMs }) => gapMs ?? Number.NaN)
  t.diagnostic(`gap: median ${median(gaps)} ms, max ${Math.max(...gaps)} ms`)
  assert.deepEqual(new Set(failovers.map(({ reason }) => reason)), new Set(['resigned']))
  assert.ok(median(gaps) <= 1000 && Math.max(...gaps) <= 5000)
}

test(`handed over by command, ${TIMES} times: nothing lost, nothing doubled`, async (t) => {
  const rig = await startRig(ticking(3))
  t.after(() => rig.close(t))
  let leader = await nextLeader(rig, 'clock', null)
  for (let i = 0; i < TIMES; i++) {
    await pause(300 + Math.random() * 500)
    const { code, stderr } = await rig.cli('failover', 'clock')
    assert.equal(code, 0, stderr)
    const next = await nextLeader(rig, 'clock', leader)
    assert.notEqual(next.id, leader.id)
    leader = next
  }
  await assertHandedOver(t, rig)
})

test(`SIGTERM of the serving process, ${TIMES} times: it drains and resigns, nothing lost, nothing doubled`, async (t) => {
  const rig = await startRig(ticking(3))
  t.after(() => rig.close(t))
  let leader = await nextLeader(rig, 'clock', null)
  for (let i = 0; i < TIMES; i++) {
    await everyoneBack(rig)
    await pause(300 + Math.random() * 500)
    process.kill(leader.pid, 'SIGTERM')
    leader = await nextLeader(rig, 'clock', leader)
  }
  await assertHandedOver(t, rig)
})
