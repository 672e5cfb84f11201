/** RabbitMQ: see delivery.ts. And a queue that is full before anybody comes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Channel, type ChannelModel, connect } from 'amqplib'
import { PREFETCH } from '../../src/sources/amqp/serve.ts'
import { without } from '../servers/cache.ts'
import { type RabbitmqServer, rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { type Broker, count, deliveryContract, FULL, manifest, settledLog } from './delivery.ts'
import { nextLeader, startRig, waitFor } from './rig.ts'

const skip = without('rabbitmq-server', rabbitmqBinary())
let server: Promise<RabbitmqServer> | null = null
/** One for all tests of this file: it takes seconds to start. */
const rabbitmq = (): Promise<RabbitmqServer> => {
  server ??= startRabbitmq()
  return server
}
after(async () => (await server)?.close())

const spec = (name: string, queue: string, port: number): string => `
url: amqp://guest:guest@127.0.0.1:${port}
exchangeName: ${name}
exchangeType: direct
routingKey: number
jsonBody: true
${queue}`

/** Publishes persistent messages and waits for the broker's confirmation. */
async function broker(name: string, queue: string, withId: boolean): Promise<Broker> {
  const rabbit = await rabbitmq()
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
    channel.on('return', () => {
      returned++
    })
    return { model, channel }
  }
  return {
    spec: spec(name, queue, rabbit.port),
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
    async close() {
      await link?.model.close().catch(() => {})
    },
  }
}

const durable = (name: string) => `queueDeclare: { name: ${name}, durable: true }`

deliveryContract({
  type: 'amqp',
  variant: 'message-id',
  guarantee: 'exactly-once',
  skip,
  start: (_, name) => broker(name, durable(name), true),
})

deliveryContract({
  type: 'amqp',
  variant: 'no message-id',
  guarantee: 'at-least-once',
  unacknowledged: PREFETCH,
  otherwise: true,
  skip,
  start: (_, name) => broker(name, durable(name), false),
})

deliveryContract({
  type: 'amqp',
  variant: 'queue without a name',
  guarantee: 'hot-standby',
  otherwise: true,
  skip,
  async start(_, name) {
    const made = await broker(name, '', false)
    const rabbit = await rabbitmq()
    return { ...made, listeners: () => rabbit.bindings(name) }
  },
})

for (const withId of [true, false]) {
  const waiting = FULL || withId ? 20_000 : 5_000
  test(`${waiting} messages wait ${withId ? 'with' : 'without'} a message-id, one kill -9 in the middle: none lost, copies ${withId ? 'none' : 'at most the prefetch'}`, {
    skip,
  }, async (t) => {
    const name = `full-${withId}`
    const made = await broker(name, durable(name), withId)
    const model = await connect((await rabbitmq()).url)
    const channel = await model.createChannel()
    await channel.assertExchange(name, 'direct', { durable: true })
    await channel.assertQueue(name, { durable: true })
    await channel.bindQueue(name, name, 'number')
    await model.close()
    for (let n = 0; n < waiting; n += 1_000) {
      await made.send(Array.from({ length: 1_000 }, (_, i) => JSON.stringify({ n: n + i })))
    }
    await made.close()
    const rig = await startRig(() => manifest('amqp', made.spec, 3))
    t.after(() => rig.close(t))
    const leader = await nextLeader(rig, 'queue', null)
    const published = async () => (await rig.status()).eventSources[0]!.entries[0]!.published
    await waitFor(async () => (await published()) > waiting / 5, 30_000)
    process.kill(leader.pid, 'SIGKILL')
    const atKill = await published()
    const { lost, doubled } = count(await settledLog(rig, waiting), waiting)
    assert.equal(await rig.stop(), 0)
    t.diagnostic(`killed after ${atKill} of ${waiting}: ${lost.length} lost, ${doubled} doubled`)
    assert.ok(atKill < waiting, 'all was published before the kill')
    assert.deepEqual(lost, [])
    assert.ok(doubled <= (withId ? 0 : PREFETCH), `${doubled} copies`)
  })
}
