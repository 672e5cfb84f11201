/** `vedette run` on a NATS cluster with three replicas of everything: whoever is killed, each tick is on the log once. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { installed, without } from '../servers/cache.ts'
import { NATS_VERSION, startNats } from '../servers/nats.ts'
import { everyoneBack, type Leader, median, nextLeader, startRig, waitFor } from './rig.ts'
import { assertEveryTickOnce, ticking } from './ticks.ts'

const skip = without('nats-server', installed(`nats-${NATS_VERSION}`, 'nats-server'))

const onNats = (urls: string[]) => (): string =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: ${urls.join(',')}
    streamConfig: |
      replicas: 3
---
${ticking(3)()}`

async function startAll(t: TestContext) {
  const nats = await startNats({ nodes: 3 })
  t.after(() => nats.close())
  const rig = await startRig(onNats(nats.urls))
  t.after(() => rig.close())
  assert.deepEqual((await rig.status()).bus, {
    kind: 'jetstream',
    fencing: 'strict',
    transport: 'plain',
    connected: true,
  })
  return { nats, rig }
}

test('3 replicas on 3 servers, 5 times kill -9 of the serving process: no tick missing, none doubled', {
  skip,
}, async (t) => {
  const { rig } = await startAll(t)
  const gaps: number[] = []
  let leader: Leader = await nextLeader(rig, 'clock', null)
  for (let i = 0; i < 5; i++) {
    await everyoneBack(rig)
    // At no fixed place within a second, and after a standby may trust its connection.
    await pause(1_100 + Math.random() * 900)
    process.kill(leader.pid, 'SIGKILL')
    const killedMs = performance.now()
    leader = await nextLeader(rig, 'clock', leader)
    gaps.push(performance.now() - killedMs)
  }
  await pause(2_500)
  const { failovers } = await rig.status()
  const ticks = assertEveryTickOnce(await rig.lines())
  assert.equal(await rig.stop(), 0)
  t.diagnostic(
    `${ticks} ticks; kill to next leader: median ${median(gaps).toFixed(0)} ms, max ${Math.max(...gaps).toFixed(0)} ms`,
  )
  assert.ok(ticks >= 8, `${ticks} ticks`)
  assert.ok(median(gaps) <= 1_000, `median gap ${median(gaps)} ms`)
  assert.deepEqual(
    failovers.map(({ reason }) => reason),
    Array(5).fill('crash'),
  )
})

test('each NATS server killed and started again in turn: no tick missing, none doubled', { skip }, async (t) => {
  const { nats, rig } = await startAll(t)
  await nextLeader(rig, 'clock', null)
  for (let i = 0; i < 3; i++) {
    await pause(1_500)
    await nats.servers[i]!.kill()
    await pause(2_500)
    await nats.servers[i]!.restart()
    await waitFor(async () => (await rig.status()).bus.connected, 15_000)
    // The one that was down catches up before the next goes, else there is no quorum, which is another test.
    await pause(2_500)
  }
  const before = (await rig.lines()).length
  await waitFor(async () => (await rig.lines()).length > before, 10_000, 200)
  const lines = await rig.lines()
  assert.equal(await rig.stop(), 0)
  t.diagnostic(`${assertEveryTickOnce(lines)} ticks`)
  assert.ok(lines.length >= 15, `${lines.length} ticks`)
})

test('all NATS servers killed at once and started again: goes on by itself, no tick missing, none doubled', {
  skip,
}, async (t) => {
  const { nats, rig } = await startAll(t)
  await nextLeader(rig, 'clock', null)
  await waitFor(async () => (await rig.lines()).length >= 2, 10_000, 200)
  const hosts = (await rig.hostPids()).sort()
  await Promise.all(nats.servers.map((server) => server.kill()))
  await waitFor(async () => !(await rig.status()).bus.connected)
  await pause(3_000)
  await Promise.all(nats.servers.map((server) => server.restart()))
  await waitFor(async () => (await rig.status()).bus.connected, 30_000)
  const before = (await rig.lines()).length
  await waitFor(async () => (await rig.lines()).length > before + 2, 20_000, 200)
  const lines = await rig.lines()
  assert.deepEqual((await rig.hostPids()).sort(), hosts, 'no process ended')
  assert.equal(await rig.stop(), 0)
  t.diagnostic(`${assertEveryTickOnce(lines)} ticks`)
})
