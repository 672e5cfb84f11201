/** One connection to an MQTT 3.1.1 broker, without any reconnecting of its own: the runtime does that, with secrets read anew. */
import type { IClientOptions, MqttClient } from 'mqtt'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { type TlsSpec, tlsMaterial } from '../../source/tls.ts'
import type { EntryContext } from '../../source.ts'
import { networkError } from './network-error.ts'

/** Schemes of upstream's library, as those of ours. */
const SCHEMES: Readonly<Record<string, 'mqtt' | 'mqtts' | 'ws' | 'wss' | 'unix'>> = {
  tcp: 'mqtt',
  mqtt: 'mqtt',
  ssl: 'mqtts',
  tls: 'mqtts',
  tcps: 'mqtts',
  mqtts: 'mqtts',
  'mqtt+ssl': 'mqtts',
  ws: 'ws',
  wss: 'wss',
  unix: 'unix',
}

/** Undefined when the URL is none of MQTT. */
export function schemeOf(url: string) {
  const name = /^([a-z+]+):\/\//i.exec(url)?.[1]?.toLowerCase() ?? ''
  return Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined
}

/** The broker, without credentials. */
export const whereOf = (url: string): string => url.slice(url.indexOf('://') + 3).replace(/^[^@/]*@/, '')

const PORTS = { mqtt: '1883', mqtts: '8883', ws: '80', wss: '443', unix: '' } as const

/** Equal for URLs that lead to the same address. */
export function brokerKey(url: string): string {
  const where = whereOf(url).toLowerCase().replace(/\/$/, '')
  const scheme = schemeOf(url)
  return scheme === undefined || scheme === 'unix' || /:\d+(\/|$)/.test(where)
    ? where
    : where.replace(/(\/|$)/, `:${PORTS[scheme]}$1`)
}

export interface MqttOptions {
  url: string
  clientId: string
  /** The broker keeps the session (MQTT 3.1.1, 3.1.2.4). */
  keep: boolean
  login: { username?: string; password?: string } | null
  /** For the URLs that say TLS. */
  tls: TlsSpec | undefined
}

export interface MqttConnection {
  readonly client: MqttClient
  /** The broker, without credentials. */
  readonly where: string
  /** Rejects when the connection is lost, with what is wrong (`details.closedByBroker`: the broker closed it without a word). */
  readonly lost: Promise<never>
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
/** A broker that says nothing for one and a half of these is gone. */
const KEEP_ALIVE_SECONDS = 10

/**
 * @param onClient called before anything can be received
 * @throws ORIGIN_UNAVAILABLE, SECRET_MISSING: what is wrong, and in which layer
 */
export async function connectMqtt(
  ctx: Pick<EntryContext, 'signal' | 'secret'>,
  { url, clientId, keep, login, tls }: MqttOptions,
  onClient: (client: MqttClient) => void,
): Promise<MqttConnection> {
  const { signal } = ctx
  const scheme = schemeOf(url)
  if (scheme === undefined)
    throw fail('SPEC_INVALID', 'the url is none of MQTT: begin it with tcp://, ssl://, ws:// or wss://')
  const rest = url.slice(url.indexOf('://') + 3)
  const where = whereOf(url)
  const secure = scheme === 'mqtts' || scheme === 'wss'
  const options: IClientOptions = {
    clientId,
    clean: !keep,
    protocolVersion: 4,
    keepalive: KEEP_ALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    manualConnect: true,
    ...(login === null ? {} : login),
    ...(secure ? await tlsMaterial(ctx, tls) : {}),
  }
  const { connect: dial } = await import('mqtt')
  const client =
    scheme === 'unix'
      ? dial({ ...options, protocol: 'mqtt+unix', path: `/${rest}` })
      : dial(`${scheme}://${rest}`, { ...options, ...webHost(scheme, `${scheme}://${rest}`) })
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
  client.on('close', () => {
    if (last !== undefined) return loss.reject(described(last, where))
    const text = `${where}: the broker has closed the connection`
    loss.reject(fail('ORIGIN_UNAVAILABLE', text, { closedByBroker: true }))
  })
  const close = async () => {
    // The library never calls back when the connection breaks while it is being ended.
    await Promise.race([client.endAsync(!client.connected), loss.promise]).catch(() => {})
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

/** The library makes a URL of it again, and would leave out the brackets of an IPv6 address. */
function webHost(scheme: string, url: string): { hostname?: string } {
  const host = scheme.startsWith('ws') ? URL.parse(url)?.hostname : undefined
  return host?.startsWith('[') ? { hostname: host } : {}
}

/** @param what the topic, as it may be shown @throws ORIGIN_UNAVAILABLE */
export async function subscribeMqtt(
  { client, where, lost }: MqttConnection,
  { topic, qos, what }: { topic: string; qos: 0 | 1; what: string },
): Promise<void> {
  const granted = await Promise.race([client.subscribeAsync(topic, { qos }), lost]).catch((error: unknown) => {
    const text = `failed to subscribe to ${what}, ${messageOf(error)}`
    throw fail('ORIGIN_UNAVAILABLE', `${where}: ${text}`, {}, { cause: error })
  })
  const got = granted[0]?.qos
  if (got === undefined || got < qos) {
    const text = `the broker grants only QoS ${got} for ${what}: it would forget messages`
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
