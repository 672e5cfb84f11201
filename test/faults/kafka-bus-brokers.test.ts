/** On a Kafka EventBus of three brokers, which take their time to start: in full runs only. */
import { without } from '../servers/cache.ts'
import { kafkaJars } from '../servers/kafka.ts'
import { judge, type KafkaWorld, PATIENCE_MS, startKafkaWorld } from './kafka-world.ts'
import { goesOn } from './load.ts'
import { leaderCutOff } from './network.ts'
import { faultTable, type Scenario } from './table.ts'
import type { Verdict } from './verdict.ts'

const ofThree: Omit<Scenario, 'long'>[] = [
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
  {
    fault: 'the serving replica cut off from all brokers, a black hole for 30 s',
    replicas: [3],
    async run(t, replicas) {
      const world = await startKafkaWorld(t, replicas, 3)
      const note = await leaderCutOff(world, ['dropToServer', 'dropToClient'], 30_000, PATIENCE_MS)
      return { ...(await judge(world)), note }
    },
  },
]
faultTable(
  { section: 'Kafka', group: 'Three brokers' },
  ofThree.map((scenario) => ({ ...scenario, long: true })),
  without('Kafka', kafkaJars()),
)

async function killed(world: KafkaWorld, what: 'topic' | 'coordinator'): Promise<Verdict> {
  for (let i = 0; i < 2; i++) {
    const node = world.nodes[(await world.nodeOf(what)) - 1]!
    await Promise.all([node.crash(), goesOn(world, PATIENCE_MS)])
    await goesOn(world, PATIENCE_MS)
    await world.caughtUp()
  }
  return await judge(world)
}
