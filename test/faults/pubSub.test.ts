/** Google's Pub/Sub fake, which keeps messages in memory: instead of a restart all connections break. See delivery.ts. */
import { v1 } from '@google-cloud/pubsub-api'
import { emulatorAt } from '../../src/sources/pubSub/client.ts'
import { without } from '../servers/cache.ts'
import { startProxy } from '../servers/proxy.ts'
import { pstestBinary, startPstest } from '../servers/pubsub.ts'
import { deliveryContract } from './delivery.ts'

deliveryContract({
  type: 'pubSub',
  guarantee: 'exactly-once',
  skip: without('the Pub/Sub fake', pstestBinary()),
  async start() {
    const server = await startPstest()
    const proxy = await startProxy(Number(server.host.split(':')[1]))
    process.env.PUBSUB_EMULATOR_HOST = `127.0.0.1:${proxy.port}`
    const publisher = new v1.PublisherClient({ ...(await emulatorAt(server.host)), projectId: 'p' })
    const topic = 'projects/p/topics/numbers'
    await publisher.createTopic({ name: topic })
    return {
      spec: 'projectID: p\ntopic: numbers\nsubscriptionID: vedette\njsonBody: true',
      async send(texts) {
        await publisher.publish({ topic, messages: texts.map((text) => ({ data: Buffer.from(text) })) })
      },
      async restart() {
        proxy.faults.refuse = true
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        proxy.faults.refuse = false
      },
      async close() {
        delete process.env.PUBSUB_EMULATOR_HOST
        await publisher.close()
        await proxy.close()
        await server.close()
      },
    }
  },
})
