/** Between the replicas and NATS: cut, black hole, slow, half-open, and no bus at all. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { assertSameHosts, assertSameLead, assertSteadyLead, goesOn, leadOf } from './load.ts'
import { leaderCutOff, partition } from './network.ts'
import { waitFor } from './rig.ts'
import { faultTable, type Scenario } from './table.ts'
import { judge, startWorld } from './world.ts'

faultTable({ section: 'NATS JetStream', group: 'Network' }, [
  {
    fault: 'the serving replica cut off from NATS, a black hole for 15 s',
    replicas: [3, 2, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true })
      const note = await leaderCutOff(world, ['dropToServer', 'dropToClient'], full ? 15_000 : 4_000)
      return { ...(await judge(world)), note }
    },
  },
  {
    fault: 'the serving replica cut off from NATS, its connections reset for 10 s',
    replicas: [2, 3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true })
      const note = await leaderCutOff(world, ['refuse'], full ? 10_000 : 3_000)
      return { ...(await judge(world)), note }
    },
  },
  {
    fault: 'the serving replica half-open for 10 s: what it sends arrives, no answer comes back',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true })
      const { rig } = world
      const hosts = await rig.hostPids()
      const old = await world.leader()
      const { heal } = partition(world, [old], ['dropToClient'])
      await pause(full ? 10_000 : 4_000)
      heal()
      await goesOn(world)
      await assertSameHosts(world, hosts)
      return await judge(world)
    },
  },
  {
    fault: 'all standbys cut off from NATS, a black hole for 10 s: the lead stays',
    replicas: [3, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true })
      const { rig } = world
      const hosts = await rig.hostPids()
      const before = await world.leader()
      const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')!
      const standbys = clock.replicas.filter(({ id }) => id !== before.id)
      const { heal } = partition(world, standbys, ['dropToServer', 'dropToClient'])
      await pause(full ? 10_000 : 4_000)
      heal()
      await goesOn(world)
      await pause(2_000)
      await assertSameHosts(world, hosts)
      await assertSameLead(world, before.id)
      assert.equal((await world.leader()).term, before.term, 'nobody has claimed')
      return await judge(world)
    },
  },
  ...[250, 500].map(
    (delayMs): Scenario => ({
      fault: `slow NATS: an answer takes ${2 * delayMs} ms, for 15 s`,
      replicas: [3],
      async run(t, replicas, full) {
        const world = await startWorld(t, { replicas, proxied: true })
        const hosts = await world.rig.hostPids()
        for (const { faults } of world.proxies) faults.delayMs = delayMs
        await pause(full ? 15_000 : 4_000)
        await goesOn(world)
        for (const { faults } of world.proxies) faults.delayMs = 0
        await assertSameHosts(world, hosts)
        await assertSteadyLead(world)
        return await judge(world)
      },
    }),
  ),
  {
    fault: 'NATS throttled to 64 KB/s for 10 s',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true })
      const hosts = await world.rig.hostPids()
      for (const { faults } of world.proxies) faults.bytesPerSecond = 64_000
      await pause(full ? 10_000 : 2_000)
      for (const { faults } of world.proxies) faults.bytesPerSecond = 0
      await goesOn(world)
      await assertSameHosts(world, hosts)
      await assertSteadyLead(world)
      return await judge(world)
    },
  },
  {
    fault: 'the bus down for 30 s under webhook load: 503 with Retry-After at once, and 200 at once when it is back',
    replicas: [3, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, senders: 20, attemptTimeoutMs: 15_000 })
      const { nats, rig, crowd } = world
      const [lead, hosts] = [await leadOf(world), await rig.hostPids()]
      await Promise.all(nats.servers.map((server) => server.kill()))
      await waitFor(async () => !(await rig.status()).bus.connected)
      // Those in flight at the kill are waited for; from here on each gets its answer at once.
      await pause(9_000)
      crowd.refusals.slowestMs = 0
      const during = crowd.statuses.get(503) ?? 0
      await pause(full ? 21_000 : 2_000)
      const { slowestMs, withoutRetryAfter } = crowd.refusals
      assert.ok((crowd.statuses.get(503) ?? 0) > during + 20, 'senders are told to come back')
      assert.equal(withoutRetryAfter, 0)
      assert.ok(slowestMs < 1_000, `a sender waited ${slowestMs} ms for its 503`)
      await Promise.all(nats.servers.map((server) => server.restart()))
      const backMs = await world.busBack()
      const before = crowd.acknowledged.length
      await waitFor(async () => crowd.acknowledged.length > before, 30_000)
      const recoveredMs = performance.now() - backMs
      await goesOn(world, 60_000)
      assert.ok(recoveredMs <= 2_000, `the first 200 came ${recoveredMs} ms after the bus's return`)
      await assertSameHosts(world, hosts)
      await assertSameLead(world, lead)
      const odd = [...crowd.statuses.keys()].filter((code) => code !== 200 && code !== 503)
      assert.deepEqual(odd, [])
      const note = `slowest 503 ${slowestMs.toFixed(0)} ms; first 200 ${Math.max(0, recoveredMs).toFixed(0)} ms after the bus's return`
      return { ...(await judge(world)), note }
    },
  },
])
