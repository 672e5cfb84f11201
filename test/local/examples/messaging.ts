/** Brokers, and the examples that read from them. */
import { connect as connectNats } from '@nats-io/transport-node'
import { Producer } from '@platformatic/kafka'
import { connect as connectAmqp } from 'amqplib'
import avsc from 'avsc'
import { Redis } from 'ioredis'
import { connectAsync as connectMqtt, type MqttClient } from 'mqtt'
import { connectKafka } from '../../../src/clients/kafka.ts'
import { apicurioJar, startApicurio } from '../../servers/apicurio.ts'
import { without } from '../../servers/cache.ts'
import { startFakeEmitter } from '../../servers/fakes/emitter.ts'
import { kafkaJars, startKafka } from '../../servers/kafka.ts'
import { mosquittoBinary, startMosquitto } from '../../servers/mosquitto.ts'
import { natsBinary, startNats } from '../../servers/nats.ts'
import { nsqdBinary, startNsq } from '../../servers/nsq.ts'
import { pulsarJars, startPulsar } from '../../servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../../servers/rabbitmq.ts'
import { redisBinary, startRedis } from '../../servers/redis.ts'
import { origin, type Sent } from './example.ts'

const json = (n: number) => JSON.stringify({ n })
/** JSON messages, which stand in the payload as they are. */
const sending = (send: (text: string, n: number) => Promise<unknown>): Sent => ({
  send: (n) => send(json(n), n),
  data: (n) => ({ body: { n } }),
})
const base64 = (text: string) => Buffer.from(text).toString('base64')

const rabbitmq = origin({
  files: ['amqp', 'amqp-stream', 'upstream/amqp'],
  skip: without('rabbitmq-server', rabbitmqBinary()),
  async start() {
    const server = await startRabbitmq()
    const model = await connectAmqp(server.url)
    const channel = await model.createConfirmChannel()
    await channel.assertExchange('orders', 'direct')
    await channel.assertExchange('test', 'fanout')
    await channel.assertExchange('history', 'fanout')
    const to = (exchange: string, key: string) =>
      sending(async (text) => {
        channel.publish(exchange, key, Buffer.from(text))
        await channel.waitForConfirms()
      })
    const url = `amqp://127.0.0.1:${server.port}`
    return {
      examples: {
        amqp: { put: { 'amqp.orders.url': server.url }, entries: { orders: to('orders', 'order') } },
        'amqp-stream': { put: { 'amqp.history.url': server.url }, entries: { history: to('history', 'all') } },
        'upstream/amqp': {
          put: { 'amqp.example.url': url },
          secrets: { 'my-secret': { username: 'guest', password: 'guest' } },
          entries: { example: to('test', 'hello') },
        },
      },
      // A client waits for the server's answer when it closes.
      async close() {
        await model.close()
        await server.close()
      },
    }
  },
})

/** A broker with topics of two partitions. */
async function kafkaWith(topics: string[]) {
  const server = await startKafka()
  const client = await connectKafka({ brokers: [server.broker], clientId: 'test' })
  await client.admin.createTopics({ topics, partitions: 2, replicas: 1 })
  await client.close()
  const retries = { retries: 20, retryDelay: 100 }
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [server.broker], idempotent: true, ...retries })
  return {
    broker: server.broker,
    send: (topic: string, value: Buffer) => producer.send({ acks: -1, messages: [{ topic, partition: 1, value }] }),
    async close() {
      await producer.close()
      await server.close()
    },
  }
}

const kafka = origin({
  files: ['kafka', 'upstream/kafka'],
  skip: without('Kafka', kafkaJars()),
  async start() {
    const { broker, send, close } = await kafkaWith(['orders', 'topic-2'])
    const to = (topic: string) => sending((text) => send(topic, Buffer.from(text)))
    return {
      examples: {
        kafka: { put: { 'kafka.orders.url': broker }, entries: { orders: to('orders') } },
        'upstream/kafka': { put: { 'kafka.example.url': broker }, entries: { example: to('topic-2') } },
      },
      close,
    }
  },
})

const avro = origin({
  files: ['kafka-avro'],
  skip: without('Kafka', kafkaJars()) || without('Apicurio', apicurioJar()),
  async start() {
    const [server, registry] = await Promise.all([kafkaWith(['payments']), startApicurio()])
    const type = avsc.Type.forSchema({ type: 'record', name: 'Payment', fields: [{ name: 'n', type: 'long' }] })
    const head = Buffer.alloc(5)
    head.writeUInt32BE(await registry.register('payments-value', { schema: JSON.stringify(type.schema()) }), 1)
    const send = (n: number) => server.send('payments', Buffer.concat([head, type.toBuffer({ n })]))
    const put = { 'kafka.payments.url': server.broker, 'kafka.payments.schemaRegistry.url': registry.url }
    return {
      examples: { 'kafka-avro': { put, entries: { payments: { send, data: (n) => ({ body: { n } }) } } } },
      async close() {
        await Promise.all([server.close(), registry.close()])
      },
    }
  },
})

