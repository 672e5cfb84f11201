/** 200 requests in flight while processes die: every request answered 200 is on the log exactly once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { identify } from '../../src/core/processes.ts'
import { assertAcknowledgedOnce, assertOrdered } from './checks.ts'
import { orders, ordersUrl } from './orders.ts'
import { startRig, waitFor } from './rig.ts'
import { type Crowd, startCrowd } from './senders.ts'
import { assertEveryTickOnce, ticking } from './ticks.ts'

const shownStatuses = (crowd: Crowd) => [...crowd.statuses].map(([status, times]) => `${status}: ${times}`).join(', ')

test('replicas killed one after another for 30 s: everything answered 200 is there once', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 200 })
  const endMs = performance.now() + 30_000
  let kills = 0
  while (performance.now() < endMs) {
    await pause(1500)
    const { replicas } = (await rig.status()).eventSources[0]!
    const up = replicas.filter((replica) => replica.pid !== null && replica.state === 'serving')
    if (up.length < 2) continue
    process.kill(up[kills % up.length]!.pid!, 'SIGKILL')
    kills++
  }
  await crowd.stop()
  const status = await rig.status()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertOrdered(lines)
  assertAcknowledgedOnce(lines, crowd.acknowledged)
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged, ${lines.length} on the log, ${kills} kills; answers: ${shownStatuses(crowd)}`,
  )
  assert.ok(kills >= 10)
  assert.ok(crowd.acknowledged.length > 1000)
  const refusing = [...crowd.statuses.keys()].filter((code) => code !== 200 && code !== 0)
  assert.deepEqual(refusing, [], 'a replica that lives answers nothing but 200 while the bus is well')
  assert.equal(status.eventSources[0]!.entries[0]!.published, lines.length)
})

test('the supervisor killed under load: nothing acknowledged is lost, and the next start takes over', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 200 })
  for (let round = 0; round < 3; round++) {
    await pause(1500)
    const hosts = await rig.hostPids()
    process.kill(rig.supervisor.pid!, 'SIGKILL')
    await rig.restart()
    // A zombie, dead but not yet looked at by its new parent, is no process any more.
    for (const pid of hosts) assert.equal(identify(pid), null, 'an orphan serves beside the new hosts')
  }
  await pause(1000)
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  assertAcknowledgedOnce(await rig.lines(), crowd.acknowledged)
  t.diagnostic(`${crowd.acknowledged.length} acknowledged; answers: ${shownStatuses(crowd)}`)
})

test('the bus process killed under load: 503 at most, nothing acknowledged lost, recovery at once', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 200 })
  let longestMs = 0
  for (let round = 0; round < 5; round++) {
    await pause(1000)
    process.kill(await rig.busPid(), 'SIGKILL')
    const killedMs = performance.now()
    const before = crowd.acknowledged.length
    await waitFor(async () => crowd.acknowledged.length > before + 400, 10_000)
    longestMs = Math.max(longestMs, performance.now() - killedMs)
  }
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  assertAcknowledgedOnce(await rig.lines(), crowd.acknowledged)
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged; longest pause ${longestMs.toFixed(0)} ms; answers: ${shownStatuses(crowd)}`,
  )
  assert.deepEqual(
    [...crowd.statuses.keys()].filter((code) => ![0, 200, 503].includes(code)),
    [],
  )
  assert.ok(longestMs < 5000)
})

test('the bus process frozen for 10 s, then killed, under load: nothing lost, doubled or out of order', async (t) => {
  const rig = await startRig(
    (ports) => `${orders(3)(ports)}---
${ticking(3)()}`,
  )
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 100 })
  await pause(2500)
  const bus = await rig.busPid()
  process.kill(bus, 'SIGSTOP')
  await pause(3000)
  const during = crowd.statuses.get(200) ?? 0
  await pause(7000)
  assert.equal(crowd.statuses.get(200) ?? 0, during, 'a 200 while the bus was frozen cannot be durable')
  assert.ok((crowd.statuses.get(503) ?? 0) > 0, 'nobody was told to come back later')
  process.kill(bus, 'SIGKILL')
  const before = crowd.acknowledged.length
  await waitFor(async () => crowd.acknowledged.length > before + 200, 10_000)
  await pause(3000)
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertOrdered(lines)
  assertAcknowledgedOnce(
    lines.filter((line) => line.subject === 'default.orders.order'),
    crowd.acknowledged,
  )
  const ticks = assertEveryTickOnce(lines.filter((line) => line.subject === 'default.clock.tick'))
  t.diagnostic(`${crowd.acknowledged.length} acknowledged, ${ticks} ticks; answers: ${shownStatuses(crowd)}`)
  assert.ok(ticks >= 15)
})

test('everything killed at once under load, 10 times: all that was acknowledged is there, the store opens', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 200 })
  const starts: number[] = []
  for (let round = 0; round < 10; round++) {
    await pause(700 + Math.random() * 600)
    await rig.killAll()
    const acknowledged = [...crowd.acknowledged]
    assertAcknowledgedOnce(await rig.lines(), acknowledged)
    await rig.restart()
    starts.push(rig.readyMs)
  }
  await pause(1000)
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  assertAcknowledgedOnce(await rig.lines(), crowd.acknowledged)
  t.diagnostic(`${crowd.acknowledged.length} acknowledged; starts took up to ${Math.max(...starts).toFixed(0)} ms`)
})
