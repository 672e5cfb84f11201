/** Brokers with a queue for one entry, for the benches. */
import { Producer } from '@platformatic/kafka'
import { connect } from 'amqplib'
import { connectKafka } from '../src/clients/kafka.ts'
import { randomId } from '../src/core/event.ts'
import { kafkaJars, startKafka } from '../test/servers/kafka.ts'
import { nsqdBinary, startNsq } from '../test/servers/nsq.ts'
import { pulsarJars, startPulsar } from '../test/servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../test/servers/rabbitmq.ts'

export interface Origin {
  /** Fields of the entry, YAML. */
  readonly spec: string
  /** Resolves when the broker has them all. Bodies are JSON in one line. */
  send(bodies: string[]): Promise<void>
  close(): Promise<void>
}

export interface OriginType {
  type: string
  present: boolean
  open(): Promise<Origin>
}

export const originTypes: OriginType[] = [
  { type: 'kafka', present: kafkaJars() !== null, open: openKafka },
  { type: 'amqp', present: rabbitmqBinary() !== null, open: openAmqp },
  { type: 'nsq', present: nsqdBinary() !== null, open: openNsq },
  { type: 'pulsar', present: pulsarJars() !== null, open: openPulsar },
]

/** Bodies of about 200 bytes. */
export const numbered = (messages: number): string[] =>
  Array.from({ length: messages }, (_, n) => JSON.stringify({ n, text: 'x'.repeat(180) }))

async function openKafka(): Promise<Origin> {
  const server = await startKafka()
  const topic = await openTopic([server.broker])
  return {
    ...topic,
    async close() {
      await topic.close()
      await server.close()
    },
  }
}

/** A topic of its own with one partition. */
export async function openTopic(brokers: string[]): Promise<Origin> {
  const topic = `numbers-${randomId()}`
  const client = await connectKafka({ brokers, clientId: 'bench' })
  await client.admin.createTopics({ topics: [topic], partitions: 1, replicas: -1 })
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: brokers })
  return {
    spec: `url: "${brokers}"\ntopic: ${topic}\njsonBody: true\nconsumerGroup: { groupName: ${topic}, oldest: true }`,
    async send(bodies) {
      for (const some of inParts(bodies, 500)) {
        const messages = some.map((text) => ({ topic, partition: 0, value: Buffer.from(text) }))
        await producer.send({ messages, acks: -1 })
      }
    },
    async close() {
      await Promise.allSettled([producer.close(), client.close()])
    },
  }
}

async function openAmqp(): Promise<Origin> {
  const server = await startRabbitmq()
  const model = await connect(server.url)
  const channel = await model.createConfirmChannel()
  await channel.assertExchange('numbers', 'direct', { durable: true, autoDelete: false })
  await channel.assertQueue('numbers', { durable: true })
  await channel.bindQueue('numbers', 'numbers', 'number')
  let sent = 0
  return {
    spec: `url: amqp://guest:guest@127.0.0.1:${server.port}
exchangeName: numbers
exchangeType: direct
routingKey: number
jsonBody: true
exchangeDeclare: { durable: true, autoDelete: false }
queueDeclare: { name: numbers, durable: true }`,
    async send(bodies) {
      for (const some of inParts(bodies, 500)) {
        for (const text of some) {
          const options = { persistent: true, messageId: `m-${sent++}` }
          channel.publish('numbers', 'number', Buffer.from(text), options)
        }
        await channel.waitForConfirms()
      }
    },
    async close() {
      await model.close()
      await server.close()
    },
  }
}

export async function openNsq(): Promise<Origin> {
  const server = await startNsq()
  const post = async (path: string, body = '') => {
    const answer = await fetch(`${server.http}/${path}`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`nsqd answers ${answer.status}`)
  }
  await post('topic/create?topic=numbers')
  await post('channel/create?topic=numbers&channel=bench')
  return {
    spec: `hostAddress: ${server.lookupd}\ntopic: numbers\nchannel: bench\njsonBody: true`,
    async send(bodies) {
      for (const some of inParts(bodies, 1_000)) await post('mpub?topic=numbers', some.join('\n'))
    },
    close: () => server.close(),
  }
}

async function openPulsar(): Promise<Origin> {
  const server = await startPulsar()
  // The subscription has the entry's name.
  await server.admin('PUT', 'persistent/public/default/numbers')
  await server.admin('PUT', 'persistent/public/default/numbers/subscription/numbers')
  const producer = await server.producer('numbers', 'batchingEnabled=true&batchingMaxMessages=500')
  return {
    spec: `url: ${server.url}\ntopics: [numbers]\ntype: exclusive\njsonBody: true`,
    async send(bodies) {
      for (const some of inParts(bodies, 500)) await producer.send(some)
    },
    async close() {
      producer.close()
      await server.close()
    },
  }
}

function* inParts(bodies: string[], size: number): Generator<string[]> {
  for (let i = 0; i < bodies.length; i += size) yield bodies.slice(i, i + size)
}
