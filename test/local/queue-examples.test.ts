/** The examples of the messaging types, run as they stand against their servers (only the address is another), with one message. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { connect as connectNats } from '@nats-io/transport-node'
import { connect as connectAmqp } from 'amqplib'
import { Redis } from 'ioredis'
import { connectAsync as connectMqtt } from 'mqtt'
import { dataOf, nextLeader, startRig, waitFor } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { pulsarJars, startPulsar } from '../servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { redisBinary, startRedis } from '../servers/redis.ts'

interface Running {
  /** What the example has, and what it is here. */
  address: [inExample: string, here: string]
  send(text: string): Promise<unknown>
}

function example(name: string, skip: string | false, start: (t: TestContext) => Promise<Running>): void {
  test(`examples/${name}.yaml: a message becomes an event`, { skip }, async (t) => {
    const { address, send } = await start(t)
    const yaml = readFileSync(new URL(`../../examples/${name}.yaml`, import.meta.url), 'utf8')
    assert.ok(yaml.includes(address[0]))
    const rig = await startRig(() => yaml.replace(address[0], address[1]))
    t.after(() => rig.close(t))
    await nextLeader(rig, name, null)
    await waitFor(async () => (await rig.status()).eventSources[0]!.entries[0]!.error === null, 20_000)
    // Whoever forgets may not have been asked yet: again until it has.
    await waitFor(
      async () => {
        await send('{"order": 1}')
        return (await rig.lines()).length > 0
      },
      20_000,
      300,
    )
    assert.deepEqual(dataOf((await rig.lines())[0]!).body, { order: 1 })
    assert.equal(await rig.stop(), 0)
  })
}

example('amqp', without('rabbitmq-server', rabbitmqBinary()), async (t) => {
  const server = await startRabbitmq()
  const model = await connectAmqp(server.url)
  // A client waits for the server's answer when it closes.
  t.after(async () => {
    await model.close()
    await server.close()
  })
  const channel = await model.createConfirmChannel()
  await channel.assertExchange('orders', 'direct')
  return {
    address: ['localhost:5672', `127.0.0.1:${server.port}`],
    async send(text) {
      channel.publish('orders', 'order', Buffer.from(text))
      await channel.waitForConfirms()
    },
  }
})

example('nsq', without('NSQ', nsqdBinary()), async (t) => {
  const server = await startNsq()
  t.after(() => server.close())
  const post = (path: string, body = '') => fetch(`${server.http}/${path}`, { method: 'POST', body })
  await post('topic/create?topic=orders')
  return { address: ['localhost:4161', server.lookupd], send: (text) => post('pub?topic=orders', text) }
})

example('pulsar', without('Pulsar', pulsarJars()), async (t) => {
  const server = await startPulsar()
  t.after(() => server.close())
  const producer = await server.producer('orders')
  t.after(() => producer.close())
  return { address: ['pulsar://localhost:6650', server.url], send: (text) => producer.send([text]) }
})

example('nats', without('nats-server', natsBinary('newest')), async (t) => {
  const server = await startNats()
  const nc = await connectNats({ servers: server.urls })
  t.after(async () => {
    await nc.close()
    await server.close()
  })
  return {
    address: ['nats://localhost:4222', server.urls[0]!],
    async send(text) {
      nc.publish('orders.new', text)
      await nc.flush()
    },
  }
})

example('redis', without('redis-server', redisBinary()), async (t) => {
  const server = await startRedis()
  t.after(() => server.close())
  const client = new Redis({ host: '127.0.0.1', port: server.port })
  t.after(() => client.disconnect())
  return {
    address: ['localhost:6379', `127.0.0.1:${server.port}`],
    send: (text) => client.publish('orders', text),
  }
})

for (const [name, qos] of [
  ['mqtt', 0],
  ['mqtt-qos1', 1],
] as const) {
  example(name, without('mosquitto', mosquittoBinary()), async (t) => {
    const server = await startMosquitto()
    t.after(() => server.close())
    const client = await connectMqtt(server.url)
    t.after(() => void client.end(true))
    return {
      address: ['tcp://localhost:1883', server.url],
      send: (text) => client.publishAsync('sensors/1/temperature', text, { qos }),
    }
  })
}
