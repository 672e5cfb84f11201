/** The brokers of a cluster: which of them has a topic, and a connection to each that is needed. */
import { fail } from '../../core/errors.ts'
import type { Closable, PrepareContext } from '../../source.ts'
import { type PulsarSpec, serviceOf } from './spec.ts'
import { type BrokerConnection, dialBroker, type Encryption, type Login } from './wire.ts'

export interface Cluster extends Closable {
  readonly alive: boolean
  /** Rejects when one of its connections is lost. */
  readonly lost: Promise<never>
  /** 0: the topic has none. @throws ORIGIN_UNAVAILABLE */
  partitions(topic: string): Promise<number>
  /** A connection to the broker that has the topic. @throws ORIGIN_UNAVAILABLE */
  brokerOf(topic: string): Promise<BrokerConnection>
  hold(held: boolean): void
}

/** Brokers that may send us on to another one, before it counts as a circle. */
const MOST_REDIRECTS = 20

/** @throws ORIGIN_UNAVAILABLE, SECRET_MISSING */
export async function connectCluster(ctx: PrepareContext<PulsarSpec>): Promise<Cluster> {
  const { spec, clock, signal } = ctx
  const service = serviceOf(spec.url)
  if (service === null) throw fail('SPEC_INVALID', `url ${spec.url} cannot be read: write pulsar://host:6650`)
  const login = await loginOf(ctx)
  const encryption = service.encrypted ? await encryptionOf(ctx) : null
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  /** By address, and the broker that a proxy speaks for. */
  const connections = new Map<string, Promise<BrokerConnection>>()
  const open: BrokerConnection[] = []

  const dial = async (host: string, port: number, proxyTo?: string): Promise<BrokerConnection> => {
    const connection = await dialBroker({ host, port, proxyTo, encryption, login, clock, signal })
    open.push(connection)
    connection.lost.catch(loss.reject)
    return connection
  }
  const connected = (host: string, port: number, proxyTo?: string): Promise<BrokerConnection> => {
    const key = `${host}:${port} ${proxyTo ?? ''}`
    const connection = connections.get(key) ?? dial(host, port, proxyTo)
    connections.set(key, connection)
    return connection
  }
  const firstThatAnswers = async (): Promise<[BrokerConnection, string, number]> => {
    let problem: unknown
    for (const { host, port } of service.hosts) {
      try {
        return [await connected(host, port), host, port]
      } catch (error) {
        signal.throwIfAborted()
        problem = error
      }
    }
    throw problem
  }
  const close = () => {
    for (const connection of open) connection.close()
  }
  const [entrance, host, port] = await firstThatAnswers()

  return {
    get alive() {
      return open.every((connection) => connection.alive)
    },
    lost: loss.promise,
    partitions: (topic) => entrance.partitions(topic),
    async brokerOf(topic) {
      let asked = entrance
      let authoritative = false
      for (let i = 0; i < MOST_REDIRECTS; i++) {
        const found = await asked.lookUp(topic, authoritative)
        const url = (service.encrypted ? found.urlTls : found.url) || ''
        const [place] = serviceOf(url)?.hosts ?? []
        if (place === undefined) {
          const kind = service.encrypted ? 'with TLS' : 'without TLS'
          throw fail('ORIGIN_UNAVAILABLE', `${asked.address}: the broker of ${topic} has no address ${kind}`)
        }
        const next = found.proxied
          ? await connected(host, port, `${place.host}:${place.port}`)
          : await connected(place.host, place.port)
        if (found.response === 1) return next
        asked = next
        authoritative = found.authoritative ?? false
      }
      throw fail('ORIGIN_UNAVAILABLE', `${entrance.address}: the brokers send each other for ${topic}`)
    },
    hold(held) {
      for (const connection of open) connection.hold(held)
    },
    close,
  }
}

async function loginOf({ spec, secret }: PrepareContext<PulsarSpec>): Promise<Login | null> {
  // The certificate itself travels with the encryption.
  if (spec.tls !== undefined) return { method: 'tls', data: '' }
  return spec.authTokenSecret === undefined ? null : { method: 'token', data: await secret(spec.authTokenSecret) }
}

async function encryptionOf({ spec, secret }: PrepareContext<PulsarSpec>): Promise<Encryption> {
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
