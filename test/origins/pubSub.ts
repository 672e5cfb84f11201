/** Google's Pub/Sub fake for tests of delivery. It keeps messages in memory: instead of a restart all connections break. */

import { v1 } from '@google-cloud/pubsub-api'
import { emulatorAt } from '../../src/sources/pubSub/client.ts'
import { without } from '../servers/cache.ts'
import { startProxy } from '../servers/proxy.ts'
import { pstestBinary, startPstest } from '../servers/pubsub.ts'
import { type DeliveryAdapter, direct } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

export const pubSubAdapter = (): DeliveryAdapter => ({
  type: 'pubSub',
  guarantee: 'exactly-once',
  skip: without('the Pub/Sub fake', pstestBinary()),
  async start(_, __, via = direct) {
    const fake = await startPstest()
    const proxy = await startProxy(Number(fake.host.split(':')[1]))
    const publisher = new v1.PublisherClient({ ...(await emulatorAt(fake.host)), projectId: 'p' })
    const topic = 'projects/p/topics/numbers'
    await publisher.createTopic({ name: topic })
    return {
      spec: 'projectID: p\ntopic: numbers\nsubscriptionID: vedette\njsonBody: true',
      env: { PUBSUB_EMULATOR_HOST: `127.0.0.1:${await via(proxy.port)}` },
      async send(texts) {
        await publisher.publish({ topic, messages: texts.map((text) => ({ data: Buffer.from(text) })) })
      },
      async restart() {
        proxy.faults.refuse = true
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        proxy.faults.refuse = false
      },
      server: () => fake.server,
      async close() {
        await publisher.close()
        await proxy.close()
        await fake.close()
      },
    }
  },
})

export const delivery = () => [pubSubAdapter()]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startPstest)
  return [
    {
      skip: without('the Pub/Sub fake', pstestBinary()),
      contested: true,
      async setUp(t, name) {
        const { host } = await server()
        // Where it is said to everybody who uses Google's libraries.
        process.env.PUBSUB_EMULATOR_HOST = host
        const options = { ...(await emulatorAt(host)), projectId: 'p' }
        const publisher = new v1.PublisherClient(options)
        t.after(() => publisher.close())
        const subscriber = new v1.SubscriberClient(options)
        t.after(() => subscriber.close())
        const [topic, subscription] = [`projects/p/topics/${name}`, `projects/p/subscriptions/${name}`]
        await publisher.createTopic({ name: topic })
        await subscriber.createSubscription({ name: subscription, topic, ackDeadlineSeconds: 10 })
        let n = 0
        const provoke = () => publisher.publish({ topic, messages: [{ data: Buffer.from(`message ${n++}`) }] })
        return {
          spec: { projectID: 'p', topic: name, subscriptionID: name },
          ready: saysFine,
          provoke,
          async takenByAnother() {
            await provoke()
            const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: 1 })
            const ackIds = receivedMessages!.map(({ ackId }) => ackId!)
            // Its time lapses; ten seconds are the least that a subscription gives.
            return async () =>
              void (await subscriber.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 1 }))
          },
        }
      },
    },
  ]
}
