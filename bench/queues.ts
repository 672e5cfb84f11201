/** Messages that wait in a broker, onto the embedded bus: how many a second, at what price. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Producer } from '@platformatic/kafka'
import { connect } from 'amqplib'
import { connectKafka } from '../src/clients/kafka.ts'
import { randomId } from '../src/core/event.ts'
import { nextLeader, startRig, waitFor } from '../test/faults/rig.ts'
import { kafkaJars, startKafka } from '../test/servers/kafka.ts'
import { nsqdBinary, startNsq } from '../test/servers/nsq.ts'
import { pulsarJars, startPulsar } from '../test/servers/pulsar.ts'
import { rabbitmqBinary, startRabbitmq } from '../test/servers/rabbitmq.ts'
import { withBus } from './bus.ts'
import { perSecond, table } from './measure.ts'
import { cpuMs, residentMb } from './process.ts'

/** A broker that holds messages for the entry with these fields. */
export interface Filled {
  spec: string
  close(): Promise<void>
}

interface Queue {
  type: string
  present: boolean
  fill(bodies: string[]): Promise<Filled>
}

const queues: Queue[] = [
  { type: 'kafka', present: kafkaJars() !== null, fill: fillKafka },
  { type: 'amqp', present: rabbitmqBinary() !== null, fill: fillAmqp },
  { type: 'nsq', present: nsqdBinary() !== null, fill: fillNsq },
  { type: 'pulsar', present: pulsarJars() !== null, fill: fillPulsar },
]

/** @returns a table for docs/performance.md */
export async function queueRates({
  messages,
  say,
}: {
  messages: number
  say: (line: string) => void
}): Promise<string> {
  const bodies = numbered(messages)
  const rows: (string | number)[][] = []
  for (const { type, present, fill } of queues) {
    if (!present) continue
    const single = await oneAtATime(bodies.slice(0, Math.max(500, messages / 25)))
    const broker = await fill(bodies)
    try {
      const { rate, cpuUs, startMb, mostMb } = await drained({ type, spec: broker.spec, messages })
      const ratio = `${(rate / single).toFixed(1)}×`
      say(`${type}: ${perSecond(rate)}/s, ${ratio} of ${perSecond(single)}/s awaited one at a time`)
      rows.push([
        type,
        perSecond(single),
        perSecond(rate),
        ratio,
        cpuUs.toFixed(0),
        startMb.toFixed(0),
        mostMb.toFixed(0),
      ])
    } finally {
      await broker.close()
    }
  }
  return table(
    ['type', 'awaited one at a time/s', 'messages/s', 'ratio', 'CPU µs/event', 'resident MB before', 'at most'],
    rows,
  )
}

/** Bodies of about 200 bytes. */
export const numbered = (messages: number): string[] =>
  Array.from({ length: messages }, (_, n) => JSON.stringify({ n, text: 'x'.repeat(180) }))

