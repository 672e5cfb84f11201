/** The brokers of a cluster: which of them has a topic, and a connection to each that is needed. */
import { fail } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { athenzLogin, pemAt } from './athenz.ts'
import { httpLookup } from './http-lookup.ts'
import { binaryLookup, type Connect } from './lookup.ts'
import { type Host, hostPort, type PulsarSpec, serviceOf, usesAthenz } from './spec.ts'
import { type BrokerConnection, dialBroker, type Encryption, type Login } from './wire.ts'

export interface Cluster extends Closable {
  close(): void
  readonly alive: boolean
  /** Rejects when one of its connections is lost. */
  readonly lost: Promise<never>
  /** 0: the topic has none. @throws ORIGIN_UNAVAILABLE */
  partitions(topic: string): Promise<number>
  /** A connection to the broker that has the topic. @throws ORIGIN_UNAVAILABLE */
  brokerOf(topic: string): Promise<BrokerConnection>
  hold(held: boolean): void
}

/** @param ctx its signal ends the connecting; what is connected then lasts until it is closed. @throws ORIGIN_UNAVAILABLE, SECRET_MISSING */
export async function connectCluster(ctx: EntryContext<PulsarSpec>): Promise<Cluster> {
  const ended = new AbortController()
  const stop = () => ended.abort(ctx.signal.reason)
  if (ctx.signal.aborted) stop()
  ctx.signal.addEventListener('abort', stop, { once: true })
  try {
    return await connectUntil(ctx, ended)
  } finally {
    ctx.signal.removeEventListener('abort', stop)
  }
}

async function connectUntil(ctx: EntryContext<PulsarSpec>, ended: AbortController): Promise<Cluster> {
  const { spec, clock } = ctx
  const { signal } = ended
  const service = serviceOf(spec.url)
  if (service === null) throw fail('SPEC_INVALID', `url ${spec.url} cannot be read: write pulsar://host:6650`)
  const login = loginOf(ctx, signal)
  const encryption = service.encrypted ? await encryptionOf(ctx) : null
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  /** By address, and the broker that a proxy speaks for. */
  const connections = new Map<string, Promise<BrokerConnection>>()
  const open: BrokerConnection[] = []

  const dial = async (host: Host, proxyTo?: Host): Promise<BrokerConnection> => {
    const connection = await dialBroker({ host, proxyTo, encryption, login: await login(), clock, signal })
    open.push(connection)
    connection.lost.catch(loss.reject)
    return connection
  }
  const connected: Connect = (host, proxyTo) => {
    const key = `${hostPort(host)} ${proxyTo === undefined ? '' : hostPort(proxyTo)}`
    const connection = connections.get(key) ?? dial(host, proxyTo)
    connections.set(key, connection)
    return connection
  }
  const lookup = service.http
    ? httpLookup({ service, login, encryption, clock, signal })
    : await binaryLookup(service, connected, signal)

  return {
    get alive() {
      return open.every((connection) => connection.alive)
    },
    lost: loss.promise,
    partitions: lookup.partitions,
    async brokerOf(topic) {
      const { broker, through } = await lookup.placeOf(topic)
      return through === undefined ? await connected(broker) : await connected(through, broker)
    },
    hold(held) {
      for (const connection of open) connection.hold(held)
    },
    close() {
      ended.abort()
      for (const connection of open) connection.close()
    },
  }
}

/** Upstream's order: a certificate, Athenz, a token. What it gives is read anew each time. */
function loginOf({ spec, secret, clock }: EntryContext<PulsarSpec>, signal: AbortSignal): () => Promise<Login | null> {
  const { tls, authTokenSecret, authAthenzSecret, authAthenzParams: params = {} } = spec
  // The certificate itself travels with the encryption.
  if (tls !== undefined) return async () => ({ method: 'tls', data: '', headers: {} })
  if (usesAthenz(spec)) {
    const privateKey = () =>
      authAthenzSecret === undefined ? pemAt('privateKey', params.privateKey ?? '') : secret(authAthenzSecret)
    return athenzLogin({ params, privateKey, clock, signal })
  }
  return async () => {
    if (authTokenSecret === undefined) return null
    const token = await sentSecret({ secret }, authTokenSecret)
    return { method: 'token', data: token, headers: { authorization: `Bearer ${token}` } }
  }
}

async function encryptionOf({ spec, secret }: EntryContext<PulsarSpec>): Promise<Encryption> {
  const encryption: Encryption = {
    rejectUnauthorized: !spec.tlsAllowInsecureConnection,
    validateHostname: spec.tlsValidateHostname,
  }
  if (spec.tlsTrustCertsSecret !== undefined) encryption.ca = await secret(spec.tlsTrustCertsSecret)
  if (spec.tls?.clientCertSecret !== undefined && spec.tls.clientKeySecret !== undefined) {
    encryption.cert = await secret(spec.tls.clientCertSecret)
    encryption.key = await secret(spec.tls.clientKeySecret)
  }
  return encryption
}
