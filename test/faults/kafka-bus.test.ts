/** On a Kafka EventBus: replicas and the broker at fault, judged on the topic as a reader of what is committed sees it. */
import { setTimeout as pause } from 'node:timers/promises'
import { without } from '../servers/cache.ts'
import { kafkaJars } from '../servers/kafka.ts'
import { judge, type KafkaWorld, PATIENCE_MS, startKafkaWorld } from './kafka-world.ts'
import { everyoneBack, killIfThere, nextLeader } from './rig.ts'
import { faultTable } from './table.ts'
import { goesOn, type Verdict } from './world.ts'

faultTable(
  'Kafka',
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
        }
        return await judge(world)
      },
    },
  ],
  without('Kafka', kafkaJars()),
)

// Three brokers take their time to start.
if (process.env.VEDETTE_FULL === '1') {
  faultTable(
    'Kafka, three brokers',
    [
      {
        fault: 'kill -9 of the broker that leads the topic, which starts again',
        replicas: [2],
        run: async (t, replicas) => await killed(await startKafkaWorld(t, replicas, 3), 'topic'),
      },
      {
        fault: 'kill -9 of the broker that coordinates the transactions, which starts again',
        replicas: [2],
        run: async (t, replicas) => await killed(await startKafkaWorld(t, replicas, 3), 'coordinator'),
      },
      {
        fault: 'all brokers are told to end and start again',
        replicas: [2],
        async run(t, replicas) {
          const world = await startKafkaWorld(t, replicas, 3)
          await Promise.all(world.nodes.map((node) => node.restart()))
          return await judge(world)
        },
      },
    ],
    without('Kafka', kafkaJars()),
  )
}

async function killed(world: KafkaWorld, what: 'topic' | 'coordinator'): Promise<Verdict> {
  for (let i = 0; i < 2; i++) {
    const node = world.nodes[(await world.nodeOf(what)) - 1]!
    await Promise.all([node.crash(), goesOn(world, PATIENCE_MS)])
    await goesOn(world, PATIENCE_MS)
  }
  return await judge(world)
}
