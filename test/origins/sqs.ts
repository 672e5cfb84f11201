/** ElasticMQ for tests of delivery: in memory, so it is never restarted, only silent for a second. */
import { setTimeout as pause } from 'node:timers/promises'
import { without } from '../servers/cache.ts'
import { elasticmqJars } from '../servers/elasticmq.ts'
import type { AwsServer } from '../servers/localstack.ts'
import { makeQueue } from '../servers/sqs-queue.ts'
import type { DeliveryAdapter } from './broker.ts'

export const sqsAdapter = (server: () => Promise<AwsServer>): DeliveryAdapter => ({
  type: 'sqs',
  guarantee: 'exactly-once',
  skip: without('ElasticMQ', elasticmqJars()),
  async start(_, name) {
    const elasticmq = await server()
    const queue = await makeQueue(elasticmq.url, name)
    return {
      documents: ['apiVersion: v1\nkind: Secret\nmetadata: { name: aws }\nstringData: { id: test, key: test }'],
      spec: `region: us-east-1
queue: ${name}
endpoint: ${elasticmq.url}
accessKey: { name: aws, key: id }
secretKey: { name: aws, key: key }
jsonBody: true
waitTimeSeconds: 1`,
      send: (texts) => queue.sendTexts(texts),
      async restart() {
        elasticmq.freeze()
        await pause(1_000)
        elasticmq.thaw()
      },
      server: () => elasticmq,
      close: async () => queue.close(),
    }
  },
})
