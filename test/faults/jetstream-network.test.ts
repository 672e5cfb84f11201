/** Between the replicas and NATS: cut, black hole, slow, half-open, and no bus at all. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { nextLeader, waitFor } from './rig.ts'
import { faultTable, type Scenario } from './table.ts'
import {
  assertSameHosts,
  assertSameLead,
  assertSteadyLead,
  goesOn,
  judge,
  leadOf,
  markOf,
  startWorld,
  type World,
} from './world.ts'

type Towards = 'dropToServer' | 'dropToClient' | 'refuse'

/** Cuts these replicas off from NATS (a black hole, or resets), and joins them again. */
function partition({ proxies }: World, replicas: { id: string }[], how: Towards[]) {
  const marks = replicas.map(markOf)
  const set = (on: boolean) => {
    for (const proxy of proxies)
      for (const mark of marks) Object.assign(proxy.faultsOf(mark), Object.fromEntries(how.map((one) => [one, on])))
  }
  set(true)
  if (how.includes('refuse')) for (const proxy of proxies) for (const mark of marks) proxy.cut(mark)
  return { heal: () => set(false) }
}

/** The serving replica alone is cut off: another takes over; joined again, it stands by in the same process. */
async function leaderCutOff(world: World, how: Towards[], lastsMs: number): Promise<string> {
  const { rig } = world
  const hosts = await rig.hostPids()
  const old = await world.leader()
  const { heal } = partition(world, [old], how)
  const cutMs = performance.now()
  const next = await nextLeader(rig, 'clock', old)
  const takenMs = performance.now() - cutMs
  assert.notEqual(next.id, old.id)
  await goesOn(world)
  await pause(Math.max(0, lastsMs - takenMs))
  heal()
  await waitFor(async () => {
    const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')!
    return clock.replicas.find(({ id }) => id === old.id)?.state === 'standby'
  }, 20_000)
  await pause(1_000)
  await assertSameHosts(world, hosts)
  assert.equal(await leadOf(world), next.id, 'the lead stays where it is when the old leader is back')
  return `another served after ${takenMs.toFixed(0)} ms`
}

faultTable('Network', [
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
