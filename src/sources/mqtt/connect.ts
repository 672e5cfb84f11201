/** One connection to an MQTT 3.1.1 broker, without any reconnecting of its own: the runtime does that, with secrets read anew. */
import type { IClientOptions, MqttClient } from 'mqtt'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { PrepareContext } from '../../source.ts'
import { readBasicAuth } from '../shared/basic-auth.ts'
import { networkError } from '../shared/network-error.ts'
import { tlsMaterial } from '../shared/tls.ts'
import { type MqttSpec, schemeOf } from './spec.ts'

export interface MqttConnection {
  readonly client: MqttClient
  /** The broker, without credentials. */
  readonly where: string
  /** Rejects when the connection is lost, with what is wrong. */
  readonly lost: Promise<never>
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
/** A broker that says nothing for one and a half of these is gone. */
const KEEP_ALIVE_SECONDS = 10

/**
 * @param session `clientId`, and whether the broker keeps it (MQTT 3.1.1, 3.1.2.4)
 * @param onClient called before anything can be received
 * @throws ORIGIN_UNAVAILABLE, SECRET_MISSING: what is wrong, and in which layer
 */
export async function connect(
  ctx: PrepareContext<MqttSpec>,
  session: { clientId: string; keep: boolean },
  onClient: (client: MqttClient) => void,
): Promise<MqttConnection> {
  const { spec, signal } = ctx
  const scheme = schemeOf(spec)
  if (scheme === undefined)
    throw fail('SPEC_INVALID', 'the url is none of MQTT: begin it with tcp://, ssl://, ws:// or wss://')
  const rest = spec.url.slice(spec.url.indexOf('://') + 3)
  const where = rest.replace(/^[^@/]*@/, '')
  const secure = scheme === 'mqtts' || scheme === 'wss'
  const login = await readBasicAuth(ctx, spec.auth)
  const options: IClientOptions = {
    clientId: session.clientId,
    clean: !session.keep,
    protocolVersion: 4,
    keepalive: KEEP_ALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    manualConnect: true,
    ...(login === null ? {} : login),
    ...(secure ? await tlsMaterial(ctx, spec.tls) : {}),
  }
  const { connect: dial } = await import('mqtt')
  const client =
    scheme === 'unix'
      ? dial({ ...options, protocol: 'mqtt+unix', path: `/${rest}` })
      : dial(`${scheme}://${rest}`, options)
  onClient(client)
  const opened = Promise.withResolvers<void>()
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  let last: unknown
  client.on('connect', () => opened.resolve())
  client.on('error', (error) => {
    last = error
    // A refusal by the broker closes nothing at our end.
    loss.reject(described(error, where))
  })
  client.on('close', () => loss.reject(described(last ?? new Error('the broker has closed the connection'), where)))
  const close = async () => {
    await client.endAsync(!client.connected).catch(() => {})
  }
  try {
    client.connect()
    await Promise.race([opened.promise, loss.promise, whenAborted(signal)])
    signal.throwIfAborted()
    return { client, where, lost: loss.promise, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @throws ORIGIN_UNAVAILABLE */
export async function subscribe(
  { client, where, lost }: MqttConnection,
  { entry, spec }: PrepareContext<MqttSpec>,
  qos: 0 | 1,
): Promise<void> {
  const granted = await Promise.race([client.subscribeAsync(spec.topic, { qos }), lost]).catch((error: unknown) => {
    const text = `failed to subscribe to the topic ${spec.topic} for event source ${entry}, ${messageOf(error)}`
    throw fail('ORIGIN_UNAVAILABLE', `${where}: ${text}`, {}, { cause: error })
  })
  const got = granted[0]?.qos
  if (got === undefined || got < qos) {
    const text = `the broker grants only QoS ${got} for the topic ${spec.topic}: it would forget messages`
    throw fail('ORIGIN_UNAVAILABLE', `${where}: ${text}`)
  }
}

/** Return codes of CONNACK (MQTT 3.1.1, table 3.1). */
function described(error: unknown, where: string): VedetteError {
  const message = messageOf(error)
  const code = (error as { code?: unknown } | null)?.code
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', text, {}, { cause: error })
  if (code === 4 || code === 5)
    return say(`authentication: ${where}: the broker refuses the user or the password (${message})`)
  if (/connack timeout/i.test(message)) return say(`TCP: ${where}: connected, but the broker does not answer`)
  if (/keepalive timeout/i.test(message)) return say(`${where}: connected but silent: no answer to a ping`)
  return networkError(error, where)
}
