/**
 * Hot standby with QoS 0, unless the subscription is shared: then only the leader is subscribed. With QoS 1 and 2 a session of the broker, taken
 * over by each leader.
 */
import { hash, randomBytes } from 'node:crypto'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { fail, isVedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, Heard, ListenContext, ServeContext } from '../../source.ts'
import { readBasicAuth } from '../connections/basic-auth.ts'
import { connectMqtt, type MqttConnection, subscribeMqtt, whereOf } from '../connections/mqtt.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { ackWindow } from '../queues/ack-window.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { endWhatIsNotWanted, recall } from '../queues/made-at-origin.ts'
import { matches } from './filter.ts'
import { keepsSession, type MqttSpec } from './spec.ts'

/** Messages that are published side by side; a broker sends no more than its own limit (Mosquitto: 20). */
export const IN_FLIGHT = 128

/** Two clients of one id push each other out, and here every replica is one. */
const ownId = ({ clientId }: MqttSpec) => `${clientId}-${randomBytes(4).toString('hex')}`

async function connect(
  ctx: EntryContext<MqttSpec>,
  session: { clientId: string; keep: boolean },
  onClient: (client: MqttClient) => void,
): Promise<MqttConnection> {
  const { url, auth, tls } = ctx.spec
  return await connectMqtt(ctx, { url, tls, login: await readBasicAuth(ctx, auth), ...session }, onClient)
}

async function subscribe(connection: MqttConnection, ctx: EntryContext<MqttSpec>, qos: 0 | 1): Promise<void> {
  const { topic } = ctx.spec
  await subscribeMqtt(connection, { topic, qos, what: `the topic ${topic} for event source ${ctx.entry}` })
}

/** With QoS 0 the broker keeps nothing: every replica is subscribed. */
export async function listenToTopic(ctx: ListenContext<MqttSpec>): Promise<void> {
  const { spec, signal } = ctx
  const connection = await connect(ctx, { clientId: ownId(spec), keep: false }, (client) => {
    client.on('message', (_topic, _payload, packet) => {
      const event = signal.aborted ? null : eventOf(packet, ctx)
      if (event !== null) void ctx.hear(event)
    })
  })
  try {
    await subscribe(connection, ctx, 0)
    ctx.subscribed()
    await Promise.race([whenAborted(signal), connection.lost])
  } finally {
    await connection.close()
  }
}

/** The session's own id would push the leader out: a connection of another one shows that host, TLS and password are right. */
export async function standBy(ctx: EntryContext<MqttSpec>): Promise<void> {
  const connection = await connect(ctx, { clientId: ownId(ctx.spec), keep: false }, () => {})
  try {
    ctx.condition(null)
    await Promise.race([whenAborted(ctx.signal), connection.lost])
  } finally {
    await connection.close()
  }
}

/** A shared subscription takes messages away from its other members, so only the serving replica is one. */
export async function serveShared(ctx: ServeContext<MqttSpec>): Promise<void> {
  await consume(ctx, { clientId: ownId(ctx.spec), keep: false, qos: 0 }, async () => {})
}

/**
 * With QoS 1 the broker keeps what is not acknowledged for the session, and sends it again to whoever comes with its id. QoS 2 is
 * subscribed with 1: its handshake acknowledges a message before it is published, and lives in the memory of one process.
 */
export async function serveSession(ctx: ServeContext<MqttSpec>): Promise<void> {
  const { clientId, topic, url } = ctx.spec
  const recalled = recall(ctx)
  try {
    await consume(ctx, { clientId, keep: true, qos: 1 }, async ({ client }) => {
      // The session has what was subscribed in it by whoever, until that is unsubscribed.
      const session = { recalled, scope: `session ${clientId} at ${whereOf(url)}`, wanted: [topic] }
      await endWhatIsNotWanted(ctx, session, (filter) => client.unsubscribeAsync(filter))
    })
  } catch (error) {
    throw await takenOver(ctx, error)
  }
}

