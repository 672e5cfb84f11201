/** Kafka for tests of delivery. */

import { type Admin, Producer } from '@platformatic/kafka'
import { connectKafka, type KafkaClient } from '../../src/clients/kafka.ts'
import { waitFor } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

const variants = {
  'consumer group': { partitions: 3, from: (name: string) => `consumerGroup: { groupName: ${name}, oldest: true }` },
  'one partition': { partitions: 1, from: () => 'partition: "0"' },
}

export const kafkaAdapters = (server: () => Promise<KafkaServer>): DeliveryAdapter[] =>
  Object.entries(variants).map(([variant, { partitions, from }]) => ({
    ...{ type: 'kafka', variant, guarantee: 'exactly-once' },
    // An origin in which the entry has a place.
    ...(variant === 'consumer group' ? { overJetStream: true } : {}),
    skip: without('Kafka', kafkaJars()),
    async start(_, name, via = direct) {
      const kafka = await server()
      const { broker, restart } = kafka
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
      // Its own proxy names itself as the broker; others would be left at the first answer.
      const at = via === direct ? broker : `127.0.0.1:${kafka.proxy.port}`
      return {
        spec: `url: ${at}\ntopic: ${name}\njsonBody: true\n${from(name)}`,
        async send(texts) {
          const messages = texts.map((text) => ({
            topic: name,
            partition: JSON.parse(text).n % partitions,
            value: Buffer.from(text),
          }))
          await producer.send({ messages, acks: -1 })
        },
        restart,
        server: () => kafka.server,
        proxy: kafka.proxy,
        async close() {
          await Promise.allSettled([producer.close(), client.close()])
        },
      }
    },
  }))

export const delivery = (share: Share) => kafkaAdapters(share(startKafka))

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startKafka)
  return [
    {
      skip: without('Kafka', kafkaJars()),
      async setUp(t, name) {
        const { broker } = await server()
        const client = await connectKafka({ brokers: [broker], clientId: 'test' })
        t.after(() => client.close())
        await client.admin.createTopics({ topics: [name], partitions: 2, replicas: 1 })
        // A broker makes the topic of group offsets when the first group asks; the runtime would try again, the harness does not.
        await waitFor(() => client.committed(name, name, [0]).then(Boolean, () => false), 60_000, 100)
        // Nor is a broker the leader of a partition from the moment at which it is made.
        await waitFor(() => client.offsets(name, [0, 1], 'earliest').then(Boolean, () => false), 60_000, 100)
        const producer = new Producer({ clientId: 'test', bootstrapBrokers: [broker], retries: 20, retryDelay: 100 })
        t.after(() => producer.close())
        let n = 0
        return {
          spec: { url: broker, topic: name, consumerGroup: { groupName: name, oldest: true } },
          ready: saysFine,
          provoke() {
            const value = Buffer.from(`message ${n}`)
            return producer.send({ acks: -1, messages: [{ topic: name, partition: n++ % 2, value }] })
          },
        }
      },
    },
  ]
}
