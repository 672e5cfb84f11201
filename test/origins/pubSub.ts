/** Google's Pub/Sub fake for tests of delivery. It keeps messages in memory: instead of a restart all connections break. */
import { v1 } from '@google-cloud/pubsub-api'
import { emulatorAt } from '../../src/sources/pubSub/client.ts'
import { without } from '../servers/cache.ts'
import { startProxy } from '../servers/proxy.ts'
import { pstestBinary, startPstest } from '../servers/pubsub.ts'
import { type DeliveryAdapter, direct } from './broker.ts'

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
