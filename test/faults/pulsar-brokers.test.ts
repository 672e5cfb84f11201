/**
 * Pulsar with two brokers: topics that are found by way of other brokers, a proxy and the REST API; that move from one broker to the other
 * while three replicas run; and, with VEDETTE_FULL=1, whose broker is killed.
 */

import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import pulsar from '../../src/sources/pulsar.ts'
import { FULL } from '../full.ts'
import { serveInHarness, serving } from '../harness.ts'
import { manifest } from '../origins/broker.ts'
import { without } from '../servers/cache.ts'
import { startProxy } from '../servers/proxy.ts'
import { pulsarJars } from '../servers/pulsar.ts'
import { type PulsarCluster, startPulsarCluster } from '../servers/pulsar-cluster.ts'
import { startPulsarProxy } from '../servers/pulsar-proxy.ts'
import { chunksOf, type WireProducer, wireProducer } from '../servers/pulsar-wire.ts'
import { count, settledLog } from './delivery.ts'
import { nextLeader, startRig, waitFor } from './rig.ts'

const skip = without('Pulsar', pulsarJars())

let started: Promise<PulsarCluster> | null = null
const cluster = (): Promise<PulsarCluster> => {
  started ??= startPulsarCluster()
  return started
}
after(async () => (await started)?.close())

const full = (topic: string) => `persistent://public/default/${topic}`
const entryOf = (text: string, sequenceId: number) => ({
  metadata: { sequenceId, publishTime: Date.now() },
  payload: Buffer.from(text),
})

/** Reads topics from there, each of which gets a message. @returns their brokers, in the order of the topics */
async function readsAll(t: TestContext, url: string, topics: string[]): Promise<string[]> {
  const { ownerOf } = await cluster()
  const harness = serveInHarness(pulsar, { url, topics, type: 'exclusive' })
  t.after(() => harness.stop())
  await harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)
  const owners: string[] = []
  for (const topic of topics) {
    const { url: owner } = await ownerOf(topic)
    const producer = await wireProducer(owner, full(topic), `${topic}-producer`)
    t.after(() => producer.close())
    await producer.send(entryOf(topic, 1))
    owners.push(owner)
  }
  await harness.until(({ emitted }) => emitted.length === topics.length, 20_000)
  return owners
}

test('topics of both brokers are found wherever it asks: redirected, by HTTP too', { skip }, async (t) => {
  const { brokers } = await cluster()
  const [first, second] = brokers
  for (const [i, url] of [first.url, second.url, first.webUrl, `${second.webUrl},127.0.0.1:1`].entries()) {
    const topics = Array.from({ length: 8 }, (_, n) => `found-${i}-${n}`)
    const owners = await readsAll(t, url, topics)
    assert.equal(new Set(owners).size, 2, 'one broker has all topics')
  }
})

test('what a standby has kept finds the brokers that it had not reached', { skip }, async (t) => {
  const { brokers, ownerOf } = await cluster()
  for (const [i, url] of [brokers[0].url, brokers[0].webUrl].entries()) {
    const topics = Array.from({ length: 8 }, (_, n) => `kept-${i}-${n}`)
    const [first] = topics as [string]
    const spec = { url, topics, type: 'exclusive' }
    const prepared = serveInHarness(pulsar, { ...spec, topics: [first] }, { prepareOnly: true })
    await prepared.until(({ conditions }) => conditions.at(-1) === null, 30_000)
    await prepared.stop()
    const warm = prepared.context.kept()
    assert.notEqual(warm, null)
    const takesOver = {
      ...serving(pulsar),
      serve: (ctx: typeof prepared.context) => serving(pulsar).serve({ ...ctx, kept: () => warm }),
    }
    const harness = serveInHarness(takesOver, spec)
    t.after(() => harness.stop())
    harness.onEnd((error) => assert.equal(error, undefined))
    await harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)
    const owners = await Promise.all(topics.map(ownerOf))
    assert.equal(new Set(owners).size, 2, 'one broker has all topics')
  }
})

