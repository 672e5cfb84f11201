/**
 * The answer of a broker to one single step is lost, or a whole connection falls silent there, or the step is refused for a while as one that may be
 * repeated: somebody leads again soon, and nothing is lost or there twice. Each step of the protocol is a row, so a step without a limit is found.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, suite, test } from 'node:test'
import type { Bus, Fenced } from '../../src/bus/bus.ts'
import { openKafka } from '../../src/bus/kafka/bus.ts'
import { partitionerOf } from '../../src/bus/kafka/partitioner.ts'
import { memoryBusWorld } from '../../src/bus/memory.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createElector, type Lead } from '../../src/ha/elector.ts'
import { memoryLock } from '../../src/ha/locks/memory.ts'
import type { Consumed } from '../../src/source.ts'
import { without } from '../servers/cache.ts'
import { type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { type Api, type Fault, shown, spoil } from '../servers/kafka-answers.ts'
import { event, readAll, until } from './bus.ts'

/** So long a claim may stand, whatever answer is missing. */
const CLAIM_LIMIT_MS = 20_000
/** As if the library forgot what it asked, which it does now and then: its own limit is far away. */
const FORGOTTEN_MS = 300_000
const LOADING = 14
const NOT_COORDINATOR = 16
const CONCURRENT_TRANSACTIONS = 51
const NOT_LEADER = 6

const source = { namespace: 'default', name: 'orders' }
/** Asked only where what a consumer group has read is committed with the events. */
const OF_GROUPS: Api[] = ['AddOffsetsToTxn', 'TxnOffsetCommit']

suite('answers of Kafka that do not come', { skip: without('Kafka', kafkaJars()), concurrency: 4 }, () => {
  let started: Promise<KafkaServer> | null = null
  const kafka = () => {
    started ??= startKafka({ answers: true }).then(async (server) => {
      // The first transaction of a cluster makes a topic of its own, which takes seconds.
      const client = await connectKafka({ brokers: [server.broker], clientId: 'first' })
      const found = () => client.ask((admin) => admin.findCoordinator({ keyType: 1, keys: ['first'] }))
      await until('there are coordinators', () => found().then(Boolean, () => false), 60_000)
      await client.close()
      return server
    })
    return started
  }
  after(async () => await (await started)?.close())

  const row = (api: Api, fault: Fault, from: 'the start' | 'a claim anew') => {
    test(`${api}: ${shown(fault)}, from ${from} on`, { timeout: 240_000 }, async (t) => {
      const { proxy, answers } = await kafka()
      const clientId = `c-${randomBytes(4).toString('hex')}`
      const bus = openKafka({
        connect: () => connectKafka({ brokers: [`127.0.0.1:${proxy.port}`], clientId, requestTimeoutMs: FORGOTTEN_MS }),
        topic: `t-${clientId}`,
        partitioner: partitionerOf('random'),
        ...{ transport: 'plain', clock: systemClock, log: silentLogger },
      })
      t.after(() => bus.close())
      let count = from === 'the start' ? spoil(answers!, clientId, api, fault) : () => 0
      const group = OF_GROUPS.includes(api) ? `g-${clientId}` : null
      const consumed = (offset: number): Consumed | undefined =>
        group === null ? undefined : { group, topic: `t-${clientId}`, offsets: { 0: offset } }
      const leader = lead(bus, consumed)
      t.after(() => leader.end())
      await until('the first events', () => leader.stored() >= 3, 60_000)
      if (from !== 'the start') {
        const [stored, term] = [leader.stored(), leader.term()]
        leader.claimAnew(() => {
          count = spoil(answers!, clientId, api, fault)
        })
        await until('a new term', () => leader.term() > term && leader.stored() >= stored + 3, 60_000)
      }
      const before = leader.stored()
      await until('events go on', () => leader.stored() >= before + 3, 60_000)
      const { terms, longestMs } = leader
      assert.ok(longestMs() < CLAIM_LIMIT_MS, `a claim stood for ${(longestMs() / 1000).toFixed(1)} s`)
      assert.ok(count() > 0, 'nothing was asked of it')
      await leader.end()
      const ids = (await readAll(bus, { entry: 'e' })).map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.map((_, i) => String(i)),
        'lost, or twice',
      )
      assert.ok(ids.length >= leader.stored())
      t.diagnostic(`${count()} answers; ${terms()} terms, longest claim ${(longestMs() / 1000).toFixed(1)} s`)
    })
  }

  const steps: Api[] = [
    ...(['Metadata', 'FindCoordinator', 'InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn'] as const),
    ...(['ListOffsets', 'Fetch', 'ApiVersions', 'CreateTopics', ...OF_GROUPS] as const),
  ]
  // What is known of a cluster is not asked again.
  const first: Api[] = ['ApiVersions', 'CreateTopics', 'FindCoordinator']
  for (const fault of ['lost once', 'silent from there on', 'lost for 6 s'] as const) {
    for (const api of steps) {
      // On a topic that is new there is nothing to read.
      if (api !== 'Fetch') row(api, fault, 'the start')
      if (!first.includes(api)) row(api, fault, 'a claim anew')
    }
  }
  row('FindCoordinator', { error: LOADING }, 'the start')
  const refusals: [Api, number[]][] = [
    ['InitProducerId', [LOADING, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS]],
    ['AddPartitionsToTxn', [LOADING, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS]],
    ['EndTxn', [LOADING, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS]],
    ...OF_GROUPS.map((api): [Api, number[]] => [api, [LOADING, NOT_COORDINATOR]]),
    ['Produce', [NOT_LEADER]],
    ['ListOffsets', [NOT_LEADER]],
  ]
  for (const [api, errors] of refusals) for (const error of errors) row(api, { error }, 'a claim anew')
})

