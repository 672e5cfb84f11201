/** Takes the entries of all partitions, publishes their messages, and acknowledges an entry when the bus has all of it. */
import { fail, isVedetteError } from '../../core/errors.ts'
import type { ServeContext } from '../../source.ts'
import { goTime } from '../go/time.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { handOver } from '../queues/hand-over.ts'
import { sideBySide } from '../queues/side-by-side.ts'
import { assemble, LOOK_MS, MOST_INCOMPLETE, type Room } from './chunks.ts'
import type { Cluster } from './cluster.ts'
import type { MessageId } from './commands.ts'
import type { Chunk, Entry, PulsarMessage } from './entry.ts'
import type { PulsarSpec } from './spec.ts'
import type { BrokerConnection } from './wire.ts'

/** Messages that may be under way to us, in all partitions together. A batch may be more than is left of them. */
export const IN_FLIGHT = 1_000
/** Bytes under way; beyond them nothing is read. */
export const IN_FLIGHT_BYTES = 64 << 20

/** Of a message that can never become an event: a dead-letter topic is the work of Pulsar's clients, and Argo Events' has none. */
const FATE = 'it is acknowledged, and can be read by its id for as long as the retention of its namespace keeps it'

/** `ServerError` of PulsarApi.proto: somebody else is subscribed, and the subscription is exclusive. */
const CONSUMER_BUSY = 5
const BUSY_MS = 150

export interface Intake {
  /** Rejects with the first failure; what was not acknowledged then comes again. */
  readonly failed: Promise<never>
  /** Once for each topic; the second time it does nothing. @param oldest begins with the oldest message, if nobody ever subscribed */
  subscribe(topic: string, share: number, oldest: boolean): Promise<void>
  /** Resolves when nothing is being published, and what is published has been acknowledged. Never rejects. */
  settled(): Promise<void>
}

export function openIntake(ctx: ServeContext<PulsarSpec, any>, cluster: Cluster, signal: AbortSignal): Intake {
  const { spec, entry: subscription, clock } = ctx
  // The permits of the protocol are the limit.
  const { hand, failed, settled } = sideBySide(Number.POSITIVE_INFINITY)
  const subscribed = new Set<string>()
  const room: Room = { messages: 0, bytes: 0 }
  let bytes = 0

  const take = async (topic: string, entry: Entry): Promise<void> => {
    bytes += entry.bytes
    if (bytes > IN_FLIGHT_BYTES) cluster.hold(true)
    try {
      if (entry.messages === null) ctx.skip(`the message ${entry.id} of ${topic}`, entry.reason, FATE)
      await Promise.all((entry.messages ?? []).map((message) => publish(topic, entry.id, message)))
    } finally {
      bytes -= entry.bytes
      if (bytes <= IN_FLIGHT_BYTES) cluster.hold(false)
    }
  }
  const publish = async (topic: string, id: string, message: PulsarMessage): Promise<void> => {
    const { index, publishTime } = message
    const item = { what: `the message ${id}:${index} of ${topic}`, fate: FATE }
    // With the time, since a cluster that is made anew counts its ledgers anew.
    const event = { id: `${topic}:${id}:${index}:${publishTime}` }
    await handOver(ctx, item, event, () => payload(message, spec))
  }
  const consume = (broker: BrokerConnection, topic: string, consumerId: number, share: number) => {
    const assembly = assemble(room)
    const window = openWindow(broker, consumerId, share)
    const handle = (entry: Entry) => {
      void hand(async () => {
        await take(topic, entry)
        window.done(entry)
      })
    }
    const refuseCrowd = () => {
      if (!assembly.crowded()) return
      const text = `${topic}: more than ${MOST_INCOMPLETE} messages in chunks at once: what found no room is read again`
      void hand(() => Promise.reject(fail('ORIGIN_UNAVAILABLE', text)))
    }
    const look = () => {
      if (window.open && bytes <= IN_FLIGHT_BYTES) for (const entry of assembly.look()) handle(entry)
      refuseCrowd()
      void clock.sleep(LOOK_MS, signal).then(look, () => {})
    }
    return {
      window,
      receive(received: Entry | Chunk) {
        if (signal.aborted) return
        const isChunk = 'whole' in received
        window.took(isChunk ? received.entry : received)
        const entry = isChunk ? assembly.add(received) : received
        if (entry !== null) return handle(entry)
        // What waits for its other chunks must not take the place that they need.
        window.free(1)
        refuseCrowd()
      },
      look,
    }
  }

  return {
    failed,
    async subscribe(topic, share, oldest) {
      if (subscribed.has(topic)) return
      const broker = await cluster.brokerOf(topic)
      const consumerId = subscribed.size
      subscribed.add(topic)
      const { window, receive, look } = consume(broker, topic, consumerId, share)
      const wanted = {
        topic,
        subscription,
        subType: spec.type === 'shared' ? 1 : 0,
        consumerId,
        consumerName: '',
        initialPosition: oldest ? 1 : 0,
      }
      for (;;) {
        try {
          await broker.subscribe(wanted, receive)
          break
        } catch (error) {
          if (!isVedetteError(error) || error.details.refused !== CONSUMER_BUSY) throw error
          // The dead leader's connection is one to the broker until it has looked: then this one is good for the next attempt.
          ctx.condition(error.message)
          await clock.sleep(BUSY_MS, signal)
        }
      }
      window.free(share)
      look()
    },
    async settled() {
      await settled()
      await Promise.resolve()
    },
  }
}

/** What the broker may send to a consumer. Acknowledges in one command what is published in one turn. */
function openWindow(broker: BrokerConnection, consumerId: number, share: number) {
  const enough = Math.ceil(share / 2)
  let waiting: MessageId[] = []
  /** Permits that the broker has, and those that it gets next. */
  let there = 0
  let next = 0
  const free = (permits: number) => {
    next += permits
    if (next < enough) return
    broker.send('flow', { consumerId, permits: next })
    there += next
    next = 0
  }
  const acknowledge = () => {
    broker.send('ack', { consumerId, ackType: 0, messageId: waiting })
    waiting = []
  }
  return {
    /** Whether the broker could send, if it had something. */
    get open() {
      return there > 0
    },
    took({ permits }: Entry): void {
      there -= permits
    },
    free,
    done({ messageIds, permits }: Entry): void {
      if (waiting.length === 0) queueMicrotask(acknowledge)
      waiting.push(...messageIds)
      free(permits)
    },
  }
}

/** Upstream's, member by member. @throws EVENT_INVALID when `jsonBody` is set and the message is not JSON */
function payload({ key, publishTime, body }: PulsarMessage, { jsonBody, metadata }: PulsarSpec): string {
  const time = goTime(Math.floor(publishTime / 1000), (publishTime % 1000) * 1_000_000)
  return payloadOf({ key, publishTime: time, body: bodyOf(body, jsonBody) }, metadata)
}
