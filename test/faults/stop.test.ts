/** Processes told to end under load: what they took they finish, what they do not take others do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { assertAcknowledgedOnce, assertOrdered } from './checks.ts'
import { orders, ordersUrl } from './orders.ts'
import { startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'

test('each host told to end, one after the other, twice: no sender is refused, no connection breaks', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  // Some never pause, some are often idle on a connection that they keep.
  const busy = startCrowd(t, ordersUrl(rig), { senders: 40, name: 'busy' })
  const calm = startCrowd(t, ordersUrl(rig), { senders: 40, pauseMs: 40, name: 'calm' })
  await pause(500)
  const backMs: number[] = []
  for (let round = 0; round < 6; round++) {
    const { id, pid } = (await rig.status()).eventSources[0]!.replicas[round % 3]!
    process.kill(pid!, 'SIGTERM')
    const toldMs = performance.now()
    await waitFor(async () => {
      const replica = (await rig.status()).eventSources[0]!.replicas.find((one) => one.id === id)!
      return replica.pid !== null && replica.pid !== pid && replica.state === 'serving'
    }, 20_000)
    backMs.push(performance.now() - toldMs)
    await pause(200)
  }
  await Promise.all([busy.stop(), calm.stop()])
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  const acknowledged = [...busy.acknowledged, ...calm.acknowledged]
  assertOrdered(lines)
  assertAcknowledgedOnce(lines, acknowledged)
  t.diagnostic(
    `${acknowledged.length} acknowledged; told to end, a host serves again after ${Math.max(...backMs).toFixed(0)} ms at most`,
  )
  for (const crowd of [busy, calm]) {
    assert.deepEqual([...crowd.failures], [], 'a connection was refused or broken')
    assert.deepEqual([...crowd.statuses.keys()], [200], 'a sender was refused')
  }
})

test('the whole run told to end under load, 3 times: exit 0 in time, every 200 is on the log', async (t) => {
  const rig = await startRig(orders(3))
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 100 })
  const tookMs: number[] = []
  for (let round = 0; round < 3; round++) {
    await pause(1000)
    const startedMs = performance.now()
    assert.equal(await rig.stop(), 0)
    tookMs.push(performance.now() - startedMs)
    assertAcknowledgedOnce(await rig.lines(), crowd.acknowledged)
    await rig.restart()
  }
  await pause(500)
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  assertAcknowledgedOnce(await rig.lines(), crowd.acknowledged)
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged; ended within ${Math.max(...tookMs).toFixed(0)} ms; ` +
      `without an answer: ${[...crowd.failures].map(([why, times]) => `${why}: ${times}`).join(', ')}`,
  )
  assert.ok(Math.max(...tookMs) < 15_000)
  // Who knocks at a port that closes is refused or, still in the kernel's queue, reset. Nobody who was let in is.
  assert.deepEqual(
    [...crowd.failures.keys()].filter((why) => why !== 'ECONNREFUSED' && why !== 'ECONNRESET'),
    [],
    'a connection broke with a request on it',
  )
  assert.deepEqual(
    [...crowd.statuses.keys()].filter((status) => ![0, 200, 503].includes(status)),
    [],
  )
})
