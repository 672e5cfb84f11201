import { after, test } from 'node:test'
import sqs from '../../src/sources/sqs.ts'
import { without } from '../servers/cache.ts'
import { elasticmqJars, startElasticmq } from '../servers/elasticmq.ts'
import { makeQueue } from '../servers/sqs-queue.ts'
import { sourceContract } from './source.ts'

const skip = without('ElasticMQ', elasticmqJars())
if (skip !== false) test('sqs keeps the contract of sources', { skip }, () => {})
else {
  const started = startElasticmq()
  after(async () => (await started).close())
  let queues = 0
  sourceContract(sqs, async (t) => {
    const { url } = await started
    const queue = await makeQueue(url, `q${queues++}`)
    t.after(() => queue.close())
    const selector = { name: 's', key: 'k' }
    let sent = 0
    return {
      spec: {
        region: 'r',
        queue: queue.name,
        endpoint: url,
        waitTimeSeconds: 1,
        accessKey: selector,
        secretKey: selector,
      },
      options: () => ({ secrets: { 's/k': 'test' } }),
      ready: async () => {},
      provoke: () => queue.send([String(sent++)]),
    }
  })
}
