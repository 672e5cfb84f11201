/** Pulls by one stream, publishes side by side, acknowledges what the bus holds; holds on to messages while it is slow. */
import type { protos } from '@google-cloud/pubsub-api'
import { fail } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, PrepareContext, ServeContext } from '../../source.ts'
import { ackWindow } from '../queues/ack-window.ts'
import { type Handed, handOver } from '../queues/hand-over.ts'
import { endWhatIsNotWanted, recall } from '../queues/made-at-origin.ts'
import { type Rejected, rejectedIds } from '../queues/rejected-ids.ts'
import { codeOf, described, NOT_FOUND, ONCE, openClients, type PubSubClients } from './client.ts'
import { messagePayload } from './payload.ts'
import type { PubSubSpec } from './spec.ts'
import { ensure, exists } from './subscription.ts'

type Received = protos.google.pubsub.v1.IReceivedMessage
type Response = protos.google.pubsub.v1.IStreamingPullResponse

/** Messages, and bytes, that Pub/Sub sends before the first of them is acknowledged. */
export const IN_FLIGHT = 1_000
export const IN_FLIGHT_BYTES = 64 * 1024 * 1024
/** How long Pub/Sub leaves a message with a replica that says nothing; the least that it takes. */
export const ACK_DEADLINE_S = 10
/** What is held is asked for again this often. */
const EXTEND_MS = 4_000
/** Ids in one request; 512 KiB are the most that Pub/Sub takes. */
const IDS_AT_ONCE = 1_000
/** A stream ends now and then by Pub/Sub's own doing. One that lasted this long is just opened again. */
const WORTH_NO_WORD_MS = 10_000

/** Credentials, host and permission are right; nothing is made or pulled. */
export async function standBy(ctx: PrepareContext<PubSubSpec>): Promise<void> {
  const clients = await openClients(ctx)
  ctx.keep(clients)
  // Whether it is there is the leader's business.
  await exists(clients)
  ctx.condition(null)
  await whenAborted(ctx.signal)
}

export async function serveSubscription(ctx: ServeContext<PubSubSpec>): Promise<void> {
  const { signal, clock, entry } = ctx
  const clients = (ctx.kept() as PubSubClients | null) ?? (await openClients(ctx))
  try {
    await ensure(clients).catch((error: unknown) => {
      throw described(error, `failed to prepare client or subscription for ${entry}`)
    })
    await deleteWhatWas(ctx, clients)
    ctx.condition(null)
    const rejected = rejectedIds()
    while (!signal.aborted) {
      const openedMs = clock.monotonic()
      try {
        await pull(ctx, clients, rejected)
      } catch (error) {
        const lasted = clock.monotonic() - openedMs > WORTH_NO_WORD_MS
        if (signal.aborted || !lasted || !(error instanceof Error) || !ENDS.has(codeOf(error) ?? -1)) {
          throw described(error, `failed to receive the messages for subscription ${clients.names.subscription}`)
        }
      }
    }
  } finally {
    await clients.close()
  }
}

/** Codes with which Pub/Sub ends streams that are all right: DEADLINE_EXCEEDED, UNAVAILABLE. */
const ENDS: ReadonlySet<number> = new Set([4, 14])

/** Deletes the subscription, if that is wanted: when the object is deleted, never when a replica stops. */
export async function removeSubscription(ctx: EntryContext<PubSubSpec>): Promise<void> {
  if (!ctx.spec.deleteSubscriptionOnFinish) return
  const clients = await openClients(ctx)
  try {
    await drop(clients, clients.names.subscription)
  } finally {
    await clients.close()
  }
}

/** A subscription that is named after the fields is another one when they change; the one before was nobody else's. */
async function deleteWhatWas(ctx: ServeContext<PubSubSpec>, clients: PubSubClients): Promise<void> {
  const { subscriptionID, deleteSubscriptionOnFinish } = ctx.spec
  if (!deleteSubscriptionOnFinish) return
  const { project, subscription } = clients.names
  const wanted = subscriptionID === '' ? [subscription] : []
  const own = { recalled: recall(ctx), scope: `subscriptions of the entry's own in ${project}`, wanted }
  await endWhatIsNotWanted(ctx, own, (before) => drop(clients, before))
}

async function drop({ subscriber }: PubSubClients, subscription: string): Promise<void> {
  await subscriber.deleteSubscription({ subscription }, ONCE).catch((error: unknown) => {
    if (codeOf(error) !== NOT_FOUND) throw described(error, `failed to delete ${subscription}`)
  })
}

