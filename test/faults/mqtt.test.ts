/** Mosquitto: see delivery.ts. */
import { connectAsync } from 'mqtt'
import { without } from '../servers/cache.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { type Broker, deliveryContract } from './delivery.ts'

const skip = without('mosquitto', mosquittoBinary())

async function broker(qos: 0 | 1): Promise<Broker & { subscriptions: () => number }> {
  const server = await startMosquitto()
  const client = await connectAsync(server.url, { reconnectPeriod: 50, queueQoSZero: false })
  client.on('error', () => {})
  // The broker tells how many subscriptions it has, ours included, when that has changed, once a second.
  let subscriptions = 0
  client.on('close', () => {
    subscriptions = 0
  })
  client.on('message', (_, text) => {
    subscriptions = Number(text.toString()) - 1
  })
  await client.subscribeAsync('$SYS/broker/subscriptions/count')
  return {
    subscriptions: () => subscriptions,
    spec: `url: ${server.url}\ntopic: numbers\nclientId: vedette\njsonBody: true\nqos: ${qos}`,
    async send(texts) {
      if (!client.connected) throw new Error('not connected')
      for (const text of texts) await client.publishAsync('numbers', text, { qos })
    },
    restart: () => server.restart(),
    async close() {
      client.end(true)
      await server.close()
    },
  }
}

deliveryContract({
  type: 'mqtt',
  variant: 'QoS 0',
  guarantee: 'hot-standby',
  otherwise: true,
  skip,
  async start() {
    const made = await broker(0)
    return { ...made, listeners: async () => made.subscriptions() }
  },
})

deliveryContract({
  type: 'mqtt',
  variant: 'QoS 1',
  guarantee: 'at-least-once',
  // Mosquitto's max_inflight_messages.
  unacknowledged: 20,
  skip,
  start: () => broker(1),
})
