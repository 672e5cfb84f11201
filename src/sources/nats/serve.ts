/** Subscribes, and hands over what comes. */
import type { Msg } from '@nats-io/transport-node'
import { fail, messageOf } from '../../core/errors.ts'
import { sortedMap } from '../../core/json.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, Heard, ListenContext, ServeContext } from '../../source.ts'
import { serveAlone } from '../connections/serve-alone.ts'
import { contextOf } from '../payload/cloud-event.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { senderKey } from '../payload/sender-id.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { connect, described } from './connect.ts'
import type { NatsSpec } from './spec.ts'

/** Every replica gets a copy of everything. */
export async function listenToSubject(ctx: ListenContext<NatsSpec>): Promise<void> {
  await subscribe(ctx, ctx.subscribed, (event) => void ctx.hear(event))
}

/** A member of a queue group takes messages away from the others, so only the serving replica may be one. */
export async function serveQueueGroup(ctx: ServeContext<NatsSpec>): Promise<void> {
  await serveAlone(ctx, listenToSubject)
}

async function subscribe(
  ctx: EntryContext<NatsSpec>,
  subscribed: () => void,
  take: (event: Heard) => void,
): Promise<void> {
  const { spec, signal } = ctx
  const nc = await connect(ctx)
  const where = nc.getServer()
  try {
    const failed = Promise.withResolvers<never>()
    failed.promise.catch(() => {})
    nc.subscribe(spec.subject, {
      ...(spec.queue === undefined ? {} : { queue: spec.queue }),
      callback(error, message) {
        if (error !== null) return failed.reject(subscriptionError(error, ctx, where))
        if (signal.aborted) return
        const event = eventOf(message, ctx)
        if (event !== null) take(event)
      },
    })
    // A subscription that is not permitted is told before the answer to this.
    await Promise.race([nc.flush(), failed.promise])
    subscribed()
    const closed = nc.closed().then((error) => {
      throw described(error ?? new Error('the connection was closed'), where)
    })
    closed.catch(() => {})
    await Promise.race([whenAborted(signal), closed, failed.promise])
  } catch (error) {
    throw described(error, where)
  } finally {
    await nc.close().catch(() => {})
  }
}

function subscriptionError(error: unknown, { spec, entry }: EntryContext<NatsSpec>, where: string) {
  const text = `failed to subscribe to the subject ${spec.subject} for event source ${entry}, ${messageOf(error)}`
  return fail('ORIGIN_UNAVAILABLE', `authentication: ${where}: ${text}`, {}, { cause: error })
}

function eventOf(message: Msg, ctx: EntryContext<NatsSpec>): Heard | null {
  const { jsonBody, metadata } = ctx.spec
  const { subject, data: bytes, headers } = message
  const names = headers?.keys() ?? []
  const header =
    names.length === 0 ? undefined : sortedMap(Object.fromEntries(names.map((name) => [name, headers!.values(name)])))
  const item = { what: `a message on subject ${subject}`, fate: 'NATS does not keep it' }
  const data = payloadOrSkip(ctx, item, () => payloadOf({ subject, body: bodyOf(bytes, jsonBody), header }, metadata))
  if (data === null) return null
  const id = headers?.get('Nats-Msg-Id') ?? ''
  if (id === '') return { data, item }
  const event = contextOf((name) => headers!.get(`ce-${name}`))
  return { data, item, id: senderKey(id, Buffer.concat([Buffer.from(`${subject}\n`), bytes]), event) }
}
