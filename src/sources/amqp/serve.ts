/** Takes messages from a queue, publishes them side by side, and acknowledges what the bus holds, in the broker's order. */
import type { ConsumeMessage } from 'amqplib'
import { fail } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, Item, ListenContext, PrepareContext, ServeContext } from '../../source.ts'
import { ackWindow } from '../queues/ack-window.ts'
import { type Handed, handOver, payloadOrSkip } from '../queues/hand-over.ts'
import { recall } from '../queues/made-at-origin.ts'
import { type AmqpConnection, connect } from './connect.ts'
import { type Declared, declare, failed, gone } from './declare.ts'
import { messageKey, offsetOf, payload } from './payload.ts'
import { unbindWhatWas } from './remains.ts'
import { type AmqpSpec, consumeOptions } from './spec.ts'
import { readStream, type StreamPosition } from './stream.ts'

/** Connects, logs in and opens a channel; declares and consumes nothing. */
export async function standBy(ctx: PrepareContext<AmqpSpec>): Promise<void> {
  const connection = await connect(ctx)
  ctx.keep(connection)
  ctx.condition(null)
  await Promise.race([connection.lost, whenAborted(ctx.signal)])
}

export async function serveQueue(ctx: ServeContext<AmqpSpec, StreamPosition | null>): Promise<void> {
  const recalled = recall(ctx)
  const kept = ctx.kept() as AmqpConnection | null
  const connection = kept?.alive ? kept : await connect(ctx)
  try {
    await unbindWhatWas(ctx, connection, recalled)
    const declared = await declare(ctx, connection)
    if (declared.stream || ctx.resume() !== null) return await readStream(ctx, connection, declared)
    let turned = false
    await consume(ctx, connection, declared, {
      consuming: () => ctx.condition(null),
      async publish(message) {
        const id = messageKey(message)
        const offset = offsetOf(message)
        if (offset === null) {
          const item = itemOf(declared.queue, message)
          return await handOver(ctx, item, id === undefined ? {} : { id }, () => payload(message, ctx.spec))
        }
        // A stream by the default of the virtual host: nothing but its messages says so.
        if (!turned) {
          turned = true
          await ctx.advance({ next: offset })
        }
        throw fail('ORIGIN_UNAVAILABLE', `queue ${declared.queue} is a stream: it is read by its offsets`)
      },
    })
  } finally {
    await connection.close()
  }
}

/** The queue is this replica's own: it gets a copy of everything, and so does each other replica. */
export async function listenToQueue(ctx: ListenContext<AmqpSpec>): Promise<void> {
  const connection = await connect(ctx)
  try {
    const declared = await declare(ctx, connection)
    await consume(ctx, connection, declared, {
      consuming: ctx.subscribed,
      async publish(message) {
        const item = itemOf(declared.queue, message)
        const data = payloadOrSkip(ctx, item, () => payload(message, ctx.spec))
        if (data === null) return 'rejected'
        const id = messageKey(message)
        const outcome = await ctx.hear(id === undefined ? { data, item } : { data, item, id })
        return outcome === 'skipped' ? 'rejected' : 'published'
      },
    })
  } finally {
    await connection.close()
  }
}

const itemOf = (queue: string, { fields, properties }: ConsumeMessage): Item => {
  const { messageId } = properties
  return {
    what: `message ${messageId ? `${messageId} ` : ''}(exchange ${fields.exchange}, routing key ${fields.routingKey}) of queue ${queue}`,
    fate: 'it is rejected: it goes to the dead-letter exchange of the queue, if it has one',
  }
}

interface Taking {
  /** The broker sends messages from here on. */
  consuming(): void
  /** Resolves when the broker may be told. */
  publish(message: ConsumeMessage): Promise<Handed>
}

async function consume(
  ctx: EntryContext<AmqpSpec>,
  connection: AmqpConnection,
  { channel, closed, queue }: Declared,
  { consuming, publish }: Taking,
): Promise<void> {
  const { spec, signal } = ctx
  const window = ackWindow<ConsumeMessage>((run) => {
    if (connection.alive) channel.ack(run.at(-1)!, true)
  })
  const cancelled = Promise.withResolvers<never>()
  cancelled.promise.catch(() => {})
  const settle = async (message: ConsumeMessage): Promise<Handed> => {
    const handed = await publish(message)
    if (handed === 'rejected' && connection.alive) channel.reject(message, false)
    return handed
  }
  const deliver = (message: ConsumeMessage | null) => {
    if (message === null) cancelled.reject(gone(connection.where, queue))
    else if (!signal.aborted) window.add(message, () => settle(message))
  }
  const { consumerTag } = await channel
    .consume(queue, deliver, { noAck: false, ...consumeOptions(spec) })
    .catch((error: unknown) => {
      throw failed('failed to begin consuming messages', ctx, error, connection.where)
    })
  consuming()
  await Promise.race([whenAborted(signal), window.failed, closed, cancelled.promise, connection.lost])
  // Told to stop: what is handed over is still acknowledged, what comes after goes back to the queue.
  await channel.cancel(consumerTag).catch(() => {})
  await window.settled()
}
