/** On NATS JetStream with three servers: replicas of the run are killed, frozen, told to end and told to hand over. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { assertSameHosts, assertSteadyLead, goesOn } from './load.ts'
import { everyoneBack, killIfThere, type Leader, median, nextLeader, waitFor } from './rig.ts'
import { faultTable } from './table.ts'
import { judge, startWorld, type World } from './world.ts'

const timesShown = (what: string, tookMs: number[]): string =>
  `${tookMs.length} times; ${what}: median ${median(tookMs).toFixed(0)} ms, max ${Math.max(...tookMs).toFixed(0)} ms`

/**
 * Makes the lead change so often, each time for this reason.
 * @returns what to say of the gaps, from the loss seen to the next leader serving, and of what `vedette status` shows to who asks
 */
async function changeLeader(
  world: World,
  { times, reason, change }: { times: number; reason: string; change: (leader: Leader) => Promise<void> | void },
): Promise<string> {
  const { rig } = world
  const outside: number[] = []
  const gaps: number[] = []
  for (let i = 0; i < times; i++) {
    await everyoneBack(rig)
    // At no fixed place, and after a standby may trust its connection.
    await pause(1_100 + Math.random() * 500)
    const leader = await world.leader()
    const changedMs = performance.now()
    await change(leader)
    await nextLeader(rig, 'clock', leader)
    outside.push(performance.now() - changedMs)
    const { failovers } = await rig.status()
    const seen = failovers.find(({ from, term }) => from === leader.id && term > leader.term)
    assert.equal(seen?.reason, reason, JSON.stringify(failovers))
    gaps.push(seen.gapMs ?? Number.NaN)
  }
  // Of two there is no median; beside other tests one of them may be slow.
  const typical = gaps.length > 2 ? median(gaps) : Math.min(...gaps)
  assert.ok(typical <= 1_000 && Math.max(...gaps) <= 5_000, `gaps: ${gaps} ms`)
  assert.ok(Math.max(...outside) <= 5_000, `as seen from outside: ${outside} ms`)
  // A machine so busy that a leader cannot renew in time moves the lead, too.
  const more = (await assertSteadyLead(world, times + 3)) - times
  const besides = more === 0 ? '' : `; moved ${more} times besides`
  return `${timesShown('gap', gaps)}; as seen from outside: median ${median(outside).toFixed(0)} ms${besides}`
}

