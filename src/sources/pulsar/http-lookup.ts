/** Finding topics by the REST API of brokers or a proxy (https://pulsar.apache.org/docs/develop-binary-protocol/#topic-lookup). */
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import { createRest, type RestOptions } from '../http/rest.ts'
import { brokerIn, type Lookup, MOST_REDIRECTS } from './lookup.ts'
import { hostPort, type Service } from './spec.ts'
import type { Encryption, Login } from './wire.ts'

const HINTS = {
  401: ' (authentication: is the token still valid?)',
  403: ' (authorization: the role may not consume there)',
  404: ' (the topic or its namespace does not exist)',
}

export function httpLookup({
  service,
  login,
  encryption,
  clock,
  signal,
}: {
  service: Service
  login: () => Promise<Login | null>
  encryption: Encryption | null
  clock: Clock
  signal: AbortSignal
}): Lookup {
  const scheme = service.encrypted ? 'https:' : 'http:'
  const options: Omit<RestOptions, 'base' | 'headers'> = { clock, hints: HINTS }
  // As with Argo Events' client the certificate is for the host in any case.
  if (encryption !== null) {
    const { rejectUnauthorized, ca, cert, key } = encryption
    options.tls = { insecure: !rejectUnauthorized, ca, cert, key }
  }
  /** A broker that does not have the answer names the one that has it. */
  const follow = async (first: string, topic: string): Promise<{ body: any; asked: string }> => {
    let url = new URL(first)
    for (let i = 0; i < MOST_REDIRECTS; i++) {
      try {
        const headers = (await login())?.headers ?? {}
        const rest = await createRest({ ...options, headers, base: url.origin })
        const { body } = await rest.call('GET', url.pathname + url.search, signal)
        return { body, asked: url.host }
      } catch (error) {
        const location = isVedetteError(error) ? error.details.location : undefined
        if (typeof location !== 'string' || !URL.canParse(location, url)) throw error
        url = new URL(location, url)
        // The login goes along.
        if (url.protocol !== scheme)
          throw fail('ORIGIN_UNAVAILABLE', `${first} sends on to ${url.origin}: not by ${scheme.slice(0, -1)}`)
      }
    }
    throw fail('ORIGIN_UNAVAILABLE', `${url.host}: the brokers send each other for ${topic}`)
  }
  const ask = async (path: (topic: string) => string, topic: string) => {
    let problem: unknown
    for (const host of service.hosts) {
      try {
        return await follow(`${scheme}//${hostPort(host)}${path(restPath(topic))}`, topic)
      } catch (error) {
        signal.throwIfAborted()
        problem = error
        if (isVedetteError(error) && error.details.status !== undefined) break
      }
    }
    throw problem
  }
  return {
    async partitions(topic) {
      const { body } = await ask((name) => `/admin/v2/${name}/partitions?checkAllowAutoCreation=true`, topic)
      return Number.isSafeInteger(body?.partitions) ? body.partitions : 0
    },
    async placeOf(topic) {
      const { body, asked } = await ask((name) => `/lookup/v2/topic/${name}`, topic)
      return { broker: brokerIn({ url: body?.brokerUrl, urlTls: body?.brokerUrlTls }, service, topic, asked) }
    },
  }
}

/** `persistent/tenant/namespace/name`. */
const restPath = (topic: string): string => topic.replace('://', '/').split('/').map(encodeURIComponent).join('/')
