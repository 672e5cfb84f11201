/** A broker that speaks as Emitter does, for tests of delivery. */
import { connectAsync } from 'mqtt'
import { startFakeEmitter } from '../servers/fakes/emitter.ts'
import { type DeliveryAdapter, direct } from './broker.ts'

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
