/** A broker that speaks as Emitter does, for tests of delivery. */

import { connectAsync } from 'mqtt'
import { startFakeEmitter } from '../servers/fakes/emitter.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter } from './suites.ts'
import { saysFine } from './suites.ts'

export const emitterAdapter = (): DeliveryAdapter => ({
  type: 'emitter',
  guarantee: 'hot-standby',
  skip: false,
  async start(_, __, via = direct) {
    const server = await startFakeEmitter({ keys: { k1: 'numbers' } })
    const client = await connectAsync(server.url, { reconnectPeriod: 50, queueQoSZero: false })
    client.on('error', () => {})
    const port = await via(Number(new URL(server.url).port))
    return {
      spec: `broker: tcp://127.0.0.1:${port}\nchannelName: numbers\nchannelKey: k1\njsonBody: true`,
      listeners: async () => server.subscriptions(),
      async send(texts) {
        if (!client.connected) throw new Error('not connected')
        for (const text of texts) await client.publishAsync('k1/numbers/', text, { qos: 1 })
      },
      restart: () => server.restart(),
      async close() {
        client.end(true)
        await server.close()
      },
    }
  },
})

export const delivery = () => [emitterAdapter()]

/** Every replica listens, or the serving one alone is in a group. */
export const contract = (): ContractAdapter[] =>
  (['orders', '$share/workers/orders'] as const).map((channelName) => ({
    ...(channelName === 'orders' ? {} : { variant: 'shared' }),
    skip: false,
    async setUp(t) {
      const server = await startFakeEmitter({ keys: { k: 'orders' } })
      t.after(() => server.close())
      const client = await connectAsync(server.url)
      t.after(() => void client.end(true))
      let n = 0
      return {
        spec: { broker: server.url, channelName, channelKey: 'k' },
        ready: saysFine,
        provoke: () => client.publishAsync('k/orders/', `message ${n++}`, { qos: 1 }),
      }
    },
  }))