const nats = origin({
  files: ['nats', 'upstream/nats'],
  skip: without('nats-server', natsBinary('newest')),
  async start() {
    const server = await startNats()
    const url = server.urls[0]!
    const nc = await connectNats({ servers: url })
    const to = (subject: string) =>
      sending(async (text) => {
        nc.publish(subject, text)
        await nc.flush()
      })
    return {
      examples: {
        nats: { put: { 'nats.orders.url': url }, entries: { orders: to('orders.new') } },
        'upstream/nats': { put: { 'nats.example.url': url }, entries: { example: to('foo') } },
      },
      async close() {
        await nc.close()
        await server.close()
      },
    }
  },
})

const nsq = origin({
  files: ['nsq', 'upstream/nsq'],
  skip: without('NSQ', nsqdBinary()),
  async start() {
    const server = await startNsq()
    const post = async (path: string, body = '') => {
      const answer = await fetch(`${server.http}/${path}`, { method: 'POST', body })
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    }
    for (const topic of ['orders', 'hello']) await post(`topic/create?topic=${topic}`)
    const to = (topic: string) => sending((text) => post(`pub?topic=${topic}`, text))
    const { lookupd } = server
    return {
      examples: {
        nsq: { put: { 'nsq.orders.hostAddress': lookupd }, entries: { orders: to('orders') } },
        'upstream/nsq': { put: { 'nsq.example.hostAddress': lookupd }, entries: { example: to('hello') } },
      },
      close: () => server.close(),
    }
  },
})

const pulsar = origin({
  files: ['pulsar', 'upstream/pulsar'],
  skip: without('Pulsar', pulsarJars()),
  async start() {
    const server = await startPulsar()
    const topics = ['orders', 'test', 'foo']
    const producers = await Promise.all(topics.map((topic) => server.producer(topic)))
    const [orders, ...both] = producers
    return {
      examples: {
        pulsar: {
          put: { 'pulsar.orders.url': server.url },
          entries: { orders: sending((text) => orders!.send([text])) },
        },
        'upstream/pulsar': {
          put: { 'pulsar.example.url': server.url },
          entries: {
            example: {
              send: (n) => both[n % 2]!.send([json(n)]),
              data: (n) => ({ body: base64(json(n)) }),
            },
          },
        },
      },
      async close() {
        for (const producer of producers) producer.close()
        await server.close()
      },
    }
  },
})

const redis = origin({
  files: ['redis', 'upstream/redis'],
  skip: without('redis-server', redisBinary()),
  async start() {
    const server = await startRedis()
    const client = new Redis({ host: '127.0.0.1', port: server.port })
    const hostAddress = `127.0.0.1:${server.port}`
    return {
      examples: {
        redis: {
          put: { 'redis.orders.hostAddress': hostAddress },
          entries: { orders: sending((text) => client.publish('orders', text)) },
        },
        'upstream/redis': {
          put: { 'redis.example.hostAddress': hostAddress },
          entries: {
            example: {
              send: (n) => client.publish('FOO', json(n)),
              data: (n) => ({ channel: 'FOO', pattern: '', body: json(n) }),
            },
          },
        },
      },
      async close() {
        client.disconnect()
        await server.close()
      },
    }
  },
})

const mosquitto = origin({
  files: ['mqtt', 'mqtt-qos1', 'upstream/mqtt'],
  skip: without('mosquitto', mosquittoBinary()),
  async start() {
    // Two examples read the same topics.
    const brokers = await Promise.all([startMosquitto(), startMosquitto()])
    const clients: MqttClient[] = await Promise.all(brokers.map(({ url }) => connectMqtt(url)))
    const [{ url }, other] = brokers
    const [client, otherClient] = clients as [MqttClient, MqttClient]
    return {
      examples: {
        mqtt: {
          put: { 'mqtt.sensors.url': url },
          entries: { sensors: sending((text) => client.publishAsync('sensors/1/temperature', text)) },
        },
        'mqtt-qos1': {
          put: { 'mqtt.sensors.url': other.url },
          entries: { sensors: sending((text) => otherClient.publishAsync('sensors/1/temperature', text, { qos: 1 })) },
        },
        'upstream/mqtt': {
          put: { 'mqtt.example.url': url },
          entries: { example: sending((text) => client.publishAsync('bar', text)) },
        },
      },
      async close() {
        await Promise.all(clients.map((one) => one.endAsync(true)))
        await Promise.all(brokers.map((one) => one.close()))
      },
    }
  },
})

/** No registry has Emitter. */
const emitter = origin({
  files: ['emitter', 'upstream/emitter'],
  skip: false,
  async start() {
    const server = await startFakeEmitter({ keys: { 'key-of-the-channel': 'orders', channel_key: 'hello' } })
    const client: MqttClient = await connectMqtt(server.url)
    const to = (topic: string) => sending((text) => client.publishAsync(topic, text, { qos: 1 }))
    return {
      examples: {
        emitter: {
          put: { 'emitter.orders.broker': server.url },
          entries: { orders: to('key-of-the-channel/orders/') },
        },
        'upstream/emitter': {
          put: { 'emitter.example.broker': server.url },
          entries: { example: to('channel_key/hello/') },
        },
      },
      async close() {
        await client.endAsync(true)
        await server.close()
      },
    }
  },
})

export const messaging = [rabbitmq, kafka, avro, nats, nsq, pulsar, redis, mosquitto, emitter]
