/**
 * A stream of RabbitMQ (https://www.rabbitmq.com/docs/streams): a log that keeps its messages, read from an offset. Where the entry stands is the next
 * offset, which lies on the bus with the events. The broker is asked for one message more, the last one known: it shows that
 * this is still the same stream, and that nothing before it is missing.
 */
import { hash } from 'node:crypto'
import type { ConsumeMessage } from 'amqplib'
import { fail, messageOf } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { ServeContext } from '../../source.ts'
import { ackWindow } from '../queues/ack-window.ts'
import { handOver } from '../queues/hand-over.ts'
import type { AmqpConnection } from './connect.ts'
import { type Declared, failed, gone, PREFETCH } from './declare.ts'
import { offsetOf, payload } from './payload.ts'
import { type AmqpSpec, consumeOptions } from './spec.ts'

export interface StreamPosition {
  /** The offset of the first message that is not on the bus yet. */
  next: number
  /** A digest of the message before it, where that was seen. */
  mark?: string
  /** How often the stream was made anew, when it was: part of the ids of events. */
  resets?: number
}

type Context = ServeContext<AmqpSpec, StreamPosition | null>

/** A stream that is asked for a message that it has answers at once. Longer than that, and it is looked at otherwise. */
const SILENT_MS = 3_000
const OFFSET = 'x-stream-offset'

/** Until `ctx.signal` aborts. @throws ORIGIN_UNAVAILABLE */
export async function readStream(ctx: Context, connection: AmqpConnection, declared: Declared): Promise<void> {
  const { spec, signal, clock } = ctx
  const { channel, closed, queue } = declared
  const resumed = ctx.resume()
  const resets = resumed?.resets ?? 0
  let next = resumed?.next ?? null
  let begun = false
  /** What is missing is said before the position passes it. */
  let looked = Promise.resolve()
  const ended = new AbortController()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const window = ackWindow<ConsumeMessage>((run) => {
    if (connection.alive) channel.ack(run.at(-1)!, true)
  })

  const fate = "it stays in the stream until the stream's retention removes it"
  const publish = (message: ConsumeMessage, offset: number) => {
    const item = { what: `offset ${offset} of stream ${queue}`, fate }
    const position = { next: offset + 1, mark: markOf(message), ...(resets > 0 ? { resets } : {}) }
    const id = `${queue}/${offset}${resets > 0 ? `/${resets}` : ''}`
    return handOver(ctx, item, { id, position }, () => payload(message, spec))
  }
  /** Offsets without a message: the retention was faster than we, or the broker keeps something of its own there. */
  const lookAtGap = async (from: number, to: number): Promise<void> => {
    const { first } = await peek(connection, queue, 'first', clock, ended.signal)
    if (first === null || first <= from) return
    const last = Math.min(first, to) - 1
    const what = `offsets ${from} to ${last} of stream ${queue} (up to ${last - from + 1} messages)`
    ctx.skip(what, new Error("the stream's retention removed them before they were read"), 'they are nowhere any more')
  }
  const startAnew = async (): Promise<never> => {
    await ctx.advance({ next: 0, resets: resets + 1 })
    throw fail('ORIGIN_UNAVAILABLE', `stream ${queue} was made anew: it is read from its start`)
  }
  const deliver = (message: ConsumeMessage | null): unknown => {
    if (message === null) return failure.reject(gone(connection.where, queue))
    if (signal.aborted || ended.signal.aborted) return
    const offset = offsetOf(message)
    if (offset === null) return failure.reject(noOffset(queue))
    const isFirst = !begun
    begun = true
    if (isFirst && resumed !== null && isAnother(resumed, offset, message)) {
      ended.abort()
      startAnew().catch(failure.reject)
      return
    }
    if (next !== null && offset > next) {
      const from = next
      looked = looked.then(() => lookAtGap(from, offset))
    }
    const known = offset < (next ?? 0)
    next = Math.max(next ?? 0, offset + 1)
    window.add(message, async () => {
      await looked
      // A stream has no place for what is rejected.
      if (!known) await publish(message, offset)
      return 'published'
    })
  }
  /** Says where a stream ends that has told nothing, before anything comes: what comes before the next leader is not missed. */
  const settleStart = async (): Promise<void> => {
    const { next: end, mark } = await peek(connection, queue, 'last', clock, ended.signal)
    // What the broker has sent us by now comes before this answer.
    await channel.checkQueue(queue)
    if (!begun) await ctx.advance(mark === undefined ? { next: end } : { next: end, mark })
  }
  const lookWhenSilent = async (): Promise<void> => {
    await clock.sleep(SILENT_MS, ended.signal)
    if (begun) return
    const { first } = await peek(connection, queue, 'first', clock, ended.signal)
    if (!begun && first !== null && first < resumed!.next - 1) await startAnew()
  }

  const from = resumed === null ? undefined : Math.max(0, resumed.next - 1)
  const { consumerTag } = await channel
    .consume(queue, deliver, { noAck: false, ...consumeOptions(spec, from) })
    .catch(async (error: unknown) => {
      // It was one, and is a queue now.
      if (NO_STREAM.test(messageOf(error)) && !declared.stream) await ctx.advance(null)
      throw failed('failed to begin consuming messages', ctx, error, connection.where)
    })
  const look = async (): Promise<void> => {
    if (resumed === null) await settleStart()
    ctx.condition(null)
    if (resumed !== null && resumed.next > 0) await lookWhenSilent()
  }
  look().catch((error: unknown) => {
    if (!ended.signal.aborted) failure.reject(error)
  })
  try {
    await Promise.race([whenAborted(signal), window.failed, closed, failure.promise, connection.lost])
    await channel.cancel(consumerTag).catch(() => {})
    await window.settled()
  } finally {
    ended.abort(fail('SHUTTING_DOWN', 'the stream is read no more'))
  }
}

