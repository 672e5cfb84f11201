/** Exchange, queue and binding, in upstream's order. */
import type { Channel } from 'amqplib'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import type { EntryContext } from '../../source.ts'
import { type AmqpConnection, described } from './connect.ts'
import { type AmqpSpec, exchangeOf, isStream, queueArguments, queueOf } from './spec.ts'

/** Messages that the broker sends before the first of them is acknowledged. */
export const PREFETCH = 128

export interface Declared {
  channel: Channel
  /** Rejects when the broker closes it. */
  closed: Promise<never>
  /** Its name. */
  queue: string
  stream: boolean
}

/** @throws ORIGIN_UNAVAILABLE */
export async function declare(ctx: EntryContext<AmqpSpec>, connection: AmqpConnection): Promise<Declared> {
  const { spec } = ctx
  const { exchangeName: exchange, exchangeType, routingKey } = spec
  const { name, noWait: _, arguments: text, ...flags } = queueOf(spec)
  const attempt = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw failed(what, ctx, error, connection.where)
    }
  }
  let open = await connection.open()
  const { durable, autoDelete, internal } = exchangeOf(spec)
  await attempt(
    `failed to declare exchange with name ${exchange} and type ${exchangeType}. err`,
    open.channel.assertExchange(exchange, exchangeType, { durable, autoDelete, internal }),
  )
  // A queue without a name is nobody else's; left behind by a dead replica it would fill for ever.
  const own = name === '' ? { exclusive: true } : {}
  const args = queueArguments(text)
  let stream = isStream(spec)
  const declaring = open.channel
    .assertQueue(name, { ...flags, ...own, arguments: args })
    .catch(async (error: unknown) => {
      if ('x-queue-type' in args || !IS_STREAM.test(messageOf(error))) throw error
      // Somebody has made it one; the broker has closed the channel.
      stream = true
      open = await connection.open()
      return await open.channel.checkQueue(name)
    })
  const { queue } = await attempt('failed to declare queue', declaring)
  await attempt(
    `failed to bind ${exchangeType} exchange '${exchange}' to queue with routingKey: ${routingKey}`,
    open.channel.bindQueue(queue, exchange, routingKey),
  )
  await open.channel.prefetch(PREFETCH)
  return { ...open, queue, stream }
}

/** What RabbitMQ says of a queue that is declared without its type. */
const IS_STREAM = /inequivalent arg 'x-queue-type'.*current is the value 'stream'/

export function failed(what: string, { entry }: EntryContext, error: unknown, where: string) {
  const { message } = isVedetteError(error) ? error : described(error, where)
  const text = `failed to get the delivery for the event source ${entry}, ${what}: ${message}`
  return fail('ORIGIN_UNAVAILABLE', text, { error: messageOf(error) }, { cause: error })
}

/** What a consumer that the broker cancels is told. */
export function gone(where: string, queue: string) {
  const why = 'the broker cancelled the consumer: the queue was deleted, or its node went down'
  return fail('ORIGIN_UNAVAILABLE', `${where}: queue ${queue}: ${why}`)
}