/** One stream, until it ends (then it throws) or `signal` aborts. */
async function pull(ctx: ServeContext<PubSubSpec>, clients: PubSubClients, rejected: Rejected): Promise<void> {
  const { signal, spec } = ctx
  const { subscriber, names } = clients
  const { subscription } = names
  /** Not acknowledged yet. */
  const held = new Set<string>()
  const ended = new AbortController()
  const acks = requests((ackIds) => subscriber.acknowledge({ subscription, ackIds }, ONCE))
  const window = ackWindow<Received>((run) => {
    for (const { ackId } of run) {
      held.delete(ackId!)
      acks.add(ackId!)
    }
  })
  const nacks = requests((ackIds) =>
    subscriber.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 0 }, ONCE),
  )
  const publish = async (received: Received): Promise<Handed> => {
    const { message, ackId } = received
    const { messageId, publishTime } = message!
    // With the time: ids are unique within a topic only, and one that is made anew, as by an emulator, may count anew.
    const id = `${messageId}:${publishTime?.seconds ?? ''}.${publishTime?.nanos ?? ''}`
    const known = rejected.has(id)
    const item = { what: `message ${messageId} of ${subscription}`, fate: fateOf(received) }
    const handed = known ? 'rejected' : await handOver(ctx, item, { id }, () => messagePayload(message!, spec))
    if (handed === 'published' || !movesAway(received)) return 'published'
    rejected.add(id)
    held.delete(ackId!)
    nacks.add(ackId!)
    return 'rejected'
  }
  const stream = subscriber.streamingPull({ timeout: 24 * 3600 * 1000 })
  stream.write({
    subscription,
    streamAckDeadlineSeconds: ACK_DEADLINE_S,
    maxOutstandingMessages: IN_FLIGHT,
    maxOutstandingBytes: IN_FLIGHT_BYTES,
  })
  const received = async (): Promise<never> => {
    for await (const { receivedMessages } of stream as AsyncIterable<Response>) {
      if (signal.aborted) break
      for (const one of receivedMessages ?? []) {
        held.add(one.ackId!)
        window.add(one, () => publish(one))
      }
    }
    throw Object.assign(new Error('the stream has ended'), { code: 14 })
  }
  const extend = (ackDeadlineSeconds: number) =>
    inPieces([...held], (ackIds) => subscriber.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds }, ONCE))
  const extending = async (): Promise<never> => {
    for (;;) {
      await ctx.clock.sleep(EXTEND_MS, ended.signal)
      // When it fails they come again, and are known by their ids.
      if (held.size > 0) await extend(ACK_DEADLINE_S).catch(() => {})
    }
  }
  extending().catch(() => {})
  try {
    await Promise.race([received(), whenAborted(signal), window.failed])
    await window.settled()
  } finally {
    stream.on('error', () => {})
    stream.cancel()
    ended.abort(fail('SHUTTING_DOWN', 'the stream has ended'))
    await Promise.all([acks.settled(), nacks.settled()])
    // The rest is for the next one, at once.
    await extend(0).catch(() => {})
  }
}

/** Pub/Sub counts deliveries for a subscription with a dead-letter policy only (`ReceivedMessage.delivery_attempt`). */
const movesAway = ({ deliveryAttempt }: Received): boolean => (deliveryAttempt ?? 0) > 0

const fateOf = (received: Received): string =>
  movesAway(received)
    ? 'it is refused, until the dead-letter policy of the subscription moves it to its topic'
    : 'it is acknowledged, since the subscription has no dead-letter policy'

async function inPieces(ids: string[], send: (ids: string[]) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < ids.length; i += IDS_AT_ONCE) await send(ids.slice(i, i + IDS_AT_ONCE))
}

/** Sends what has come together while the request before was under way. What fails comes again, and is known by its id. */
function requests(send: (ids: string[]) => Promise<unknown>) {
  let waiting: string[] = []
  let running: Promise<void> | null = null
  const run = async (): Promise<void> => {
    // What is acknowledged in the same turn goes together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const ids = waiting
      waiting = []
      await inPieces(ids, send).catch(() => {})
    }
    running = null
  }
  return {
    add(id: string) {
      waiting.push(id)
      running ??= run()
    },
    settled: async () => {
      await running
    },
  }
}
