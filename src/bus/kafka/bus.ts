/** The bus port on Kafka: upstream's topic of events, and a compacted topic for terms, positions and small values. */
import type { KafkaClient } from '../../clients/kafka.ts'
import { isRefusedLogin } from '../../clients/kafka-errors.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { seldom } from '../../core/seldom.ts'
import { watchSilence } from '../../core/silence.ts'
import {
  type Append,
  type Bus,
  type BusStatus,
  type Claim,
  type Fenced,
  type Outcome,
  type SourceRef,
  sourceKey,
  type Transport,
} from '../bus.ts'
import { asRead, outcomeOf } from '../outcome.ts'
import { claimTerm, type FenceParts, isOurs, type KafkaFence, snapshotKey } from './fence.ts'
import { createFreeAppender, type FreeAppender } from './free.ts'
import { kafkaKv } from './kv.ts'
import { createLog, type KafkaLog } from './log.ts'
import { eventMessage, keyOf, MAX_EVENT_BYTES, seqOf, unstorable } from './message.ts'
import type { Partitioner } from './partitioner.ts'
import { createProducer } from './producer.ts'
import { createState, stateTopicOf } from './state.ts'
import { ensureTopic } from './topics.ts'
import { storedValue } from './values.ts'

export interface KafkaBusOptions {
  /** Called until it works once, and again when the brokers refuse the login: with the credentials as they are then. */
  connect: () => Promise<KafkaClient>
  topic: string
  partitioner: Partitioner
  transport: Transport
  clock: Clock
  log: Logger
}

interface Link extends FenceParts {
  client: KafkaClient
  free: FreeAppender
  log: KafkaLog
}

/** A claim under way. */
interface Claiming {
  nonce: string
  fence: Promise<KafkaFence>
  /** Told of its progress: who asked last. */
  asked: { progress: (step?: string) => void }
}

/** Longer than any step of a claim takes without an answer: whoever claims then begins afresh. */
const CLAIM_SILENT_MS = 15_000
/** The brokers are asked so often whether they are there. */
const LOOK_MS = 1_000
const SETTLE = { firstMs: 50, maxMs: 500, jitter: 0.3 }

