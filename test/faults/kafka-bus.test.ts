/** On a Kafka EventBus of one broker: replicas, the broker and the network between them at fault, judged on the topic as a reader of what is committed sees it. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { without } from '../servers/cache.ts'
import { kafkaJars } from '../servers/kafka.ts'
import { judge, PATIENCE_MS, startKafkaWorld } from './kafka-world.ts'
import { assertSameHosts, goesOn } from './load.ts'
import { leaderCutOff, partition } from './network.ts'
import { everyoneBack, killIfThere, nextLeader } from './rig.ts'
import { faultTable } from './table.ts'

/** From when the bus is reached on. */
const CLAIM_LIMIT_MS = 20_000

faultTable(
  { section: 'Kafka', group: 'One broker' },
  [
    {
      fault: 'kill -9 of the serving replica',
      replicas: [3, 2],
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        for (let i = 0; i < (full ? 6 : 2); i++) {
          await everyoneBack(world.rig)
          await pause(500 + Math.random() * 500)
          const leader = await world.leader()
          killIfThere(leader.pid)
          await nextLeader(world.rig, 'clock', leader)
        }
        return await judge(world)
      },
    },
    {
      fault: 'SIGSTOP of the serving replica beyond the transaction time-out',
      replicas: [2, 3],
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        const old = await world.leader()
        process.kill(old.pid, 'SIGSTOP')
        const frozenMs = performance.now()
        await nextLeader(world.rig, 'clock', old)
        await goesOn(world, PATIENCE_MS)
        // The time-out of a transaction is 10 s.
        await pause((full ? 30_000 : 12_000) - (performance.now() - frozenMs))
        killIfThere(old.pid, 'SIGCONT')
        return await judge(world)
      },
    },
    {
      fault: 'kill -9 of the broker, which starts again',
      replicas: [2, 3],
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        for (let i = 0; i < (full ? 4 : 1); i++) {
          await world.nodes[0]!.crash()
          await goesOn(world, PATIENCE_MS)
          await world.caughtUp()
        }
        return await judge(world)
      },
    },
    {
      fault: 'the lead handed over by `vedette failover`, and by SIGTERM of the serving replica, in turn',
      replicas: [2, 3],
      long: true,
      async run(t, replicas) {
        const world = await startKafkaWorld(t, replicas)
        for (let i = 0; i < 6; i++) {
          await everyoneBack(world.rig)
          await pause(500 + Math.random() * 500)
          const leader = await world.leader()
          if (i % 2 === 0) {
            const { code, stderr } = await world.rig.cli('failover', 'clock')
            assert.equal(code, 0, stderr)
          } else killIfThere(leader.pid, 'SIGTERM')
          const next = await nextLeader(world.rig, 'clock', leader)
          assert.notEqual(next.id, leader.id)
        }
        return await judge(world)
      },
    },
    {
      fault: 'all processes of the run and the broker killed at once and started again, the run first',
      replicas: [2, 3],
      long: true,
      async run(t, replicas) {
        const world = await startKafkaWorld(t, replicas)
        const { rig, nodes } = world
        await Promise.all([rig.killAll(), nodes[0]!.server.kill()])
        await rig.restart()
        assert.equal((await rig.status()).bus.connected, false)
        await nodes[0]!.crash()
        await goesOn(world, PATIENCE_MS)
        return { ...(await judge(world)), note: longestClaim(rig.log()) }
      },
    },
    {
      fault: 'slow Kafka: an answer takes 400 ms, for 30 s, and the serving replica is killed',
      replicas: [2, 3],
      long: true,
      async run(t, replicas) {
        const world = await startKafkaWorld(t, replicas)
        const old = await world.leader()
        for (const { faults } of world.proxies) faults.delayMs = 200
        await pause(2_000)
        killIfThere(old.pid)
        const killedMs = performance.now()
        await nextLeader(world.rig, 'clock', old, 30_000)
        const note = `another served after ${((performance.now() - killedMs) / 1000).toFixed(0)} s`
        await goesOn(world)
        await pause(30_000 - (performance.now() - killedMs))
        for (const { faults } of world.proxies) faults.delayMs = 0
        return { ...(await judge(world)), note }
      },
    },
    {
      fault: 'the serving replica cut off from the broker beyond the transaction time-out, a black hole for 30 s',
      replicas: [3, 2],
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        const note = await leaderCutOff(world, ['dropToServer', 'dropToClient'], full ? 30_000 : 12_000, PATIENCE_MS)
        return { ...(await judge(world)), note }
      },
    },
    {
      fault:
        'the serving replica cut off from the broker beyond the transaction time-out, its connections reset for 20 s',
      replicas: [2, 3],
      long: true,
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        const note = await leaderCutOff(world, ['refuse'], full ? 20_000 : 12_000, PATIENCE_MS)
        return { ...(await judge(world)), note }
      },
    },
    {
      fault: 'the serving replica half-open for 20 s: what it sends arrives, no answer comes back',
      replicas: [3],
      long: true,
      async run(t, replicas, full) {
        const world = await startKafkaWorld(t, replicas)
        const hosts = await world.rig.hostPids()
        const { heal } = partition(world, [await world.leader()], ['dropToClient'])
        await pause(full ? 20_000 : 12_000)
        heal()
        await goesOn(world, PATIENCE_MS)
        await assertSameHosts(world, hosts)
        return await judge(world)
      },
    },
  ],
  without('Kafka', kafkaJars()),
)

/** As the log says it of those that took more than some seconds. @throws when one stood for too long */
function longestClaim(log: string): string {
  const longestMs = Math.max(0, ...[...log.matchAll(/the claim went on.* tookMs=(\d+)/g)].map(([, ms]) => Number(ms)))
  assert.ok(longestMs < CLAIM_LIMIT_MS, `a claim took ${longestMs} ms`)
  return longestMs === 0 ? 'no claim took 5 s' : `the longest claim ${(longestMs / 1000).toFixed(0)} s`
}
