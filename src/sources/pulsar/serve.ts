/** Takes the entries of all partitions, publishes their messages, and acknowledges an entry when the bus has all of it. */
import { isVedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { PrepareContext, SourceContext } from '../../source.ts'
import { goTime } from '../shared/go-time.ts'
import { bodyOf, payloadOf } from '../shared/json-body.ts'
import { sideBySide } from '../shared/side-by-side.ts'
import { payloadOrSkip } from '../shared/skip.ts'
import { type Cluster, connectCluster } from './cluster.ts'
import type { MessageId } from './commands.ts'
import type { Entry, PulsarMessage } from './entry.ts'
import { fullTopic, type PulsarSpec } from './spec.ts'
import type { BrokerConnection } from './wire.ts'

/** Messages that may be under way to us, in all partitions together. A batch may be more than is left of them. */
export const IN_FLIGHT = 1_000
/** Bytes under way; beyond them nothing is read. */
const IN_FLIGHT_BYTES = 64 << 20
/** Topics get partitions while we serve; they are looked for this often. */
const LOOK_MS = 60_000

/** `ServerError` of PulsarApi.proto: somebody else is subscribed, and the subscription is exclusive. */
const CONSUMER_BUSY = 5
const BUSY_MS = 150

/** Partitions that were subscribed to, by topic; 0: it has none. A partition beyond them is read from its beginning. */
export type PulsarPosition = Record<string, number>

/** Connected and logged in, and the brokers of all topics known; subscribed to nothing. */
export async function standBy(ctx: PrepareContext<PulsarSpec>): Promise<void> {
  const cluster = await connectCluster(ctx)
  ctx.keep(cluster)
  for (const [topic, count] of Object.entries(await partitionsOf(ctx.spec, cluster)))
    for (const partition of namesOf(topic, count)) await cluster.brokerOf(partition)
  ctx.condition(null)
  await Promise.race([whenAborted(ctx.signal), cluster.lost])
}

export async function servePulsar(ctx: SourceContext<PulsarSpec, PulsarPosition>): Promise<void> {
  const { clock } = ctx
  const kept = ctx.kept() as Cluster | null
  const cluster = kept?.alive ? kept : await connectCluster(ctx)
  const ended = new AbortController()
  const signal = AbortSignal.any([ctx.signal, ended.signal])
  const intake = openIntake(ctx, cluster, signal)
  let known = ctx.resume()

  const keepSubscribed = async (): Promise<never> => {
    for (let share = 0; ; ) {
      const found = await partitionsOf(ctx.spec, cluster)
      const names = Object.entries(found).flatMap(([topic, count]) =>
        namesOf(topic, count).map((name) => ({ topic, name })),
      )
      share = share || Math.max(1, Math.floor(IN_FLIGHT / names.length))
      for (const { topic, name } of names) {
        const grown = known?.[topic] !== undefined && !namesOf(topic, known[topic]).includes(name)
        await intake.subscribe(name, share, grown)
      }
      if (JSON.stringify(found) !== JSON.stringify(known)) await ctx.advance(found)
      known = found
      ctx.condition(null)
      await clock.sleep(LOOK_MS, signal)
    }
  }
  const subscribing = keepSubscribed()
  subscribing.catch(() => {})
  try {
    await Promise.race([whenAborted(ctx.signal), cluster.lost, intake.failed, subscribing])
  } finally {
    ended.abort()
    await intake.settled()
    cluster.close()
  }
}

function openIntake(ctx: SourceContext<PulsarSpec, PulsarPosition>, cluster: Cluster, signal: AbortSignal) {
  const { spec, entry: subscription } = ctx
  // The permits of the protocol are the limit.
  const { hand, failed, settled } = sideBySide(Number.POSITIVE_INFINITY)
  const subscribed = new Set<string>()
  let bytes = 0

  const take = async (topic: string, entry: Entry): Promise<void> => {
    bytes += entry.bytes
    if (bytes > IN_FLIGHT_BYTES) cluster.hold(true)
    try {
      if (entry.messages === null) ctx.skip(`the message ${entry.id} of ${topic}`, entry.reason)
      await Promise.all((entry.messages ?? []).map((message) => publish(topic, entry.id, message)))
    } finally {
      bytes -= entry.bytes
      if (bytes <= IN_FLIGHT_BYTES) cluster.hold(false)
    }
  }
  const publish = async (topic: string, id: string, message: PulsarMessage): Promise<void> => {
    const { index, publishTime } = message
    const data = payloadOrSkip(ctx, `the message ${id}:${index} of ${topic}`, () => payload(message, spec))
    // With the time, since a cluster that is made anew counts its ledgers anew.
    if (data !== null) await ctx.emit({ data, id: `${topic}:${id}:${index}:${publishTime}` })
  }

  return {
    failed,
    /** Once for each topic; the second time it does nothing. @param oldest begins with the oldest message, if nobody ever subscribed */
    async subscribe(topic: string, share: number, oldest: boolean): Promise<void> {
      if (subscribed.has(topic)) return
      const broker = await cluster.brokerOf(topic)
      const consumerId = subscribed.size
      subscribed.add(topic)
      const acks = gathered(broker, consumerId, Math.ceil(share / 2))
      const wanted = {
        topic,
        subscription,
        subType: spec.type === 'shared' ? 1 : 0,
        consumerId,
        consumerName: '',
        initialPosition: oldest ? 1 : 0,
      }
      const receive = (entry: Entry) => {
        if (signal.aborted) return
        void hand(async () => {
          await take(topic, entry)
          acks.add(entry)
        })
      }
      for (;;) {
        try {
          await broker.subscribe(wanted, receive)
          break
        } catch (error) {
          if (!isVedetteError(error) || error.details.refused !== CONSUMER_BUSY) throw error
          // The dead leader's connection is one to the broker until it has looked: then this one is good for the next attempt.
          ctx.condition(error.message)
          await ctx.clock.sleep(BUSY_MS, signal)
        }
      }
      broker.send('flow', { consumerId, permits: share })
    },
    /** Resolves when nothing is being published, and what is published has been acknowledged. Never rejects. */
    async settled(): Promise<void> {
      await settled()
      await Promise.resolve()
    },
  }
}

/** Acknowledges in one command what is published in one turn, and lets the broker send as much again. */
function gathered(broker: BrokerConnection, consumerId: number, enough: number) {
  let waiting: MessageId[] = []
  let free = 0
  const flush = () => {
    broker.send('ack', { consumerId, ackType: 0, messageId: waiting })
    waiting = []
    if (free < enough) return
    broker.send('flow', { consumerId, permits: free })
    free = 0
  }
  return {
    add({ messageId, permits }: Entry): void {
      free += permits
      if (waiting.push(messageId) === 1) queueMicrotask(flush)
    },
  }
}

async function partitionsOf({ topics }: PulsarSpec, cluster: Cluster): Promise<PulsarPosition> {
  const found: PulsarPosition = {}
  for (const topic of topics ?? []) {
    const name = fullTopic(topic) ?? topic
    found[name] = await cluster.partitions(name)
  }
  return found
}

const namesOf = (topic: string, count: number): string[] =>
  count === 0 ? [topic] : Array.from({ length: count }, (_, i) => `${topic}-partition-${i}`)

/** Upstream's, member by member. @throws EVENT_INVALID when `jsonBody` is set and the message is not JSON */
function payload({ key, publishTime, body }: PulsarMessage, { jsonBody, metadata }: PulsarSpec): string {
  const time = goTime(Math.floor(publishTime / 1000), (publishTime % 1000) * 1_000_000)
  return payloadOf({ key, publishTime: time, body: bodyOf(body, jsonBody) }, metadata)
}
