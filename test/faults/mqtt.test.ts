/** Mosquitto: see delivery.ts. */
import { connectAsync } from 'mqtt'
import { without } from '../servers/cache.ts'
import { type MosquittoServer, mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { type Broker, deliveryContract } from './delivery.ts'

const skip = without('mosquitto', mosquittoBinary())

async function broker(qos: 0 | 1): Promise<Broker & { server: MosquittoServer }> {
  const server = await startMosquitto()
  const client = await connectAsync(server.url, { reconnectPeriod: 50, queueQoSZero: false })
  client.on('error', () => {})
  return {
    server,
    spec: `url: ${server.url}\ntopic: numbers\nclientId: vedette\njsonBody: true\nqos: ${qos}`,
    async send(texts) {
      if (!client.connected) throw new Error('not connected')
      for (const text of texts) await client.publishAsync('numbers', text, { qos })
    },
    restart: () => server.restart(),
    async close() {
      await client.endAsync(true)
      await server.close()
    },
  }
}

/** The broker tells each second how many subscriptions it has; ours is one of them. */
async function subscriptions(server: MosquittoServer): Promise<number> {
  const client = await connectAsync(server.url, { reconnectPeriod: 0 })
  try {
    const told = new Promise<number>((resolve) => client.once('message', (_, text) => resolve(Number(text.toString()))))
    await client.subscribeAsync('$SYS/broker/subscriptions/count')
    // What it told before we came does not count us.
    await told
    const next = new Promise<number>((resolve) => client.once('message', (_, text) => resolve(Number(text.toString()))))
    return (await next) - 1
  } finally {
    await client.endAsync(true)
  }
}

deliveryContract({
  type: 'mqtt',
  variant: 'QoS 0',
  guarantee: 'hot-standby',
  skip,
  async start() {
    const made = await broker(0)
    return { ...made, listeners: () => subscriptions(made.server) }
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
