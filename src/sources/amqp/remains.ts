/** What stays at the broker: bindings of an entry as it was before, and its queue when it is deleted. */
import type { Channel } from 'amqplib'
import type { EntryContext, ServeContext } from '../../source.ts'
import { endWhatIsNotWanted } from '../queues/made-at-origin.ts'
import { type AmqpConnection, connect, described } from './connect.ts'
import { type AmqpSpec, brokerOf, deletesQueue, queueOf } from './spec.ts'

/** A queue with a name goes on to get what it was bound to, until that is unbound. */
export async function unbindWhatWas(
  ctx: ServeContext<AmqpSpec>,
  connection: AmqpConnection,
  recalled: Promise<Uint8Array | null>,
): Promise<void> {
  const { exchangeName, routingKey } = ctx.spec
  const { name } = queueOf(ctx.spec)
  if (name === '') return
  const bound = {
    recalled,
    scope: `queue ${name} at ${brokerOf(ctx.spec)}`,
    wanted: [JSON.stringify([exchangeName, routingKey])],
  }
  await endWhatIsNotWanted(ctx, bound, async (binding) => {
    const [exchange, key] = JSON.parse(binding) as [string, string]
    // RabbitMQ takes one that is not there as done. What it refuses closes the channel.
    await inOneChannel(connection, (channel) => channel.unbindQueue(name, exchange, key))
  })
}

/** Deletes the queue, if that is wanted: when the entry is deleted, never when a replica stops. Not from under other consumers. */
export async function removeQueue(ctx: EntryContext<AmqpSpec>): Promise<void> {
  if (!deletesQueue(ctx.spec)) return
  const connection = await connect(ctx)
  try {
    await inOneChannel(connection, (channel) => channel.deleteQueue(queueOf(ctx.spec).name, { ifUnused: true }))
  } catch (error) {
    throw described(error, connection.where)
  } finally {
    await connection.close()
  }
}

async function inOneChannel(connection: AmqpConnection, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const { channel, closed } = await connection.open()
  await Promise.race([work(channel), closed])
  await channel.close()
}
