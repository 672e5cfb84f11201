/** One stream of events, each published side by side with the others, in the order in which they came. */
import { fail, isVedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { PrepareContext, ServeContext } from '../../source.ts'
import { bodyOrNull, payloadOf } from '../payload/json-body.ts'
import { senderKey } from '../payload/sender-id.ts'
import { handOver } from '../queues/hand-over.ts'
import { sideBySide } from '../queues/side-by-side.ts'
import { type Channel, described, openChannel, openStream, staysConnected } from './connect.ts'
import type { StreamedEvent } from './contract.ts'
import type { GenericSpec } from './spec.ts'

/** Events that are published side by side; more are left to the server, by HTTP/2's flow control. */
export const IN_FLIGHT = 128

/** The name of the last event stored, where names are unique. */
export interface GenericPosition {
  name: string
}

/** Connected, and nothing asked: a server that is not there is found before it is needed. */
export async function standBy(ctx: PrepareContext<GenericSpec>): Promise<void> {
  const channel = await openChannel(ctx)
  ctx.keep(channel)
  await staysConnected(channel, ctx)
}

export async function serveStream(ctx: ServeContext<GenericSpec, GenericPosition>): Promise<void> {
  const { spec, signal } = ctx
  const channel = (ctx.kept() as Channel | null) ?? (await openChannel(ctx))
  const { hand, failed, settled } = sideBySide(IN_FLIGHT)
  try {
    const stream = await openStream(channel, ctx, spec.uniqueNames ? (ctx.resume()?.name ?? null) : null)
    stream.once('metadata', () => ctx.condition(null))
    const received = async (): Promise<never> => {
      for await (const event of stream as AsyncIterable<StreamedEvent>) {
        await hand(() => publish(ctx, event))
      }
      throw fail('ORIGIN_UNAVAILABLE', `${spec.url}: the server has ended the stream`)
    }
    try {
      await Promise.race([received(), whenAborted(signal), failed])
    } finally {
      stream.cancel()
    }
  } catch (error) {
    throw isVedetteError(error) || signal.aborted ? error : described(error, spec.url)
  } finally {
    // The next stream goes on after what is stored then.
    await settled()
    await channel.close()
  }
}

async function publish(ctx: ServeContext<GenericSpec, GenericPosition>, event: StreamedEvent): Promise<void> {
  const { jsonBody, metadata, uniqueNames } = ctx.spec
  const { name, payload } = event
  const named = uniqueNames && name !== ''
  const item = {
    what: name === '' ? 'an event' : `the event ${name}`,
    fate: named ? 'the server is asked for what comes after it' : 'the server does not give it again',
  }
  await handOver(ctx, item, named ? { id: senderKey(name, payload), position: { name } } : {}, () =>
    payloadOf({ body: bodyOrNull(payload, jsonBody) }, metadata),
  )
}
