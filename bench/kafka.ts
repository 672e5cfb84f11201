/** Onto a Kafka bus, by HTTP and from a queue, against sends and transactions that are awaited one at a time. */
import { Producer } from '@platformatic/kafka'
import { createProducer } from '../src/bus/kafka/producer.ts'
import { beginTransactions } from '../src/bus/kafka/transaction.ts'
import { connectKafka, type KafkaClient } from '../src/clients/kafka.ts'
import { systemClock } from '../src/core/clock.ts'
import { orders, ordersUrl } from '../test/faults/orders.ts'
import { startRig } from '../test/faults/rig.ts'
import { kafkaJars, startKafkaCluster } from '../test/servers/kafka.ts'
import { body, fire } from './fire.ts'
import { median, ms, percentile, perSecond, spread, table } from './measure.ts'
import { numbered, openNsq, openTopic } from './origins.ts'
import { drained } from './queues.ts'

export const kafkaBus = (brokers: string): string =>
  `apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: { name: default }\nspec: { kafka: { url: "${brokers}" } }\n---\n`

export interface KafkaOptions {
  seconds: number
  rounds: number
  /** That wait. */
  messages: number
  say: (line: string) => void
}

interface Ground {
  title: string
  nodes: number
  /** Of the way to the brokers, in each direction. */
  delayMs: number
}

const GROUNDS: Ground[] = [
  { title: 'One broker', nodes: 1, delayMs: 0 },
  { title: 'Three brokers, three copies of each topic', nodes: 3, delayMs: 0 },
  { title: 'One broker, 1 ms away in each direction', nodes: 1, delayMs: 1 },
]

/** @returns tables for docs/performance.md */
export async function kafkaRates(options: KafkaOptions): Promise<string> {
  if (kafkaJars() === null) return 'Kafka is not installed.'
  const parts: string[] = []
  for (const ground of GROUNDS) parts.push(`### ${ground.title}\n\n${await onGround(ground, options)}`)
  return parts.join('\n\n')
}

async function onGround({ title, nodes, delayMs }: Ground, options: KafkaOptions): Promise<string> {
  const cluster = await startKafkaCluster(nodes)
  for (const { proxy } of cluster) proxy.faults.delayMs = delayMs
  // The way through the proxies costs something, too: only who is far away takes it.
  const brokers = cluster.map(({ broker, proxy }) => (delayMs === 0 ? broker : `127.0.0.1:${proxy.port}`))
  const say = (line: string) => options.say(`kafka, ${title.toLowerCase()}: ${line}`)
  const client = await connectKafka({ brokers, clientId: 'bench' })
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: brokers })
  try {
    await client.admin.createTopics({ topics: ['single'], partitions: 1, replicas: nodes })
    const awaited = () => awaitedSends(producer, options.seconds)
    const webhooks = await webhookRates(kafkaBus(brokers.join()), awaited, { ...options, say })
    return `${webhooks}\n\n${await queueRates(brokers, client, awaited, { ...options, say })}`
  } finally {
    await Promise.allSettled([producer.close(), client.close()])
    await Promise.all(cluster.map((node) => node.close()))
  }
}

type Awaited = () => Promise<number>

/** The product and the sender that awaits take turns. */
async function webhookRates(
  bus: string,
  awaited: Awaited,
  { seconds, rounds, say }: Omit<KafkaOptions, 'messages'>,
): Promise<string> {
  const rig = await startRig((ports) => `${bus}${orders(1)(ports)}`)
  try {
    const load = (connections: number) => fire(ordersUrl(rig), { body, connections, seconds })
    await load(32)
    const rows: string[][] = []
    for (const connections of [32, 256]) {
      const rates: [vedette: number, single: number][] = []
      const latencies: number[] = []
      for (let round = 0; round < rounds; round++) {
        const single = await awaited()
        const fired = await load(connections)
        if (fired.others > 0) throw new Error(`${fired.others} requests were not answered 200`)
        latencies.push(...fired.latencies)
        rates.push([fired.rate, single])
        say(`${connections} connections: vedette ${perSecond(fired.rate)}/s, awaited ${perSecond(single)}/s`)
      }
      const ratios = rates.map(([vedette, single]) => vedette / single)
      const [vedette, single] = [0, 1].map((i) => perSecond(median(rates.map((pair) => pair[i]!)))) as [string, string]
      const ratio = `**${median(ratios).toFixed(1)}×** (${spread(ratios)})`
      rows.push([String(connections), vedette, single, ratio, ms(percentile(latencies, 0.99))])
    }
    return table(['connections', 'acknowledged/s', 'awaited sends/s', 'ratio', 'p99 ms'], rows)
  } finally {
    await rig.close()
  }
}

/** By an active-passive entry: in transactions, and no HTTP. */
async function queueRates(
  brokers: string[],
  client: KafkaClient,
  awaited: Awaited,
  { seconds, messages, say }: Omit<KafkaOptions, 'rounds'>,
): Promise<string> {
  const bodies = numbered(messages)
  const rows: string[][] = []
  for (const type of ['kafka', 'nsq'] as const) {
    const origin = await (type === 'nsq' ? openNsq() : openTopic(brokers))
    try {
      await origin.send(bodies)
      const sends = await awaited()
      const transactions = await awaitedTransactions(client, seconds, type === 'kafka')
      const { rate } = await drained({ type, spec: origin.spec, messages, bus: kafkaBus(brokers.join()) })
      const over = (single: number) => `**${(rate / single).toFixed(1)}×**`
      say(
        `from ${type} ${perSecond(rate)}/s, awaited ${perSecond(sends)}/s, in transactions ${perSecond(transactions)}/s`,
      )
      rows.push([type, perSecond(rate), perSecond(sends), over(sends), perSecond(transactions), over(transactions)])
    } finally {
      await origin.close()
    }
  }
  const head = ['messages wait in', 'published/s', 'awaited sends/s', 'ratio', 'awaited transactions/s', 'ratio']
  return table(head, rows)
}

/** Messages per second when each waits for the acknowledgement (acks=all) of the one before. */
async function awaitedSends(producer: Producer, seconds: number): Promise<number> {
  const value = Buffer.from(body)
  return await perSecondOf(seconds, async () => {
    await producer.send({ messages: [{ topic: 'single', partition: 0, value }], acks: -1 })
  })
}

/** The same, each in a transaction of its own. @param offsets with those of a group in it */
async function awaitedTransactions(client: KafkaClient, seconds: number, offsets: boolean): Promise<number> {
  const { leaders } = await client.topic('single')
  const producer = await createProducer(
    client,
    () => leaders[0]!,
    async () => {},
    systemClock,
  )
  const transactions = await beginTransactions(producer, 'single')
  const [key, value] = [Buffer.from('single'), Buffer.from(body)]
  let done = 0
  return await perSecondOf(seconds, async () => {
    const consumed = offsets ? [{ group: 'single', topic: 'single', offsets: { 0: ++done } }] : []
    await transactions.write([{ topic: 'single', partition: 0, key, value, headers: new Map() }], consumed)
  })
}

async function perSecondOf(seconds: number, one: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  let done = 0
  for (; performance.now() - startedMs < seconds * 1000; done++) await one()
  return (done * 1000) / (performance.now() - startedMs)
}
