/** A broker that speaks as Emitter does: see delivery.ts. */
import { connectAsync } from 'mqtt'
import { startFakeEmitter } from '../servers/fakes/emitter.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract({
  type: 'emitter',
  guarantee: 'hot-standby',
  skip: false,
  async start() {
    const server = await startFakeEmitter({ keys: { k1: 'numbers' } })
    const client = await connectAsync(server.url, { reconnectPeriod: 50, queueQoSZero: false })
    client.on('error', () => {})
    return {
      spec: `broker: ${server.url}\nchannelName: numbers\nchannelKey: k1\njsonBody: true`,
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
