/** Finding the broker that has a topic. */
import { fail } from '../../core/errors.ts'
import { type Host, type Service, serviceOf } from './spec.ts'
import type { BrokerConnection } from './wire.ts'

/** Knows where topics are. Its calls throw ORIGIN_UNAVAILABLE. */
export interface Lookup {
  /** 0: the topic has none. */
  partitions(topic: string): Promise<number>
  /** The broker that has the topic, and the proxy that is to speak for it. */
  placeOf(topic: string): Promise<{ broker: Host; through?: Host }>
}

/** Opens connections, or gives the one that is open. @param proxyTo the broker that a proxy is to speak for */
export type Connect = (host: Host, proxyTo?: Host) => Promise<BrokerConnection>

/** Brokers that may send us on to another one, before it counts as a circle. */
export const MOST_REDIRECTS = 20

/** Asks by the binary protocol, first the first host that answers. */
export async function binaryLookup(service: Service, connected: Connect, signal: AbortSignal): Promise<Lookup> {
  const firstThatAnswers = async (): Promise<[BrokerConnection, Host]> => {
    let problem: unknown
    for (const host of service.hosts) {
      try {
        return [await connected(host), host]
      } catch (error) {
        signal.throwIfAborted()
        problem = error
      }
    }
    throw problem
  }
  const [entrance, host] = await firstThatAnswers()
  return {
    partitions: (topic) => entrance.partitions(topic),
    async placeOf(topic) {
      let asked = entrance
      let authoritative = false
      for (let i = 0; i < MOST_REDIRECTS; i++) {
        const found = await asked.lookUp(topic, authoritative)
        const broker = brokerIn(found, service, topic, asked.address)
        const place = found.proxied ? { broker, through: host } : { broker }
        if (found.response === 1) return place
        asked = found.proxied ? await connected(host, broker) : await connected(broker)
        authoritative = found.authoritative ?? false
      }
      throw fail('ORIGIN_UNAVAILABLE', `${entrance.address}: the brokers send each other for ${topic}`)
    },
  }
}

/** @param asked who gave the answer @throws ORIGIN_UNAVAILABLE when there is no address of the kind that the service has */
export function brokerIn(
  { url, urlTls }: { url?: string; urlTls?: string },
  { encrypted }: Service,
  topic: string,
  asked: string,
): Host {
  const [broker] = serviceOf((encrypted ? urlTls : url) || '')?.hosts ?? []
  if (broker !== undefined) return broker
  const kind = encrypted ? 'with TLS' : 'without TLS'
  throw fail('ORIGIN_UNAVAILABLE', `${asked}: the broker of ${topic} has no address ${kind}`)
}
