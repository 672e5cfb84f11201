/** Takes messages from a queue, publishes them side by side, and acknowledges what the bus holds, in the broker's order. */
import type { Channel, ConsumeMessage } from 'amqplib'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { Heard, ListenContext, PrepareContext, SourceContext } from '../../source.ts'
import { ackWindow } from '../shared/ack-window.ts'
import { payloadOrSkip } from '../shared/skip.ts'
import { type AmqpConnection, connect, described } from './connect.ts'
import { messageKey, payload } from './payload.ts'
import { type AmqpSpec, exchangeOf, queueArguments, queueOf } from './spec.ts'

/** Messages that the broker sends before the first of them is acknowledged. */
export const PREFETCH = 128

/** Connects, logs in and opens a channel; declares and consumes nothing. */
export async function standBy(ctx: PrepareContext<AmqpSpec>): Promise<void> {
  const connection = await connect(ctx)
  ctx.keep(connection)
  ctx.condition(null)
  await Promise.race([connection.lost, whenAborted(ctx.signal)])
}

export async function serveQueue(ctx: SourceContext<AmqpSpec>): Promise<void> {
  const kept = ctx.kept() as AmqpConnection | null
  const connection = kept?.alive ? kept : await connect(ctx)
  await consume(
    ctx,
    connection,
    () => ctx.condition(null),
    (event) => ctx.emit(event),
  )
}

/** The queue is this replica's own: it gets a copy of everything, and so does each other replica. */
export async function listenToQueue(ctx: ListenContext<AmqpSpec>): Promise<void> {
  await consume(ctx, await connect(ctx), ctx.subscribed, (event) => ctx.hear(event))
}

async function consume(
  ctx: PrepareContext<AmqpSpec>,
  connection: AmqpConnection,
  consuming: () => void,
  take: (event: Heard) => Promise<unknown>,
): Promise<void> {
  const { spec, signal } = ctx
  try {
    const { channel, closed } = await connection.open()
    const window = ackWindow<ConsumeMessage>((run) => {
      if (connection.alive) channel.ack(run.at(-1)!, true)
    })
    const cancelled = Promise.withResolvers<never>()
    cancelled.promise.catch(() => {})
    const queue = await declare(channel, ctx, connection.where)
    const options = { noAck: false, ...consumeOptions(spec) }
    const deliver = (message: ConsumeMessage | null) => {
      if (message === null) {
        const why = 'the broker cancelled the consumer: the queue was deleted, or its node went down'
        cancelled.reject(fail('ORIGIN_UNAVAILABLE', `${connection.where}: queue ${queue}: ${why}`))
      } else if (!signal.aborted) window.add(message, () => publish(message))
    }
    const publish = async (message: ConsumeMessage): Promise<'published' | 'rejected'> => {
      const data = payloadOrSkip(ctx, `a message of queue ${queue}`, () => payload(message, spec))
      if (data === null) {
        // Goes to the queue's dead-letter exchange, where it has one.
        channel.reject(message, false)
        return 'rejected'
      }
      const id = messageKey(message)
      await take(id === undefined ? { data } : { data, id })
      return 'published'
    }
    const { consumerTag } = await channel.consume(queue, deliver, options).catch((error: unknown) => {
      throw failed('failed to begin consuming messages', ctx, error, connection.where)
    })
    consuming()
    await Promise.race([whenAborted(signal), window.failed, closed, cancelled.promise, connection.lost])
    // Told to stop: what is handed over is still acknowledged, what comes after goes back to the queue.
    await channel.cancel(consumerTag).catch(() => {})
    await window.settled()
  } finally {
    await connection.close()
  }
}

/** Exchange, queue and binding, in upstream's order. @returns the queue's name. @throws ORIGIN_UNAVAILABLE */
async function declare(channel: Channel, ctx: PrepareContext<AmqpSpec>, where: string): Promise<string> {
  const { spec } = ctx
  const { exchangeName: exchange, exchangeType, routingKey } = spec
  const attempt = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw failed(what, ctx, error, where)
    }
  }
  const { durable, autoDelete, internal } = exchangeOf(spec)
  await attempt(
    `failed to declare exchange with name ${exchange} and type ${exchangeType}. err`,
    channel.assertExchange(exchange, exchangeType, { durable, autoDelete, internal }),
  )
  const { name, noWait: _, arguments: text, ...flags } = queueOf(spec)
  // A queue without a name is nobody else's; left behind by a dead replica it would fill for ever.
  const own = name === '' ? { exclusive: true } : {}
  const declared = channel.assertQueue(name, { ...flags, ...own, arguments: queueArguments(text) })
  const { queue } = await attempt('failed to declare queue', declared)
  await attempt(
    `failed to bind ${exchangeType} exchange '${exchange}' to queue with routingKey: ${routingKey}`,
    channel.bindQueue(queue, exchange, routingKey),
  )
  await channel.prefetch(PREFETCH)
  return queue
}

function consumeOptions({ consume }: AmqpSpec) {
  if (consume === undefined) return {}
  const { consumerTag, exclusive, noLocal } = consume
  return { exclusive, noLocal, ...(consumerTag === '' ? {} : { consumerTag }) }
}

function failed(what: string, { entry }: PrepareContext, error: unknown, where: string) {
  const { message } = isVedetteError(error) ? error : described(error, where)
  const text = `failed to get the delivery for the event source ${entry}, ${what}: ${message}`
  return fail('ORIGIN_UNAVAILABLE', text, { error: messageOf(error) }, { cause: error })
}