/** Ends the session: when the entry is deleted, never when a replica stops. Nobody else can use it, and for nobody it would be filled. */
export async function removeSession(ctx: EntryContext<MqttSpec>): Promise<void> {
  const { spec } = ctx
  if (!keepsSession(spec)) return
  // MQTT 3.1.1, 3.1.2.4: a clean session takes the place of the one that is kept, and ends with its connection.
  const connection = await connect(ctx, { clientId: spec.clientId, keep: false }, () => {})
  await connection.close()
}

async function consume(
  ctx: ServeContext<MqttSpec>,
  { qos, ...session }: { clientId: string; keep: boolean; qos: 0 | 1 },
  beforeSubscribing: (connection: MqttConnection) => Promise<void>,
): Promise<void> {
  const { spec, signal } = ctx
  let acknowledge: (packet: IPublishPacket) => void = () => {}
  const window = ackWindow<IPublishPacket>((run) => {
    for (const packet of run) acknowledge(packet)
  })
  const publish = async (packet: IPublishPacket): Promise<'published'> => {
    const event = matches(spec.topic, packet.topic) ? eventOf(packet, ctx) : notOurs(packet, ctx)
    if (event !== null) await ctx.emit(event)
    return 'published'
  }
  const connection = await connect(ctx, session, (client) => {
    acknowledge = (packet) => puback(client, packet)
    client.handleMessage = (packet, done) => {
      if (signal.aborted) return
      window.add(packet, () => publish(packet))
      // An error makes the library send no PUBACK and go on: ours goes when the bus has the message.
      void window.room(IN_FLIGHT).then(() => (packet.qos === 0 ? done() : done(notYet)))
    }
  })
  try {
    await beforeSubscribing(connection)
    await subscribe(connection, ctx, qos)
    ctx.condition(null)
    await Promise.race([whenAborted(signal), connection.lost, window.failed])
    await window.settled()
  } finally {
    await connection.close()
  }
}

/** The session has a filter that is not the entry's: one of before, or of somebody else who has its client id. */
function notOurs({ topic }: IPublishPacket, ctx: EntryContext<MqttSpec>): null {
  const { clientId, topic: filter } = ctx.spec
  const why = `the session ${clientId} is subscribed to more than the topic ${filter} of this entry`
  ctx.skip(`a message of topic ${topic}`, fail('EVENT_INVALID', `${why}: does another client use the clientId?`))
  return null
}

/** MQTT 3.1.1 has no word for it: the connection is closed, while the broker takes others. */
async function takenOver(ctx: EntryContext<MqttSpec>, error: unknown): Promise<unknown> {
  if (ctx.signal.aborted || !isVedetteError(error) || error.details.closedByBroker !== true) return error
  const { clientId } = ctx.spec
  try {
    await (await connect(ctx, { clientId: ownId(ctx.spec), keep: false }, () => {})).close()
  } catch {
    return error
  }
  const hint = `it takes others, so probably another client with this clientId has connected (${clientId}): give each one of its own`
  return fail('ORIGIN_UNAVAILABLE', `${error.message}; ${hint}`, {}, { cause: error })
}

const notYet = new Error('acknowledged later')

/** MQTT 3.1.1, 3.4: in the order in which the messages came (4.6). */
function puback(client: MqttClient, { qos, messageId }: IPublishPacket): void {
  if (qos === 0 || messageId === undefined || !client.connected) return
  client.stream.write(Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]))
}

function eventOf(packet: IPublishPacket, ctx: EntryContext<MqttSpec>): Heard | null {
  const { jsonBody, metadata } = ctx.spec
  const { topic, qos, retain } = packet
  const bytes = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
  const messageId = qos === 0 ? 0 : (packet.messageId ?? 0)
  const item = { what: `a message of topic ${topic}`, fate: 'the broker has no place to keep it' }
  const data = payloadOrSkip(ctx, item, () => payloadOf({ topic, messageId, body: bodyOf(bytes, jsonBody) }, metadata))
  if (data === null) return null
  // The broker tells it again at each subscription, of whichever replica.
  return retain
    ? { data, item, id: `retained:${hash('sha256', Buffer.concat([Buffer.from(`${topic}\n`), bytes]))}` }
    : { data, item }
}
