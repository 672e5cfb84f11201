/** Redis Pub/Sub for tests of delivery. */

import { Redis } from 'ioredis'
import { without } from '../servers/cache.ts'
import { redisBinary, startRedis } from '../servers/redis.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

export const redisAdapter = (): DeliveryAdapter => ({
  type: 'redis',
  guarantee: 'hot-standby',
  skip: without('redis-server', redisBinary()),
  async start(_, __, via = direct) {
    const server = await startRedis()
    const redis = new Redis({ host: '127.0.0.1', port: server.port, retryStrategy: () => 50 })
    redis.on('error', () => {})
    return {
      spec: `hostAddress: 127.0.0.1:${await via(server.port)}\nchannels: [numbers]\njsonBody: true`,
      async send(texts) {
        for (const text of texts) await redis.publish('numbers', text)
      },
      listeners: async () => Number(((await redis.pubsub('NUMSUB', 'numbers')) as unknown[])[1]),
      restart: () => server.restart(),
      server: () => server.server,
      async close() {
        redis.disconnect()
        await server.close()
      },
    }
  },
})

export const delivery = () => [redisAdapter()]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startRedis)
  return [
    {
      skip: without('redis-server', redisBinary()),
      async setUp(t, name) {
        const { port } = await server()
        const client = new Redis({ host: '127.0.0.1', port })
        t.after(() => client.disconnect())
        let n = 0
        return {
          spec: { hostAddress: `127.0.0.1:${port}`, channels: [name] },
          ready: saysFine,
          provoke: () => client.publish(name, `message ${n++}`),
        }
      },
    },
  ]
}
