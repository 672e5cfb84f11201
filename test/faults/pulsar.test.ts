/** Pulsar: see delivery.ts. */
import { after } from 'node:test'
import { without } from '../servers/cache.ts'
import { type PulsarProducer, type PulsarServer, pulsarJars, startPulsar } from '../servers/pulsar.ts'
import { deliveryContract } from './delivery.ts'

let server: Promise<PulsarServer> | null = null
/** One for all tests of this file: it takes seconds to start. */
const pulsar = (): Promise<PulsarServer> => {
  server ??= startPulsar()
  return server
}
after(async () => (await server)?.close())

for (const variant of ['exclusive', 'shared']) {
  deliveryContract({
    type: 'pulsar',
    variant,
    guarantee: 'exactly-once',
    otherwise: variant === 'shared',
    skip: without('Pulsar', pulsarJars()),
    async start(_, topic) {
      const { url, producer, restart } = await pulsar()
      let open: PulsarProducer | null = null
      return {
        spec: `url: ${url}\ntopics: [${topic}]\ntype: ${variant}\njsonBody: true`,
        async send(texts) {
          // The number is the sequence id: what is sent again after a lost answer is there once.
          open ??= await producer(
            topic,
            `producerName=${topic}&batchingEnabled=false&initialSequenceId=${JSON.parse(texts[0]!).n - 1}`,
          )
          try {
            await open.send(texts)
          } catch (error) {
            open = null
            throw error
          }
        },
        restart,
        async close() {
          open?.close()
        },
      }
    },
  })
}
