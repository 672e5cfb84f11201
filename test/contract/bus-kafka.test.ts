import { randomBytes } from 'node:crypto'
import { suite } from 'node:test'
import type { Bus } from '../../src/bus/bus.ts'
import { openKafka } from '../../src/bus/kafka/bus.ts'
import { partitionerOf } from '../../src/bus/kafka/partitioner.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars, startKafka } from '../servers/kafka.ts'
import { busContract, until } from './bus.ts'

suite('Kafka', { skip: without('Kafka', kafkaJars()) }, () => {
  const traits = { claimNeedsLease: false, dedup: false, strict: true }
  busContract('kafka', traits, async () => {
    const kafka = await startKafka()
    const topic = `events-${randomBytes(4).toString('hex')}`
    const open: Bus[] = []
    return {
      async connect() {
        const bus = openKafka({
          connect: () => connectKafka({ brokers: [kafka.broker], clientId: 'test' }),
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
      async close() {
        await Promise.all(open.map((bus) => bus.close()))
        await kafka.close()
      },
    }
  })
})
