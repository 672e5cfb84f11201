/** Mosquitto for tests of delivery. */

import { connectAsync } from 'mqtt'
import { without } from '../servers/cache.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { type Broker, type DeliveryAdapter, direct, type Via } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

async function mqttBroker(qos: 0 | 1, via: Via, topic = 'numbers'): Promise<Broker & { subscriptions: () => number }> {
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
  const port = await via(server.port)
  return {
    subscriptions: () => subscriptions,
    spec: `url: tcp://127.0.0.1:${port}\ntopic: ${topic}\nclientId: vedette\njsonBody: true\nqos: ${qos}`,
    async send(texts) {
      if (!client.connected) throw new Error('not connected')
      for (const text of texts) await client.publishAsync('numbers', text, { qos })
    },
    restart: () => server.restart(),
    server: () => server.server,
    async close() {
      client.end(true)
      await server.close()
    },
  }
}

export const mqttAdapters = (): DeliveryAdapter[] => {
  const skip = without('mosquitto', mosquittoBinary())
  return [
    {
      ...{ type: 'mqtt', variant: 'QoS 0', guarantee: 'hot-standby', skip },
      async start(_, __, via = direct) {
        const made = await mqttBroker(0, via)
        return { ...made, listeners: async () => made.subscriptions() }
      },
    },
    {
      ...{ type: 'mqtt', variant: 'QoS 1', guarantee: 'at-least-once', skip },
      // Mosquitto's max_inflight_messages.
      unacknowledged: 20,
      start: (_, __, via = direct) => mqttBroker(1, via),
    },
  ]
}

/** A shared subscription, of which a message goes to one member only. */
export const mqttSharedAdapter = (): DeliveryAdapter => ({
  ...{ type: 'mqtt', variant: '$share', guarantee: 'at-most-once', skip: without('mosquitto', mosquittoBinary()) },
  start: (_, __, via = direct) => mqttBroker(0, via, '$share/workers/numbers'),
})

export const delivery = () => mqttAdapters()

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startMosquitto)
  return ([0, 1] as const).map((qos) => ({
    variant: `QoS ${qos}`,
    skip: without('mosquitto', mosquittoBinary()),
    ...(qos === 1 && { contested: true }),
    async setUp(t, name) {
      const { url } = await server()
      const client = await connectAsync(url)
      t.after(() => void client.end(true))
      const [topic, clientId] = [name, name]
      let n = 0
      const provoke = () => client.publishAsync(topic, `message ${n++}`, { qos })
      return {
        spec: { url, topic, clientId, qos },
        ready: saysFine,
        provoke,
        ...(qos === 1 && {
          async takenByAnother() {
            const other = await connectAsync(url, { clientId, clean: false, reconnectPeriod: 0 })
            other.on('error', () => {})
            // The session is that of the entry, which takes it over.
            const taken = new Promise<void>((resolve) => {
              other.handleMessage = () => resolve()
            })
            await other.subscribeAsync(topic, { qos })
            await provoke()
            await taken
            return async () => void other.end(true)
          },
        }),
      }
    },
  }))
}