test('the REST API goes away and comes back: events come all the time, and status says it', { skip }, async (t) => {
  const all = await cluster()
  const owner = await all.ownerOf('rest-away')
  const rest = await startProxy(Number(new URL(owner.webUrl).port))
  t.after(() => rest.close())
  // New partitions are looked for each minute; here at once.
  const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) }
  const spec = { url: `http://127.0.0.1:${rest.port}`, topics: ['rest-away'], type: 'exclusive' }
  const harness = serveInHarness(pulsar, spec, { clock })
  t.after(() => harness.stop())
  const fine = () => harness.until(({ conditions }) => conditions.at(-1) === null, 30_000)
  await fine()
  rest.faults.refuse = true
  rest.cut()
  await harness.until(({ conditions }) => /does not answer/.test(conditions.at(-1) ?? ''), 20_000)
  const producer = await wireProducer(owner.url, full('rest-away'), 'rest-away')
  t.after(() => producer.close())
  await producer.send(entryOf('while it is away', 1))
  await harness.until(({ emitted }) => emitted.length === 1, 20_000)
  rest.faults.refuse = false
  await fine()
})

test('through a proxy: each broker by a connection that names it', { skip }, async (t) => {
  const { brokers } = await cluster()
  const proxy = await startPulsarProxy(brokers[1].url)
  t.after(() => proxy.close())
  await readsAll(
    t,
    proxy.url,
    Array.from({ length: 8 }, (_, n) => `proxied-${n}`),
  )
  assert.deepEqual([...new Set(proxy.named)].sort(), brokers.map(({ url }) => new URL(url).host).sort())
})

/** Sends numbered messages without an end, every third in chunks, to whichever broker has the topic. */
function startSending(topic: string, { ownerOf }: PulsarCluster) {
  let sent = 0
  let ended = false
  const run = async () => {
    let producer: WireProducer | null = null
    while (!ended) {
      const text = JSON.stringify({ n: sent })
      // The number is the sequence id: what is sent again after a lost answer is there once.
      const entries = sent % 3 === 0 ? chunksOf(text, 3, sent, { uuid: `sender-${sent}` }) : [entryOf(text, sent)]
      try {
        producer ??= await wireProducer((await ownerOf(topic)).url, full(topic), 'sender')
        await producer.send(...entries)
        sent++
        await pause(5)
      } catch {
        producer?.close()
        producer = null
        await pause(50)
      }
    }
    producer?.close()
  }
  const done = run()
  return {
    further: (messages: number) => {
      const goal = sent + messages
      return waitFor(async () => sent >= goal, 120_000)
    },
    /** @returns how many there are */
    async end(): Promise<number> {
      ended = true
      await done
      return sent
    },
  }
}

for (const type of FULL ? ['exclusive', 'shared'] : ['exclusive']) {
  test(`a topic that moves between brokers, with three replicas (${type}): 0 lost, 0 doubled`, {
    skip,
  }, async (t) => {
    const all = await cluster()
    const [first, second] = all.brokers
    const topic = `moving-${type}`
    const url = `${first.url},${new URL(second.url).host}`
    const rig = await startRig(() =>
      manifest('pulsar', `url: ${url}\ntopics: [${topic}]\ntype: ${type}\njsonBody: true`, 3),
    )
    t.after(() => rig.close(t))
    const fine = () => waitFor(async () => (await rig.status()).eventSources[0]!.entries[0]!.error === null, 60_000, 50)
    await nextLeader(rig, 'queue', null)
    await fine()
    const sender = startSending(topic, all)
    t.after(() => sender.end())
    const rounds = FULL ? 10 : 3
    for (let i = 0; i < rounds; i++) {
      await sender.further(30)
      await all.move(topic, (await all.ownerOf(topic)) === first ? second : first)
      // Also in the middle of a move.
      if (i % 2 === 1) process.kill((await nextLeader(rig, 'queue', null)).pid, 'SIGKILL')
    }
    await sender.further(30)
    if (FULL) {
      if ((await all.ownerOf(topic)) === first) await all.move(topic, second)
      await sender.further(30)
      await second.server.kill()
      await sender.further(30)
      await second.start()
      await sender.further(30)
    }
    const sent = await sender.end()
    await fine()
    const lines = await settledLog(rig, sent)
    const { lost, doubled } = count(lines, sent)
    t.diagnostic(`${sent} messages: ${lost.length} lost, ${doubled} doubled`)
    assert.deepEqual({ lost, doubled }, { lost: [], doubled: 0 }, rig.log())
    assert.equal(await rig.stop(), 0)
  })
}
