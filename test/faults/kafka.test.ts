/** Kafka: see delivery.ts. */
import { after } from 'node:test'
import { type Admin, Producer } from '@platformatic/kafka'
import { connectKafka, type KafkaClient } from '../../src/clients/kafka.ts'
import { without } from '../servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { deliveryContract } from './delivery.ts'

const skip = without('Kafka', kafkaJars())
let server: Promise<KafkaServer> | null = null
/** One for all tests of this file: it takes seconds to start. */
const kafka = (): Promise<KafkaServer> => {
  server ??= startKafka()
  return server
}
after(async () => (await server)?.close())

const variants = {
  'consumer group': { partitions: 3, from: (name: string) => `consumerGroup: { groupName: ${name}, oldest: true }` },
  'one partition': { partitions: 1, from: () => 'partition: "0"' },
}

for (const [variant, { partitions, from }] of Object.entries(variants)) {
  deliveryContract({
    type: 'kafka',
    variant,
    guarantee: 'exactly-once',
    otherwise: variant === 'one partition',
    skip,
    async start(_, name) {
      const { broker, restart } = await kafka()
      const client: KafkaClient = await connectKafka({ brokers: [broker], clientId: 'test' })
      const admin: Admin = client.admin
      await admin.createTopics({ topics: [name], partitions, replicas: 1 })
      // Idempotent: what it repeats after a lost answer is there once.
      const producer = new Producer({
        clientId: 'test',
        bootstrapBrokers: [broker],
        idempotent: true,
        retries: 100,
        retryDelay: 100,
      })
      return {
        spec: `url: ${broker}\ntopic: ${name}\njsonBody: true\n${from(name)}`,
        async send(texts) {
          const messages = texts.map((text) => ({
            topic: name,
            partition: JSON.parse(text).n % partitions,
            value: Buffer.from(text),
          }))
          await producer.send({ messages, acks: -1 })
        },
        restart,
        async close() {
          await Promise.allSettled([producer.close(), client.close()])
        },
      }
    },
  })
}
