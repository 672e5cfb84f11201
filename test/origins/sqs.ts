/** ElasticMQ for tests of delivery: in memory, so it is never restarted, only silent for a second. */

import { setTimeout as pause } from 'node:timers/promises'
import { without } from '../servers/cache.ts'
import { elasticmqJars, startElasticmq } from '../servers/elasticmq.ts'
import type { AwsServer } from '../servers/localstack.ts'
import { makeQueue } from '../servers/sqs-queue.ts'
import type { DeliveryAdapter } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'

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

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startElasticmq)
  const selector = { name: 's', key: 'k' }
  return [
    {
      skip: without('ElasticMQ', elasticmqJars()),
      contested: true,
      async setUp(t, name) {
        const { url } = await server()
        const queue = await makeQueue(url, name)
        t.after(() => queue.close())
        let n = 0
        const provoke = () => queue.send([String(n++)])
        return {
          spec: {
            ...{ region: 'r', queue: queue.name, endpoint: url, waitTimeSeconds: 1 },
            ...{ accessKey: selector, secretKey: selector },
          },
          options: () => ({ secrets: { 's/k': 'test' } }),
          ready: async () => {},
          provoke,
          async takenByAnother() {
            await provoke()
            let taken = await queue.receive()
            while (taken === null) taken = await queue.receive()
            return taken.leave
          },
        }
      },
    },
  ]
}
