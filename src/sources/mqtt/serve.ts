/** Hot standby with QoS 0; a session of the broker, taken over by each leader, with QoS 1 and 2. */
import { hash, randomBytes } from 'node:crypto'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { whenAborted } from '../../core/signals.ts'
import type { Heard, ListenContext, PrepareContext, SourceContext } from '../../source.ts'
import { ackWindow } from '../shared/ack-window.ts'
import { readBasicAuth } from '../shared/basic-auth.ts'
import { payloadOrSkip } from '../shared/hand-over.ts'
import { bodyOf, payloadOf } from '../shared/json-body.ts'
import { connectMqtt, type MqttConnection, subscribeMqtt } from '../shared/mqtt-connection.ts'
import type { MqttSpec } from './spec.ts'

/** Messages that are published side by side; a broker sends no more than its own limit (Mosquitto: 20). */
export const IN_FLIGHT = 128

/** Two clients of one id push each other out, and here every replica is one. */
const ownId = ({ clientId }: MqttSpec) => `${clientId}-${randomBytes(4).toString('hex')}`

async function connect(
  ctx: PrepareContext<MqttSpec>,
  session: { clientId: string; keep: boolean },
  onClient: (client: MqttClient) => void,
): Promise<MqttConnection> {
  const { url, auth, tls } = ctx.spec
  return await connectMqtt(ctx, { url, tls, login: await readBasicAuth(ctx, auth), ...session }, onClient)
}

async function subscribe(connection: MqttConnection, ctx: PrepareContext<MqttSpec>, qos: 0 | 1): Promise<void> {
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
export async function standBy(ctx: PrepareContext<MqttSpec>): Promise<void> {
  const connection = await connect(ctx, { clientId: ownId(ctx.spec), keep: false }, () => {})
  try {
    ctx.condition(null)
    await Promise.race([whenAborted(ctx.signal), connection.lost])
  } finally {
    await connection.close()
  }
}

/**
 * With QoS 1 the broker keeps what is not acknowledged for the session, and sends it again to whoever comes with its id. QoS 2 is
 * subscribed with 1: its handshake acknowledges a message before it is published, and lives in the memory of one process.
 */
export async function serveSession(ctx: SourceContext<MqttSpec>): Promise<void> {
  const { spec, signal } = ctx
  let acknowledge: (packet: IPublishPacket) => void = () => {}
  const window = ackWindow<IPublishPacket>((run) => {
    for (const packet of run) acknowledge(packet)
  })
  const publish = async (packet: IPublishPacket): Promise<'published'> => {
    const event = eventOf(packet, ctx)
    if (event !== null) await ctx.emit(event)
    return 'published'
  }
  const connection = await connect(ctx, { clientId: spec.clientId, keep: true }, (client) => {
    acknowledge = (packet) => puback(client, packet)
    client.handleMessage = (packet, done) => {
      if (signal.aborted) return
      window.add(packet, () => publish(packet))
      // An error makes the library send no PUBACK and go on: ours goes when the bus has the message.
      void window.room(IN_FLIGHT).then(() => done(notYet))
    }
  })
  try {
    await subscribe(connection, ctx, 1)
    ctx.condition(null)
    await Promise.race([whenAborted(signal), connection.lost, window.failed])
    await window.settled()
  } finally {
    await connection.close()
  }
}

const notYet = new Error('acknowledged later')

/** MQTT 3.1.1, 3.4: in the order in which the messages came (4.6). */
function puback(client: MqttClient, { qos, messageId }: IPublishPacket): void {
  if (qos === 0 || messageId === undefined || !client.connected) return
  client.stream.write(Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]))
}

function eventOf(packet: IPublishPacket, ctx: PrepareContext<MqttSpec>): Heard | null {
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
