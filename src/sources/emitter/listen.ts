/** One subscription to a channel, on every replica unless it is shared, without any reconnecting of its own: the runtime does that. */
import { randomUUID } from 'node:crypto'
import type { IPublishPacket } from 'mqtt'
import { fail, messageOf } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Heard, ListenContext, ServeContext } from '../../source.ts'
import { connectMqtt, subscribeMqtt } from '../connections/mqtt.ts'
import { serveAlone } from '../connections/serve-alone.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { type EmitterSpec, trimmed } from './spec.ts'

/** Topics of the broker itself: answers to requests, and what it refuses. */
const SYSTEM = 'emitter/'
const ERROR = 'emitter/error/'

export async function listenToChannel(ctx: ListenContext<EmitterSpec>): Promise<void> {
  const { spec, signal, entry } = ctx
  const { broker, channelName, channelKey, tls } = spec
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => {})
  const options = { url: broker, clientId: randomUUID(), keep: false, login: await readLogin(ctx), tls }
  const connection = await connectMqtt(ctx, options, (client) => {
    client.on('message', (topic, bytes, packet) => {
      if (signal.aborted) return
      if (topic.startsWith(ERROR)) refused.reject(refusal(bytes, connection.where))
      if (topic.startsWith(SYSTEM)) return
      const message = messageOfPacket(packet, ctx)
      if (message !== null) void ctx.hear(message)
    })
  })
  const { where } = connection
  try {
    const subscribed = subscribeMqtt(connection, {
      topic: `${trimmed(channelKey)}/${trimmed(channelName)}/`,
      qos: 0,
      what: `the channel ${channelName} for event source ${entry}`,
    })
    await Promise.race([subscribed, refused.promise]).catch((error: unknown) => {
      const why = 'is the key right, does it belong to this channel, and does it permit reading?'
      throw fail('ORIGIN_UNAVAILABLE', `authentication: ${where}: ${messageOf(error)}; ${why}`, {}, { cause: error })
    })
    ctx.subscribed()
    await Promise.race([whenAborted(signal), connection.lost, refused.promise])
  } finally {
    await connection.close()
  }
}

/** A shared channel gives each message to one of its group, so only the serving replica may be in it. */
export async function serveSharedChannel(ctx: ServeContext<EmitterSpec>): Promise<void> {
  await serveAlone(ctx, listenToChannel)
}

/** Each may be there without the other. @throws SECRET_MISSING */
async function readLogin(ctx: EntryContext<EmitterSpec>): Promise<{ username?: string; password?: string }> {
  const login: { username?: string; password?: string } = {}
  for (const member of ['username', 'password'] as const) {
    const selector = ctx.spec[member]
    if (selector === undefined) continue
    login[member] = await sentSecret(ctx, selector).catch((error: unknown) => {
      const text = `failed to retrieve the ${member} from ${selector.name}, ${messageOf(error)}`
      throw fail('SECRET_MISSING', text, {}, { cause: error })
    })
  }
  return login
}

/** `{"status":401,"message":"…"}`, as the broker says it on {@link ERROR}. */
function refusal(bytes: Uint8Array, where: string): Error {
  const text = Buffer.from(bytes).toString().slice(0, 200)
  return fail('ORIGIN_UNAVAILABLE', `${where}: the broker refuses: ${text}`)
}

function messageOfPacket(packet: IPublishPacket, ctx: EntryContext<EmitterSpec>): Heard | null {
  const { jsonBody, metadata } = ctx.spec
  const { topic, payload } = packet
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  const item = { what: `a message of channel ${topic}`, fate: 'the broker does not give it again' }
  const data = payloadOrSkip(ctx, item, () => payloadOf({ topic, body: bodyOf(bytes, jsonBody) }, metadata))
  return data === null ? null : { data, item }
}
