/**
 * The answer of a broker to one single step of the Kafka source is lost, or its connection falls silent there: messages come all the same, each once,
 * and the group has what the bus has. Nobody joins a group, so there is nothing to lose there.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Producer } from '@platformatic/kafka'
import { type Harness, serveInHarness } from '../../../test/harness.ts'
import { without } from '../../../test/servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../../../test/servers/kafka.ts'
import { type Api, type Fault, shown, spoil } from '../../../test/servers/kafka-answers.ts'
import { connectKafka } from '../../clients/kafka.ts'
import kafka from '../kafka.ts'
import type { KafkaPosition } from './position.ts'

/** Within which a message arrives and is committed, whatever answer is missing. */
const LIMIT_MS = 20_000
const PARTITIONS = [0, 1]

suite('answers of Kafka that do not come to the source', {
  skip: without('Kafka', kafkaJars()),
  concurrency: 4,
}, () => {
  let started: Promise<KafkaServer> | null = null
  const broker = () => {
    started ??= startKafka({ answers: true })
    return started
  }
  after(async () => await (await started)?.close())

  const row = (api: Api, fault: Fault, from: 'the start' | 'then') => {
    test(`${api}: ${shown(fault)}, from ${from} on`, { timeout: 240_000 }, async (t) => {
      const { broker: direct, proxy, answers } = await broker()
      const name = `s-${randomBytes(4).toString('hex')}`
      const client = await connectKafka({ brokers: [direct], clientId: 'test' })
      const producer = new Producer({
        ...{ clientId: 'test', bootstrapBrokers: [direct], retries: 20, retryDelay: 100 },
        // What it repeats is there once.
        idempotent: true,
      })
      t.after(() => Promise.allSettled([producer.close(), client.close()]))
      await client.ask((admin) => admin.createTopics({ topics: [name], partitions: PARTITIONS.length, replicas: 1 }))
      const committed = () => client.committed(name, name, PARTITIONS).catch(() => ({}))
      await waitFor(async () => (await client.committed(name, name, [0]).catch(() => null)) !== null, 60_000)
      let sent = 0
      const send = async () => {
        const messages = PARTITIONS.map((partition) => ({ topic: name, partition, value: Buffer.from(`${sent}`) }))
        await producer.send({ acks: -1, messages })
        sent++
      }
      let count = from === 'the start' ? spoil(answers!, name, api, fault) : () => 0
      const source = served({
        ...{ url: `127.0.0.1:${proxy.port}`, topic: name, jsonBody: true, config: `clientid: ${name}` },
        consumerGroup: { groupName: name, oldest: true },
      })
      t.after(() => source.end())
      await send()
      await waitFor(() => source.texts().length === 2, LIMIT_MS, source.shown)
      if (from === 'then') count = spoil(answers!, name, api, fault)
      for (let i = 0; i < 5; i++) await send()
      await waitFor(() => source.texts().length === 2 * sent, LIMIT_MS, source.shown)
      await waitFor(async () => isDeepStrictEqual(await committed(), { 0: sent, 1: sent }), LIMIT_MS, source.shown)
      assert.ok(count() > 0, 'nothing was asked of it')
      await send()
      await waitFor(() => source.texts().length === 2 * sent, LIMIT_MS, source.shown)
      const each = Array.from({ length: sent }, (_, i) => i)
      for (const one of PARTITIONS)
        assert.deepEqual(
          source.texts().flatMap(({ partition, body }) => (partition === one ? [body] : [])),
          each,
        )
      t.diagnostic(`${source.begun()} beginnings`)
    })
  }

  for (const fault of ['lost once', 'silent from there on'] as const) {
    for (const api of ['Metadata', 'ApiVersions', 'FindCoordinator', 'OffsetFetch', 'ListOffsets'] as const)
      row(api, fault, 'the start')
    for (const api of ['Metadata', 'Fetch', 'OffsetCommit'] as const) row(api, fault, 'then')
  }
})

/** Served as the runtime does it: begun again from the last position when it ends. */
function served(spec: object) {
  const texts: { partition: number; body: number }[] = []
  const ends: string[] = []
  let [begun, over] = [0, false]
  let harness: Harness<KafkaPosition>
  const begin = (resume: KafkaPosition | null) => {
    begun++
    const one = serveInHarness(kafka, spec, { resume })
    harness = one
    one.onEnd((error) => {
      if (over) return
      ends.push(String(error))
      texts.push(...one.emitted.map(({ text }) => JSON.parse(text)))
      const reached = [resume, one.advanced.at(-1), one.emitted.at(-1)?.position]
      const last = reached.reduce((a, b) => (total(b) > total(a) ? b : a)) ?? null
      one.emitted.length = 0
      setTimeout(() => begin(last), 100)
    })
  }
  begin(null)
  return {
    begun: () => begun,
    /** For whoever wants to know why it failed. */
    shown: () =>
      JSON.stringify({
        begun,
        ends,
        conditions: harness.conditions,
        texts: texts.length,
        emitted: harness.emitted.length,
      }),
    texts: () => [...texts, ...harness.emitted.map(({ text }) => JSON.parse(text) as (typeof texts)[number])],
    async end() {
      over = true
      await harness.stop()
    },
  }
}

const total = (position: KafkaPosition | null | undefined): number =>
  position == null ? -1 : Object.values(position.offsets).reduce((sum, offset) => sum + offset, 0)

async function waitFor(condition: () => boolean | Promise<boolean>, limitMs: number, shown = () => ''): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `not within ${limitMs} ms; ${shown()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
