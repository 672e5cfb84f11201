/** On a Kafka EventBus of three brokers, which take their time to start: in full runs only. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
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
    fault: 'SIGSTOP for 30 s of the broker that leads the topic',
    replicas: [2],
    run: async (t, replicas) => await frozen(await startKafkaWorld(t, replicas, 3), 'topic'),
  },
  {
    fault: 'SIGSTOP for 30 s of the broker that coordinates the transactions',
    replicas: [2],
    run: async (t, replicas) => await frozen(await startKafkaWorld(t, replicas, 3), 'coordinator'),
  },
  {
    fault: 'SIGSTOP for 30 s of the broker that is asked first, whatever it leads',
    replicas: [2],
    run: async (t, replicas) => await frozen(await startKafkaWorld(t, replicas, 3), 'first'),
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
    fault: 'each broker told to end and start again, one after the other',
    replicas: [2],
    async run(t, replicas) {
      const world = await startKafkaWorld(t, replicas, 3)
      for (const node of world.nodes) {
        await node.restart()
        await goesOn(world, PATIENCE_MS)
        await world.caughtUp()
      }
      return { ...(await judge(world)), note: slowestRequest(world) }
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

/** A sender gives up after this, as many do. */
const SENDERS_WAIT_MS = 15_000

/** All goes on while it is frozen, as soon as the controller has given its partitions to others: after `broker.session.timeout.ms`, 9 s. */
async function frozen(world: KafkaWorld, what: 'topic' | 'coordinator' | 'first'): Promise<Verdict & { note: string }> {
  const node = world.nodes[what === 'first' ? 0 : (await world.nodeOf(what)) - 1]!
  const frozenMs = performance.now()
  const sinceMs = () => performance.now() - frozenMs
  node.server.freeze()
  let note: string
  try {
    await goesOn(world, 28_000)
    note = `went on after ${(sinceMs() / 1000).toFixed(0)} s`
    await pause(30_000 - sinceMs())
    await goesOn(world)
  } finally {
    node.server.thaw()
  }
  await world.caughtUp()
  return { ...(await judge(world)), note: `${note}; ${slowestRequest(world)}` }
}

/** In words. @throws when somebody waited for too long, whatever the answer was */
function slowestRequest({ crowd: { slowestMs } }: KafkaWorld): string {
  assert.ok(slowestMs < SENDERS_WAIT_MS, `a request took ${slowestMs.toFixed(0)} ms`)
  return `the slowest request ${(slowestMs / 1000).toFixed(0)} s`
}

async function killed(world: KafkaWorld, what: 'topic' | 'coordinator'): Promise<Verdict & { note: string }> {
  for (let i = 0; i < 2; i++) {
    const node = world.nodes[(await world.nodeOf(what)) - 1]!
    await Promise.all([node.crash(), goesOn(world, PATIENCE_MS)])
    await goesOn(world, PATIENCE_MS)
    await world.caughtUp()
  }
  return { ...(await judge(world)), note: slowestRequest(world) }
}
