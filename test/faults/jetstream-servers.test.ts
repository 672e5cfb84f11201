/** NATS servers are killed, frozen and told to go while replicas serve: the lead stays where it is, and the log is whole. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { assertSameHosts, assertSameLead, assertSteadyLead, goesOn, leadOf } from './load.ts'
import { waitFor } from './rig.ts'
import { faultTable } from './table.ts'
import { judge, startWorld } from './world.ts'

faultTable({ section: 'NATS JetStream', group: 'NATS servers' }, [
  {
    fault: 'each server killed and started again in turn',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const hosts = await world.rig.hostPids()
      const kills = full ? 3 : 1
      for (let i = 0; i < kills; i++) {
        await world.nats.servers[i]!.kill()
        await goesOn(world)
        await world.nats.servers[i]!.restart()
        // It catches up before the next one goes, else there is no quorum, which is another fault.
        await world.caughtUp()
        await goesOn(world)
      }
      await assertSameHosts(world, hosts)
      // When the leader's own server dies, its standbys may find nobody answering before it has connected elsewhere.
      const moved = await assertSteadyLead(world, kills)
      return { ...(await judge(world)), note: `the lead moved ${moved} times` }
    },
  },
  {
    fault: 'the server that leads the stream killed, 4 times under load',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, senders: 50, senderPauseMs: 10 })
      const hosts = await world.rig.hostPids()
      const kills = full ? 4 : 1
      for (let i = 0; i < kills; i++) {
        await pause(Math.random() * 500)
        const server = await world.streamLeader()
        await server.kill()
        await goesOn(world)
        await server.restart()
        await world.caughtUp()
      }
      await assertSameHosts(world, hosts)
      // When the leader's own server dies, its standbys may find nobody answering before it has connected elsewhere.
      const moved = await assertSteadyLead(world, kills)
      return { ...(await judge(world)), note: `the lead moved ${moved} times` }
    },
  },
  {
    fault: 'all servers killed at once and started again after 3 s, on file storage',
    replicas: [3, 5],
    async run(t, replicas) {
      const world = await startWorld(t, { replicas })
      const { nats, rig } = world
      const [lead, hosts] = [await leadOf(world), await rig.hostPids()]
      await Promise.all(nats.servers.map((server) => server.kill()))
      await waitFor(async () => !(await rig.status()).bus.connected)
      await pause(3_000)
      await Promise.all(nats.servers.map((server) => server.restart()))
      await goesOn(world, 60_000)
      await assertSameHosts(world, hosts)
      await assertSameLead(world, lead)
      return await judge(world)
    },
  },
  {
    fault: 'no stream leader for 10 s: two of three servers frozen',
    replicas: [3, 5],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas })
      const { nats, rig } = world
      const hosts = await rig.hostPids()
      const frozen = nats.servers.slice(0, 2)
      for (const server of frozen) server.freeze()
      await pause(full ? 10_000 : 6_000)
      for (const server of frozen) server.thaw()
      await goesOn(world, 60_000)
      await assertSameHosts(world, hosts)
      // Its own NATS server may be one of the frozen ones: then another may be faster when there is a quorum again. Once.
      await assertSteadyLead(world)
      return await judge(world)
    },
  },
  {
    fault: 'a server in lame-duck mode (`nats-server --signal ldm`), each in turn',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, {
        replicas,
        proxied: true,
        server: 'lame_duck_duration: "30s"\nlame_duck_grace_period: "5s"',
      })
      const { nats, proxies, rig } = world
      const hosts = await rig.hostPids()
      const leftMs: number[] = []
      for (let i = 0; i < (full ? 3 : 1); i++) {
        // One that somebody is connected to, or nobody has anything to leave.
        const leaving = full ? i : proxies.findIndex((proxy) => proxy.connections() > 0)
        const toldMs = performance.now()
        await nats.servers[leaving]!.signal('ldm')
        await waitFor(async () => proxies[leaving]!.connections() === 0, 4_000)
        leftMs.push(performance.now() - toldMs)
        await goesOn(world)
        await nats.servers[leaving]!.kill()
        await goesOn(world)
        await nats.servers[leaving]!.restart()
        await world.caughtUp()
      }
      await assertSameHosts(world, hosts)
      await assertSteadyLead(world)
      assert.deepEqual([...world.crowd.failures], [], 'a connection broke')
      return { ...(await judge(world)), note: `left after ${leftMs.map((ms) => ms.toFixed(0)).join(', ')} ms` }
    },
  },
  {
    fault: 'a server with batches of the leader in it frozen past the duplicate window, then awake again',
    replicas: [3],
    async run(t, replicas, full) {
      const world = await startWorld(t, { replicas, proxied: true, senders: 0, stream: { duplicates: '2s' } })
      const { nats, proxies, rig } = world
      const hosts = await rig.hostPids()
      const terms: number[] = []
      for (let i = 0; i < (full ? 4 : 1); i++) {
        const mark = world.markOf(await world.leader())
        const serving = proxies.findIndex((proxy) => proxy.connections(mark) > 0)
        assert.notEqual(serving, -1, 'the leader is connected to one of them')
        // The stream's leader is another one: it goes on, and meets the late batch. (A stream's leader that was frozen only
        // finds, awake again, that it leads no more.)
        await world.streamLeadBy((serving + 1) % nats.servers.length)
        nats.servers[serving]!.freeze()
        // With a batch every 100 ms some are in its sockets now. They are repeated elsewhere, under a newer record.
        await goesOn(world, 60_000)
        await pause(3_000)
        nats.servers[serving]!.thaw()
        await world.caughtUp()
        terms.push((await world.leader()).term)
      }
      await assertSameHosts(world, hosts)
      return { ...(await judge(world)), note: `terms after each: ${terms.join(', ')}` }
    },
  },
])
