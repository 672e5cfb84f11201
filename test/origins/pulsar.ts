/** Pulsar for tests of delivery. */

import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { type PulsarProducer, type PulsarServer, pulsarJars, startPulsar } from '../servers/pulsar.ts'
import { chunksOf, type WireEntry, type WireProducer, wireProducer } from '../servers/pulsar-wire.ts'
import type { DeliveryAdapter } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { saysFine } from './suites.ts'

const specOf = (url: string, topic: string, type: string) =>
  `url: ${url}\ntopics: [${topic}]\ntype: ${type}\njsonBody: true`
const numberIn = (text: string): number => JSON.parse(text).n
const skip = () => without('Pulsar', pulsarJars())

type Kind = 'exclusive' | 'shared'

export const pulsarAdapter = (server: () => Promise<PulsarServer>, variant: Kind): DeliveryAdapter => ({
  ...{ type: 'pulsar', variant, guarantee: 'exactly-once', skip: skip() },
  async start(_, topic) {
    const pulsar = await server()
    let open: PulsarProducer | null = null
    return {
      spec: specOf(pulsar.url, topic, variant),
      async send(texts) {
        // The number is the sequence id: what is sent again after a lost answer is there once.
        open ??= await pulsar.producer(
          topic,
          `producerName=${topic}&batchingEnabled=false&initialSequenceId=${numberIn(texts[0]!) - 1}`,
        )
        try {
          await open.send(texts)
        } catch (error) {
          open = null
          throw error
        }
      },
      restart: pulsar.restart,
      server: () => pulsar.server,
      async close() {
        open?.close()
      },
    }
  },
})

export const pulsarChunksAdapter = (server: () => Promise<PulsarServer>, variant: Kind): DeliveryAdapter => ({
  ...{ type: 'pulsar', variant: `${variant}, in chunks`, guarantee: 'exactly-once', skip: skip() },
  async start(_, topic) {
    const pulsar = await server()
    const { url } = pulsar
    // Two producers, so that their chunks lie among each other.
    const open: (WireProducer | null)[] = [null, null]
    // As Pulsar's clients do, what is sent again is what was sent.
    const made = new Map<number, WireEntry[]>()
    const chunks = (text: string): WireEntry[] => {
      const n = numberIn(text)
      const entries = made.get(n) ?? chunksOf(text, 3, n, { uuid: `${topic}-${n}` })
      made.set(n, entries)
      return entries
    }
    return {
      spec: specOf(url, topic, variant),
      async send(texts) {
        await Promise.all(
          open.map(async (_, i) => {
            const own = texts.filter((text) => numberIn(text) % open.length === i).map(chunks)
            open[i] ??= await wireProducer(url, `persistent://public/default/${topic}`, `${topic}-${i}`)
            try {
              await open[i].send(...[0, 1, 2].flatMap((chunk) => own.map((entries) => entries[chunk]!)))
            } catch (error) {
              open[i] = null
              throw error
            }
          }),
        )
      },
      restart: pulsar.restart,
      server: () => pulsar.server,
      async close() {
        for (const one of open) one?.close()
      },
    }
  },
})

export const delivery = (share: Share, full = FULL): DeliveryAdapter[] => {
  const server = share(startPulsar)
  return (['exclusive', 'shared'] as const).flatMap((variant) => [
    pulsarAdapter(server, variant),
    ...(variant === 'exclusive' || full ? [pulsarChunksAdapter(server, variant)] : []),
  ])
}

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(startPulsar)
  return [
    {
      skip: skip(),
      async setUp(t, name) {
        const { url, producer } = await server()
        const open = await producer(name)
        t.after(() => open.close())
        let n = 0
        return {
          spec: { url, topics: [name], type: 'exclusive' },
          ready: saysFine,
          provoke: () => open.send([`message ${n++}`]),
        }
      },
    },
  ]
}