/** Works in the background until the topics are there; `status()` says when. */
export function openKafka({ connect, topic, partitioner, transport, clock, log }: KafkaBusOptions): Bus {
  const listeners = new Set<(status: BusStatus) => void>()
  const closing = new AbortController()
  const fences = new Map<string, KafkaFence>()
  /** By source. Asked for again with its nonce it is the same claim: a second one would fence the first, and so on as long as brokers are slow. */
  const claims = new Map<string, Claiming>()
  const stateTopic = stateTopicOf(topic)
  const leaders = new Map<string, number[]>()
  /** Consumer groups whose offsets the bus's user may not commit. */
  const refusedGroups = new Set<string>()
  let cluster = ''
  let link: Link | null = null
  let shown: BusStatus = { connected: false, error: 'not yet connected' }
  let wake = () => {}

  const show = (now: BusStatus) => {
    const before = shown
    shown = now
    if (before.connected === now.connected) return
    if (now.connected) log.info('the topic is ready', { topic, partitions: leaders.get(topic)!.length })
    else if (!closing.signal.aborted) log.warn('the bus cannot be reached', { error: now.error })
    for (const listener of [...listeners]) listener(now)
  }

  const look = async (client: KafkaClient): Promise<void> => {
    for (const name of [topic, stateTopic]) {
      const found = await ensureTopic(client, name, name === stateTopic)
      leaders.set(name, found.leaders)
      cluster = found.cluster
    }
  }
  const passedOver = seldom(clock)
  const passingOver = (key: string, value: Buffer | null, offset: number) => {
    const ours = isOurs(key, value)
    const where = { topic: stateTopic, partition: 0, offset, key: key.slice(0, 300) }
    if (!ours)
      passedOver((leftOut) =>
        log.warn(
          'a record that cannot be read is passed over, the one before it counts; whoever wrote it has a login of the bus',
          {
            ...where,
            ...leftOut,
          },
        ),
      )
    return ours
  }
  const leaderOf = (name: string, partition: number) => leaders.get(name)?.[partition] ?? -1

  const begin = async (): Promise<Link> => {
    const client = await connect()
    try {
      await look(client)
      const producer = await createProducer(client, leaderOf, () => look(client), clock)
      return {
        client,
        producer,
        topic,
        state: createState(client, stateTopic, { isOurs: passingOver, clock, signal: closing.signal }),
        nodeOf: (name) => leaderOf(name, 0),
        place: (source, entry) => partitioner(keyOf(source, entry), leaders.get(topic)!.length),
        seq: (partition, offset) => seqOf(partition, offset, leaders.get(topic)!.length),
        free: createFreeAppender(producer),
        log: createLog(client, topic, clock, closing.signal),
        refused(group, why) {
          refusedGroups.add(group)
          log.warn('offsets of this group are not committed with the events, but after them', { group, error: why })
        },
      }
    } catch (error) {
      await client.close()
      throw error
    }
  }

  const run = async (): Promise<void> => {
    for (let attempt = 0; !closing.signal.aborted; ) {
      try {
        if (link === null) {
          const made = await begin()
          if (closing.signal.aborted) return await made.client.close()
          link = made
        } else await look(link.client)
        if (closing.signal.aborted) return
        attempt = 0
        show({ connected: true })
        for (const { asked } of claims.values()) asked.progress()
      } catch (error) {
        if (closing.signal.aborted) return
        if (attempt++ === 0 && link === null) log.warn('the bus cannot be reached', { error: messageOf(error) })
        show({ connected: false, error: messageOf(error) })
        if (link !== null && isRefusedLogin(error)) {
          const { client } = link
          link = null
          await client.close()
        }
      }
      const waiting = new AbortController()
      wake = () => waiting.abort()
      const pause = shown.connected ? LOOK_MS : backoffMs(attempt, SETTLE)
      await clock.sleep(pause, AbortSignal.any([waiting.signal, closing.signal])).catch(() => {})
    }
  }
  void run()

  const unavailable = (): VedetteError => fail('BUS_UNAVAILABLE', shown.connected ? 'not yet connected' : shown.error)
  const unreachable = (batch: unknown[]): Outcome[] =>
    batch.map(() => ({ outcome: 'unavailable', error: unavailable() }))
  /** @throws BUS_UNAVAILABLE */
  const live = (): Link => {
    if (link === null || !shown.connected) throw unavailable()
    return link
  }

  const claimAnew = async (source: SourceRef, claim: Claim, progress: (step: string) => void): Promise<KafkaFence> => {
    // Before anything is begun that would have to be ended.
    const known = claim.unbroken ? fences.get(sourceKey(source))?.known : undefined
    const parts = { ...live(), known }
    let doing = ''
    const silent = Promise.withResolvers<never>()
    silent.promise.catch(() => {})
    const over = new AbortController()
    const unheard = fail('OUTCOME_UNKNOWN', `no answer within ${CLAIM_SILENT_MS} ms`)
    const silence = watchSilence(clock, CLAIM_SILENT_MS, () => silent.reject(unheard))
    const onStep = (step: string) => {
      if (over.signal.aborted) return
      silence.broken()
      doing = step
      progress(step)
    }
    const claimed = claimTerm(parts, source, claim, onStep, over.signal)
    const fence = await Promise.race([claimed, silent.promise])
      .catch((error: unknown) => {
        throw isVedetteError(error) ? fail(error.code, `${doing}: ${error.message}`, {}, { cause: error }) : error
      })
      .finally(() => {
        silence.end()
        // The next claim may begin, which this one must not fence.
        over.abort(unheard)
      })
    const key = sourceKey(source)
    fences.get(key)?.retire()
    fences.set(key, fence)
    return fence
  }

  return {
    kind: 'kafka',
    fencing: 'strict',
    transport,
    maxEventBytes: MAX_EVENT_BYTES,
    status: () => shown,
    onStatus(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async claim(source, claim, progress = () => {}) {
      const key = sourceKey(source)
      const before = claims.get(key)
      const begun = (asked: Claiming['asked']): Claiming => {
        const fence = claimAnew(source, claim, (step) => asked.progress(step))
        return { nonce: claim.nonce, fence, asked }
      }
      const claiming = before?.nonce === claim.nonce ? before : begun({ progress })
      claiming.asked.progress = progress
      claims.set(key, claiming)
      try {
        return await claiming.fence
      } finally {
        if (claims.get(key) === claiming) claims.delete(key)
      }
    },
    async appendFenced(fence, batch) {
      if (link === null || !shown.connected) return unreachable(batch)
      const outcomes = await ours(fence).append(batch)
      if (outcomes.some(({ outcome }) => outcome === 'unknown')) wake()
      return outcomes
    },
    commits: (of, group) => of === cluster && !refusedGroups.has(group),
    async append(source, batch) {
      if (link === null || !shown.connected) return unreachable(batch)
      const { free, place, seq } = link
      const refusals = batch.map(unstorable)
      const messages = batch
        .filter((_, i) => refusals[i] === null)
        .map((member: Append) => eventMessage(source, member, { topic, partition: place(source, member.entry) }))
      const outcomes = await free.append(messages, ({ partition }, offset) => ({
        outcome: 'stored',
        seq: seq(partition, offset),
      }))
      if (outcomes.some(({ outcome }) => outcome === 'unknown')) wake()
      let next = 0
      return refusals.map((refused) => refused ?? outcomes[next++]!)
    },
    tail: async (source, entry, limit) =>
      await asRead('reading the last events', live().log.tail(source, entry, limit)),
    others: async (source, entry, limit) =>
      await asRead('reading what others have stored', live().log.others(source, entry, limit)),
    async *read(options = {}) {
      const signal = AbortSignal.any([closing.signal, ...(options.signal ? [options.signal] : [])])
      yield* live().log.read({ ...options, signal })
    },
    state: async () => await asRead('asking for the state of the log', live().log.state()),
    loadSnapshot: async (source, entry) =>
      storedValue(await asRead('reading the snapshot', live().state.read()), snapshotKey(source, entry)),
    saveSnapshot: (fence, entry, bytes) => outcomeOf(ours(fence).saveSnapshot(entry, bytes)),
    kv: kafkaKv(live, clock),
    async close() {
      if (closing.signal.aborted) return
      closing.abort()
      for (const fence of fences.values()) fence.retire()
      show({ connected: false, error: 'closed' })
      await link?.client.close()
    },
  }
}

function ours(fence: Fenced): KafkaFence {
  if (!('retire' in fence)) throw fail('BUG', 'this fence was not made by this bus')
  return fence as KafkaFence
}
