import { randomBytes } from 'node:crypto'
import { suite } from 'node:test'
import type { Bus } from '../../src/bus/bus.ts'
import { openKafka } from '../../src/bus/kafka/bus.ts'
import { partitionerOf } from '../../src/bus/kafka/partitioner.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars, startKafkaCluster } from '../servers/kafka.ts'
import { type BusUnderTest, busContract, until } from './bus.ts'

const traits = { claimNeedsLease: false, dedup: false, strict: true }
/** Numbers of brokers; several take their time to start. */
const sizes = FULL ? [1, 3] : [1]

suite('Kafka', { skip: without('Kafka', kafkaJars()) }, () => {
  for (const size of sizes) busContract(size === 1 ? 'kafka' : `kafka, ${size} brokers`, traits, () => clientsOf(size))
})

async function clientsOf(size: number): Promise<BusUnderTest> {
  const nodes = await startKafkaCluster(size)
  const brokers = nodes.map(({ broker }) => broker)
  const topic = `events-${randomBytes(4).toString('hex')}`
  const open: Bus[] = []
  return {
    async connect() {
      const bus = openKafka({
        connect: () => connectKafka({ brokers, clientId: 'test' }),
        topic,
        partitioner: partitionerOf('random'),
        transport: 'plain',
        clock: systemClock,
        log: silentLogger,
      })
      open.push(bus)
      await until('the topics are there', () => bus.status().connected, 60_000)
      return bus
    },
    hold: async () => {},
    freeze() {
      for (const { server } of nodes) server.freeze()
    },
    thaw() {
      for (const { server } of nodes) server.thaw()
    },
    async close() {
      await Promise.all(open.map((bus) => bus.close()))
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}
