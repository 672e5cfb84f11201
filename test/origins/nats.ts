/** Core NATS for tests of delivery. */

import { connect } from '@nats-io/transport-node'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { freePorts } from '../servers/process.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

/** @param queue a queue group, in which the serving replica alone listens */
export const natsAdapter = ({ queue }: { queue?: string } = {}): DeliveryAdapter => ({
  type: 'nats',
  // An origin that forgets.
  ...(queue === undefined
    ? { guarantee: 'hot-standby', overJetStream: true }
    : { variant: 'queue group', guarantee: 'at-most-once' }),
  skip: without('nats-server', natsBinary('newest')),
  async start(_, __, via = direct) {
    const [monitor] = (await freePorts(1)) as [number]
    const nats = await startNats({ config: `http: "127.0.0.1:${monitor}"` })
    const nc = await connect({ servers: nats.urls, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
    const port = await via(nats.servers[0]!.port)
    return {
      spec: `url: nats://127.0.0.1:${port}\nsubject: numbers\njsonBody: true${queue === undefined ? '' : `\nqueue: ${queue}`}`,
      async send(texts) {
        for (const text of texts) nc.publish('numbers', text)
        await nc.flush()
      },
      async listeners() {
        const answer = await fetch(`http://127.0.0.1:${monitor}/subsz?subs=1&test=numbers`).catch(() => null)
        const { subscriptions_list: list = [] } = ((await answer?.json()) ?? {}) as { subscriptions_list?: unknown[] }
        return list.length
      },
      async restart() {
        await nats.servers[0]!.stop()
        await nats.servers[0]!.restart()
      },
      server: () => nats.servers[0]!,
      async close() {
        await nc.close()
        await nats.close()
      },
    }
  },
})

export const delivery = () => [natsAdapter()]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startNats)
  return [undefined, 'group'].map((queue) => ({
    ...(queue === undefined ? {} : { variant: 'queue group' }),
    skip: without('nats-server', natsBinary('newest')),
    async setUp(t, name) {
      const { urls } = await server()
      const nc = await connect({ servers: urls })
      t.after(() => nc.close())
      let n = 0
      return {
        spec: { url: urls.join(','), subject: name, queue },
        ready: saysFine,
        async provoke() {
          nc.publish(name, `message ${n++}`)
          await nc.flush()
        },
      }
    },
  }))
}
