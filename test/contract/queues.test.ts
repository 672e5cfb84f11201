/** The contract of a source, kept by the messaging types against their real servers. */
import { after, type TestContext, test } from 'node:test'
import { connect as connectNats } from '@nats-io/transport-node'
import { connect as connectAmqp } from 'amqplib'
import { Redis } from 'ioredis'
import { connectAsync as connectMqtt } from 'mqtt'
import type { SourceDefinition } from '../../src/source.ts'
import amqp from '../../src/sources/amqp.ts'
import mqtt from '../../src/sources/mqtt.ts'
import nats from '../../src/sources/nats.ts'
import nsq from '../../src/sources/nsq.ts'
import pulsar from '../../src/sources/pulsar.ts'
import redis from '../../src/sources/redis.ts'
import { without } from '../servers/cache.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { pulsarJars, startPulsar } from '../servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { redisBinary, startRedis } from '../servers/redis.ts'
import { type Origin, sourceContract } from './source.ts'

/** One server for all tests of a type. */
function shared<Server extends { close(): Promise<void> }>(start: () => Promise<Server>): () => Promise<Server> {
  let server: Promise<Server> | null = null
  after(async () => (await server)?.close())
  return () => {
    server ??= start()
    return server
  }
}

function contract(
  definition: SourceDefinition<any, any>,
  skip: string | false,
  setUp: (t: TestContext, name: string) => Promise<Omit<Origin, 'ready'>>,
): void {
  if (skip) {
    test(`${definition.type}: the contract of a source`, { skip }, () => {})
    return
  }
  let count = 0
  sourceContract(definition, async (t) => ({
    ...(await setUp(t, `${definition.type}${count++}`)),
    // It says that nothing is wrong when it consumes.
    ready: (harness) => harness.until(({ conditions }) => conditions.includes(null), 30_000),
  }))
}

const rabbit = shared(startRabbitmq)
contract(amqp, without('rabbitmq-server', rabbitmqBinary()), async (t, name) => {
  const { url } = await rabbit()
  const model = await connectAmqp(url)
  t.after(() => model.close())
  const channel = await model.createConfirmChannel()
  await channel.assertExchange(name, 'topic')
  let n = 0
  return {
    spec: { url, exchangeName: name, exchangeType: 'topic', routingKey: '#', queueDeclare: { name, durable: true } },
    async provoke() {
      channel.publish(name, 'a.b', Buffer.from(`message ${n}`), { messageId: `id ${n++}` })
      await channel.waitForConfirms()
    },
  }
})

contract(amqp, without('rabbitmq-server', rabbitmqBinary()), async (t, name) => {
  const { url } = await rabbit()
  const model = await connectAmqp(url)
  t.after(() => model.close())
  const channel = await model.createConfirmChannel()
  const exchange = `stream-${name}`
  await channel.assertExchange(exchange, 'fanout')
  const queueDeclare = { name: exchange, durable: true, arguments: 'x-queue-type: stream' }
  return {
    spec: { url, exchangeName: exchange, exchangeType: 'fanout', routingKey: 'x', queueDeclare },
    async provoke() {
      channel.publish(exchange, '', Buffer.from('message'))
      await channel.waitForConfirms()
    },
  }
})

contract(amqp, without('rabbitmq-server', rabbitmqBinary()), async (t, name) => {
  const { url } = await rabbit()
  const model = await connectAmqp(url)
  t.after(() => model.close())
  const channel = await model.createConfirmChannel()
  await channel.assertExchange(`own-${name}`, 'fanout')
  return {
    spec: { url, exchangeName: `own-${name}`, exchangeType: 'fanout', routingKey: 'x' },
    async provoke() {
      channel.publish(`own-${name}`, '', Buffer.from('message'))
      await channel.waitForConfirms()
    },
  }
})

const nsqd = shared(startNsq)
contract(nsq, without('NSQ', nsqdBinary()), async (_, name) => {
  const { http, lookupd } = await nsqd()
  const post = (path: string, body = '') => fetch(`${http}/${path}`, { method: 'POST', body })
  await post(`topic/create?topic=${name}`)
  await post(`channel/create?topic=${name}&channel=c`)
  let n = 0
  return {
    spec: { hostAddress: lookupd, topic: name, channel: 'c' },
    provoke: () => post(`pub?topic=${name}`, `message ${n++}`),
  }
})

const pulsarServer = shared(startPulsar)
contract(pulsar, without('Pulsar', pulsarJars()), async (t, name) => {
  const { url, producer } = await pulsarServer()
  const open = await producer(name)
  t.after(() => open.close())
  let n = 0
  return { spec: { url, topics: [name], type: 'exclusive' }, provoke: () => open.send([`message ${n++}`]) }
})

const natsServer = shared(startNats)
for (const queue of [undefined, 'group']) {
  contract(nats, without('nats-server', natsBinary('newest')), async (t, name) => {
    const { urls } = await natsServer()
    const nc = await connectNats({ servers: urls })
    t.after(() => nc.close())
    return {
      spec: { url: urls.join(','), subject: `${name}.${queue}`, queue },
      async provoke() {
        nc.publish(`${name}.${queue}`, 'message')
        await nc.flush()
      },
    }
  })
}

const redisServer = shared(startRedis)
contract(redis, without('redis-server', redisBinary()), async (t, name) => {
  const { port } = await redisServer()
  const client = new Redis({ host: '127.0.0.1', port })
  t.after(() => client.disconnect())
  return {
    spec: { hostAddress: `127.0.0.1:${port}`, channels: [name] },
    provoke: () => client.publish(name, 'message'),
  }
})

const mosquitto = shared(startMosquitto)
for (const qos of [0, 1] as const) {
  contract(mqtt, without('mosquitto', mosquittoBinary()), async (t, name) => {
    const { url } = await mosquitto()
    const client = await connectMqtt(url)
    t.after(() => void client.end(true))
    const topic = `${name}/${qos}`
    return {
      spec: { url, topic, clientId: `vedette-${name}-${qos}`, qos },
      provoke: () => client.publishAsync(topic, 'message', { qos }),
    }
  })
}