/** The same bytes appended to the same kind of bus, each awaited, with no broker to ask: faster than any source of that design. */
async function oneAtATime(bodies: string[]): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-bench-'))
  try {
    return await withBus(dir, async (bus) => {
      const startedMs = performance.now()
      for (const body of bodies) {
        const [outcome] = await bus.append({ namespace: 'bench', name: 'queue' }, [
          { entry: 'e', id: randomId(), event: Buffer.from(body) },
        ])
        if (outcome?.outcome !== 'stored') throw new Error(JSON.stringify(outcome))
      }
      return (bodies.length * 1000) / (performance.now() - startedMs)
    })
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** One replica, told of the entry when it is up: so its start does not count. @param bus documents of an EventBus, when it is not the embedded one */
export async function drained({
  type,
  spec,
  messages,
  bus = '',
}: {
  type: string
  spec: string
  messages: number
  bus?: string
}) {
  const head = `${bus}apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: { name: ${type} }\nspec:\n  replicas: 1\n`
  const idle = `${head}  calendar: { idle: { interval: 24h } }\n`
  const rig = await startRig(() => idle)
  try {
    const { pid } = await nextLeader(rig, type, null)
    const [cpu, startMb] = [cpuMs(pid), residentMb(pid)]
    let mostMb = startMb
    rig.write(`${idle}  ${type}:\n    numbers:\n${spec.trim().replace(/^/gm, '      ')}\n`)
    await waitFor(
      async () => {
        mostMb = Math.max(mostMb, residentMb(pid))
        const [source] = (await rig.status()).eventSources
        return (source?.entries.find(({ name }) => name === 'numbers')?.published ?? 0) >= messages
      },
      600_000,
      100,
    )
    const usedMs = cpuMs(pid) - cpu
    const times = (await rig.lines())
      .filter(({ subject }) => subject === `default.${type}.numbers`)
      .map(({ time }) => Date.parse(time))
    if (times.length !== messages) throw new Error(`${times.length} of ${messages} messages are on the log`)
    const rate = (messages * 1000) / (times.at(-1)! - times[0]!)
    return { rate, cpuUs: (usedMs * 1000) / messages, startMb, mostMb }
  } finally {
    await rig.stop()
    await rig.close()
  }
}

async function fillKafka(bodies: string[]): Promise<Filled> {
  const server = await startKafka()
  return { ...(await fillTopic([server.broker], bodies)), close: () => server.close() }
}

/** Into a topic of its own with one partition. */
export async function fillTopic(brokers: string[], bodies: string[]): Promise<Pick<Filled, 'spec'>> {
  const topic = `numbers-${randomId()}`
  const client = await connectKafka({ brokers, clientId: 'bench' })
  await client.admin.createTopics({ topics: [topic], partitions: 1, replicas: -1 })
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: brokers })
  for (let i = 0; i < bodies.length; i += 500) {
    const messages = bodies.slice(i, i + 500).map((text) => ({ topic, partition: 0, value: Buffer.from(text) }))
    await producer.send({ messages, acks: -1 })
  }
  await Promise.allSettled([producer.close(), client.close()])
  const group = `{ groupName: ${topic}, oldest: true }`
  return { spec: `url: "${brokers}"\ntopic: ${topic}\njsonBody: true\nconsumerGroup: ${group}` }
}

async function fillAmqp(bodies: string[]): Promise<Filled> {
  const server = await startRabbitmq()
  const model = await connect(server.url)
  const channel = await model.createConfirmChannel()
  await channel.assertExchange('numbers', 'direct', { durable: true, autoDelete: false })
  await channel.assertQueue('numbers', { durable: true })
  await channel.bindQueue('numbers', 'numbers', 'number')
  for (const [i, text] of bodies.entries()) {
    channel.publish('numbers', 'number', Buffer.from(text), { persistent: true, messageId: `m-${i}` })
    if (i % 500 === 499) await channel.waitForConfirms()
  }
  await channel.waitForConfirms()
  await model.close()
  const spec = `url: amqp://guest:guest@127.0.0.1:${server.port}
exchangeName: numbers
exchangeType: direct
routingKey: number
jsonBody: true
exchangeDeclare: { durable: true, autoDelete: false }
queueDeclare: { name: numbers, durable: true }`
  return { spec, close: () => server.close() }
}

export async function fillNsq(bodies: string[]): Promise<Filled> {
  const server = await startNsq()
  const post = async (path: string, body = '') => {
    const answer = await fetch(`${server.http}/${path}`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`nsqd answers ${answer.status}`)
  }
  await post('topic/create?topic=numbers')
  await post('channel/create?topic=numbers&channel=bench')
  for (let i = 0; i < bodies.length; i += 1_000) await post('mpub?topic=numbers', bodies.slice(i, i + 1_000).join('\n'))
  const spec = `hostAddress: ${server.lookupd}\ntopic: numbers\nchannel: bench\njsonBody: true`
  return { spec, close: () => server.close() }
}

async function fillPulsar(bodies: string[]): Promise<Filled> {
  const server = await startPulsar()
  // The subscription has the entry's name.
  await server.admin('PUT', 'persistent/public/default/numbers')
  await server.admin('PUT', 'persistent/public/default/numbers/subscription/numbers')
  const producer = await server.producer('numbers', 'batchingEnabled=true&batchingMaxMessages=500')
  for (let i = 0; i < bodies.length; i += 500) await producer.send(bodies.slice(i, i + 500))
  producer.close()
  return {
    spec: `url: ${server.url}\ntopics: [numbers]\ntype: exclusive\njsonBody: true`,
    close: () => server.close(),
  }
}
