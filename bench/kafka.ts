/** Webhooks onto a Kafka bus, against sends that are awaited one at a time. */
import { Producer } from '@platformatic/kafka'
import { connectKafka } from '../src/clients/kafka.ts'
import { orders, ordersUrl } from '../test/faults/orders.ts'
import { startRig } from '../test/faults/rig.ts'
import { kafkaJars, startKafka } from '../test/servers/kafka.ts'
import { body, fire } from './fire.ts'
import { median, ms, percentile, perSecond, table } from './measure.ts'
import { drained, fillNsq, numbered } from './queues.ts'

export const kafkaBus = (broker: string): string =>
  `apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: { name: default }\nspec: { kafka: { url: "${broker}" } }\n---\n`

/** Both take turns on the same broker. @returns a table for docs/performance.md */
export async function kafkaRates({
  seconds,
  rounds,
  messages,
  say,
}: {
  seconds: number
  rounds: number
  /** That wait in NSQ. */
  messages: number
  say: (line: string) => void
}): Promise<string> {
  if (kafkaJars() === null) return 'Kafka is not installed.'
  const server = await startKafka()
  const client = await connectKafka({ brokers: [server.broker], clientId: 'bench' })
  await client.admin.createTopics({ topics: ['single'], partitions: 1, replicas: 1 })
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [server.broker] })
  const rig = await startRig((ports) => `${kafkaBus(server.broker)}${orders(1)(ports)}`)
  /** By an active-passive entry: transactions, and no HTTP. */
  const queued = async (): Promise<string> => {
    const single = await awaited(producer, seconds)
    const queue = await fillNsq(numbered(messages))
    try {
      const { rate } = await drained({ type: 'nsq', spec: queue.spec, messages, bus: kafkaBus(server.broker) })
      const ratio = `${(rate / single).toFixed(1)}×`
      say(`kafka, from NSQ: ${perSecond(rate)}/s, ${ratio} of ${perSecond(single)}/s awaited`)
      return table(
        ['messages that wait in NSQ', 'published/s', 'awaited sends/s', 'ratio'],
        [[messages.toLocaleString('en'), perSecond(rate), perSecond(single), ratio]],
      )
    } finally {
      await queue.close()
    }
  }
  try {
    const load = (connections: number) => fire(ordersUrl(rig), { body, connections, seconds })
    await load(32)
    const rows: string[][] = []
    for (const connections of [32, 256]) {
      const rates: [vedette: number, single: number][] = []
      const latencies: number[] = []
      for (let round = 0; round < rounds; round++) {
        const single = await awaited(producer, seconds)
        const fired = await load(connections)
        if (fired.others > 0) throw new Error(`${fired.others} requests were not answered 200`)
        latencies.push(...fired.latencies)
        rates.push([fired.rate, single])
        say(`kafka, ${connections} connections: vedette ${perSecond(fired.rate)}/s, awaited ${perSecond(single)}/s`)
      }
      const ratio = median(rates.map(([vedette, single]) => vedette / single))
      const [vedette, single] = [0, 1].map((i) => perSecond(median(rates.map((pair) => pair[i]!)))) as [string, string]
      rows.push([String(connections), vedette, single, `${ratio.toFixed(1)}×`, ms(percentile(latencies, 0.99))])
    }
    const webhooks = table(['connections', 'acknowledged/s', 'awaited sends/s', 'ratio', 'p99 ms'], rows)
    return `${webhooks}\n\n${await queued()}`
  } finally {
    await rig.close()
    await Promise.allSettled([producer.close(), client.close()])
    await server.close()
  }
}

/** Messages per second when each waits for the acknowledgement (acks=all) of the one before. */
async function awaited(producer: Producer, seconds: number): Promise<number> {
  const value = Buffer.from(body)
  const startedMs = performance.now()
  let sent = 0
  while (performance.now() - startedMs < seconds * 1000) {
    await producer.send({ messages: [{ topic: 'single', partition: 0, value }], acks: -1 })
    sent++
  }
  return (sent * 1000) / (performance.now() - startedMs)
}