const NO_STREAM = /invalid arg 'x-stream-offset'/

const noOffset = (queue: string) =>
  fail('ORIGIN_UNAVAILABLE', `the broker sends messages of ${queue} without an offset: it is no stream`)

/** True when the first message is not the one that was asked for, though the stream begins before it: it was deleted and made again. */
function isAnother({ next, mark }: StreamPosition, offset: number, message: ConsumeMessage): boolean {
  if (offset < next - 1) return true
  return offset === next - 1 && mark !== undefined && mark !== markOf(message)
}

/** 16 hex digits. */
function markOf({ fields, content }: ConsumeMessage): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${fields.exchange}\n${fields.routingKey}\n`), content])).slice(
    0,
    16,
  )
}

interface Seen {
  /** The first offset that came; null: none. */
  first: number | null
  /** One more than the last one. */
  next: number
  /** Of the last one. */
  mark?: string
}

const ROUND_MS = 250
/** A stream that says nothing for so many rounds has nothing. */
const ROUNDS_OF_NOTHING = 4
/** Somebody who writes all the time does not keep us here. */
const MOST_ROUNDS = 12

/** Looks at what a stream has, by a channel of its own. @throws ORIGIN_UNAVAILABLE, the reason of `signal` */
async function peek(
  connection: AmqpConnection,
  queue: string,
  from: 'first' | 'last',
  clock: Context['clock'],
  signal: AbortSignal,
): Promise<Seen> {
  const { channel } = await connection.open()
  const seen: Seen = { first: null, next: 0 }
  const see = (message: ConsumeMessage | null) => {
    const offset = message === null ? null : offsetOf(message)
    if (message === null || offset === null || signal.aborted) return
    channel.ack(message)
    seen.first ??= offset
    seen.next = offset + 1
    seen.mark = markOf(message)
  }
  try {
    await channel.prefetch(PREFETCH)
    await channel.consume(queue, see, { noAck: false, arguments: { [OFFSET]: from } })
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const before = seen.next
      await clock.sleep(ROUND_MS, signal)
      if (seen.first === null ? round === ROUNDS_OF_NOTHING : from === 'first' || seen.next === before) break
    }
    return seen
  } finally {
    await channel.close().catch(() => {})
  }
}
