/** RabbitMQ for tests of delivery: messages are persistent and confirmed. */

import { type Channel, type ChannelModel, connect } from 'amqplib'
import { PREFETCH } from '../../src/sources/amqp/declare.ts'
import { without } from '../servers/cache.ts'
import { type RabbitmqServer, rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { type Broker, type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

const specOf = (name: string, queue: string, port: number): string => `
url: amqp://guest:guest@127.0.0.1:${port}
exchangeName: ${name}
exchangeType: direct
routingKey: number
jsonBody: true
${queue}`

/** Publishes persistent messages and waits for the broker's confirmation. @param queue fields of the entry @param port by which the entry reaches it */
export async function rabbitBroker(
  rabbit: RabbitmqServer,
  { name, queue, withId, port = rabbit.port }: { name: string; queue: string; withId: boolean; port?: number },
): Promise<Broker> {
  let link: { model: ChannelModel; channel: Channel & { waitForConfirms(): Promise<void> } } | null = null
  let returned = 0
  const open = async () => {
    const model = await connect(rabbit.url)
    model.on('error', () => {})
    model.on('close', () => {
      link = null
    })
    const channel = await model.createConfirmChannel()
    channel.on('error', () => {})
    // An exchange that is not there yet costs the channel.
    channel.on('close', () => {
      link = null
    })
    channel.on('return', () => {
      returned++
    })
    return { model, channel }
  }
  return {
    spec: specOf(name, queue, port),
    async send(texts) {
      link ??= await open()
      const { channel } = link
      returned = 0
      for (const text of texts) {
        const id = withId ? { messageId: `m-${JSON.parse(text).n}` } : {}
        channel.publish(name, 'number', Buffer.from(text), { persistent: true, mandatory: true, ...id })
      }
      await channel.waitForConfirms()
      if (returned > 0) throw new Error('nobody has a queue for it')
    },
    restart: () => rabbit.restart(),
    server: () => rabbit.server,
    async close() {
      await link?.model.close().catch(() => {})
    },
  }
}

export const durableQueue = (name: string) => `queueDeclare: { name: ${name}, durable: true }`

export const streamQueue = (name: string) =>
  `queueDeclare: { name: ${name}, durable: true, arguments: "x-queue-type: stream" }`

export const amqpAdapters = (server: () => Promise<RabbitmqServer>): DeliveryAdapter[] => {
  const skip = without('rabbitmq-server', rabbitmqBinary())
  const start =
    (queueOf: (name: string) => string, withId: boolean): DeliveryAdapter['start'] =>
    async (_, name, via = direct) => {
      const rabbit = await server()
      return rabbitBroker(rabbit, { name, queue: queueOf(name), withId, port: await via(rabbit.port) })
    }
  return [
    {
      // An origin that waits for an acknowledgement.
      ...{ type: 'amqp', variant: 'message-id', guarantee: 'exactly-once', overJetStream: true },
      ...{ skip, start: start(durableQueue, true) },
    },
    {
      ...{ type: 'amqp', variant: 'no message-id', guarantee: 'at-least-once', unacknowledged: PREFETCH },
      ...{ skip, start: start(durableQueue, false) },
    },
    {
      type: 'amqp',
      variant: 'stream',
      guarantee: 'exactly-once',
      repeats: true,
      skip,
      start: start(streamQueue, false),
    },
    {
      ...{ type: 'amqp', variant: 'queue without a name', guarantee: 'hot-standby', skip },
      async start(t, name, via) {
        const made = await start(() => '', false)(t, name, via)
        const rabbit = await server()
        return { ...made, listeners: () => rabbit.bindings(name) }
      },
    },
  ]
}

export const delivery = (share: Share) => amqpAdapters(share(startRabbitmq))

/** Each variant: the exchange's type, the fields of the entry beside it, and whether messages have an id. */
const contractVariants: Record<string, { exchangeType: string; withId: boolean; queueOf(name: string): object }> = {
  queue: {
    ...{ exchangeType: 'topic', withId: true },
    queueOf: (name) => ({ queueDeclare: { name, durable: true } }),
  },
  stream: {
    ...{ exchangeType: 'fanout', withId: false },
    queueOf: (name) => ({ queueDeclare: { name, durable: true, arguments: 'x-queue-type: stream' } }),
  },
  'queue without a name': { exchangeType: 'fanout', withId: false, queueOf: () => ({}) },
}

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startRabbitmq)
  return Object.entries(contractVariants).map(([variant, { exchangeType, withId, queueOf }]) => ({
    variant,
    skip: without('rabbitmq-server', rabbitmqBinary()),
    ...(variant === 'queue' && { contested: true }),
    async setUp(t, name) {
      const { url } = await server()
      const model = await connect(url)
      t.after(() => model.close())
      const channel = await model.createConfirmChannel()
      await channel.assertExchange(name, exchangeType)
      let n = 0
      const provoke = async () => {
        channel.publish(name, 'a.b', Buffer.from(`message ${n}`), withId ? { messageId: `id ${n}` } : {})
        n++
        await channel.waitForConfirms()
      }
      return {
        spec: { url, exchangeName: name, exchangeType, routingKey: '#', ...queueOf(name) },
        ready: saysFine,
        provoke,
        ...(variant === 'queue' && {
          async takenByAnother() {
            const other = await connect(url)
            const taking = await other.createChannel()
            await taking.assertQueue(name, { durable: true })
            await taking.bindQueue(name, name, '#')
            await provoke()
            while ((await taking.get(name)) === false);
            return () => other.close()
          },
        }),
      }
    },
  }))
}