/** A leader as a replica is one: it stores one numbered event after another, and claims anew after each unknown outcome. */
function lead(bus: Bus, consumed: (offset: number) => Consumed | undefined) {
  const stop = new AbortController()
  const lock = memoryBusWorld({ clock: systemClock }).connect('r')
  let [next, term, terms, longestMs, waitsSince] = [0, 0, 0, 0, performance.now()]
  let doubt: (() => void) | null = null
  const got = (fence: Fenced) => {
    term = fence.term
    terms++
    longestMs = Math.max(longestMs, performance.now() - waitsSince)
    next = Number(fence.positions.get('e') ?? -1) + 1
  }
  const serve = async (held: Lead<Fenced>) => {
    let fence = held.fenced
    got(fence)
    while (!held.signal.aborted) {
      const [outcome] = await bus.appendFenced(fence, [
        event(String(next), { position: next, consumed: consumed(next) }),
      ])
      if (outcome!.outcome === 'stored' || outcome!.outcome === 'duplicate') next++
      if (outcome!.outcome === 'fenced') {
        waitsSince = performance.now()
        return held.lost(null)
      }
      if (outcome!.outcome === 'unknown' || doubt !== null) {
        doubt?.()
        doubt = null
        waitsSince = performance.now()
        fence = await held.reclaim()
        got(fence)
      }
      await systemClock.sleep(20)
    }
    waitsSince = performance.now()
  }
  const elector = createElector<Fenced>({
    ...{ id: 'r', lock: memoryLock(lock, 'default/orders'), suspicions: [], clock: systemClock, log: silentLogger },
    strict: () => true,
    claim: (claim, progress) => bus.claim(source, claim, progress),
    mayStand: () => bus.status().connected,
    onView: () => {},
    serve,
  })
  const done = elector.run(stop.signal)
  return {
    stored: () => next,
    term: () => term,
    terms: () => terms,
    /** @param first done just before */
    claimAnew(first: () => void) {
      doubt = first
    },
    longestMs: () => longestMs,
    async end() {
      stop.abort()
      await done
    },
  }
}