faultTable({ section: 'NATS JetStream', group: 'Replicas' }, [
  {
    fault: 'kill -9 of the serving replica',
    replicas: [2, 3, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const note = await changeLeader(world, {
        times: full ? 6 : 2,
        reason: 'crash',
        change: ({ pid }) => killIfThere(pid),
      })
      return { ...(await judge(world)), note }
    },
  },
  {
    fault: 'SIGSTOP of the serving replica for 20 s with an append on its way, which arrives after the next term began',
    replicas: [3, 2, 5],
    async run(t, replicas, full) {
      // With the window for repeated ids so short, nothing but the fence can tell what comes late.
      const world = await startWorld(t, { replicas, proxied: true, senders: 0, stream: { duplicates: '1s' } })
      const { rig, proxies } = world
      const old = await world.leader()
      const hosts = await rig.hostPids()
      // What it sends from here on waits in the proxies.
      for (const proxy of proxies) proxy.faultsOf(world.markOf(old)).holdToServer = true
      await pause(250)
      process.kill(old.pid, 'SIGSTOP')
      const frozenMs = performance.now()
      const next = await nextLeader(rig, 'clock', old)
      const takenMs = performance.now() - frozenMs
      await goesOn(world)
      await pause(2_000)
      for (const proxy of proxies) proxy.faultsOf(world.markOf(old)).holdToServer = false
      await pause((full ? 18_000 : 4_000) - takenMs)
      process.kill(old.pid, 'SIGCONT')
      await waitFor(async () => {
        const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')!
        const replica = clock.replicas.find(({ id }) => id === old.id)!
        return replica.state === 'standby' && replica.pid === old.pid
      }, 20_000)
      await pause(2_000)
      assert.notEqual(next.id, old.id)
      assert.ok(takenMs <= 5_000, `it took ${takenMs} ms`)
      await assertSameHosts(world, hosts)
      const { failovers } = await rig.status()
      assert.equal(failovers[0]?.reason, 'frozen')
      await assertSteadyLead(world, 2)
      return { ...(await judge(world)), note: `another served after ${takenMs.toFixed(0)} ms` }
    },
  },
  {
    fault: 'replicas killed one after another for 30 s under 200 senders',
    replicas: [3, 2, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, senders: 200, senderPauseMs: 0 })
      const { rig, crowd } = world
      const endMs = performance.now() + (full ? 30_000 : 6_000)
      let kills = 0
      while (performance.now() < endMs) {
        await pause(1_000)
        const { replicas: all } = (await rig.status()).eventSources.find(({ name }) => name === 'orders')!
        const up = all.filter(({ state }) => state === 'serving')
        const next = all[kills % all.length]!
        if (up.length < 2 || !up.includes(next)) continue
        killIfThere(next.pid!)
        kills++
      }
      assert.ok(kills >= 2, `${kills} kills`)
      const refusing = [...crowd.statuses.keys()].filter((code) => code !== 200 && code !== 0)
      assert.deepEqual(refusing, [], 'a replica that lives answers nothing but 200 while the bus is well')
      return { ...(await judge(world)), note: `${kills} kills` }
    },
  },
  {
    fault: 'the lead handed over by `vedette failover`',
    replicas: [5, 2, 3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const hosts = await world.rig.hostPids()
      const note = await changeLeader(world, {
        times: full ? 6 : 2,
        reason: 'resigned',
        async change() {
          const { code, stderr } = await world.rig.cli('failover', 'clock')
          assert.equal(code, 0, stderr)
        },
      })
      await assertSameHosts(world, hosts)
      return { ...(await judge(world)), note }
    },
  },
  {
    fault: 'SIGTERM of the serving replica',
    replicas: [2, 3, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const note = await changeLeader(world, {
        times: full ? 6 : 2,
        reason: 'resigned',
        change: ({ pid }) => killIfThere(pid, 'SIGTERM'),
      })
      assert.deepEqual([...world.crowd.statuses.keys()], [200], 'a sender was refused, or its connection broke')
      return { ...(await judge(world)), note }
    },
  },
  {
    fault: 'all processes of the run killed at once and started again',
    replicas: [3, 2, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const starts: number[] = []
      for (let i = 0; i < (full ? 3 : 1); i++) {
        await pause(700 + Math.random() * 600)
        await world.rig.killAll()
        await world.rig.restart()
        starts.push(world.rig.readyMs)
        await goesOn(world)
      }
      return { ...(await judge(world)), note: timesShown('start to ready', starts) }
    },
  },
  {
    fault: 'all processes of the run and all NATS servers killed at once and started again',
    replicas: [2, 3, 5],
    async run(t, replicas) {
      const world = await startWorld(t, { replicas })
      const { nats, rig } = world
      await Promise.all([rig.killAll(), ...nats.servers.map((server) => server.kill())])
      await Promise.all([rig.restart(), ...nats.servers.map((server) => server.restart())])
      await goesOn(world, 60_000)
      return await judge(world)
    },
  },
  {
    fault: 'all replicas but one killed, again and again for 10 s: the survivor serves',
    replicas: [5, 2, 3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const { rig } = world
      const leader = await world.leader()
      const { replicas: all } = (await rig.status()).eventSources[0]!
      const survivor = all.find(({ id }) => id !== leader.id)!
      const endMs = performance.now() + (full ? 10_000 : 4_000)
      let kills = 0
      let servedMs = 0
      const startedMs = performance.now()
      while (performance.now() < endMs) {
        for (const pid of await rig.hostPids()) {
          if (pid === survivor.pid) continue
          killIfThere(pid)
          kills++
        }
        if (servedMs === 0 && (await rig.leader('clock'))?.id === survivor.id) servedMs = performance.now() - startedMs
        await pause(20)
      }
      assert.ok(servedMs > 0 && servedMs < 5_000, `the survivor served after ${servedMs} ms`)
      await everyoneBack(rig)
      return { ...(await judge(world)), note: `${kills} kills; the survivor served after ${servedMs.toFixed(0)} ms` }
    },
  },
])
