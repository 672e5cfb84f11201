/**
 * Calls to the API server over HTTP/1.1: each call has a connection of its own while it lasts, so one that hangs is dropped with
 * its connection and holds up nothing else (on one shared HTTP/2 connection it would).
 */
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import type { Clock } from '../core/clock.ts'
import { isVedetteError } from '../core/errors.ts'
import type { KubeConfiguration } from './configuration.ts'
import { type Call, noAnswer, refusal, type Status } from './failure.ts'
import { pathOf } from './resources.ts'

export interface CallOptions {
  query?: Record<string, string | number | boolean | undefined>
  body?: unknown
  contentType?: string
  /** How long the answer may take, milliseconds; for a watch only its beginning. */
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

export interface Transport {
  readonly namespace: string
  /** @returns the answer, or null for a single object that is not there. @throws see failure.ts; the signal's reason */
  call(call: Call, options?: CallOptions): Promise<any>
  /** The body as it comes. @throws as {@link call} */
  open(call: Call, options?: CallOptions): Promise<AsyncIterable<Buffer>>
  close(): Promise<void>
}

const PATIENCE_MS = 10_000

export function kubeTransport(configuration: KubeConfiguration, clock: Clock): Transport {
  const { server, namespace, tls, proxy } = configuration
  const { origin, pathname } = new URL(server)
  const prefix = pathname.replace(/\/$/, '')
  const connection = { allowH2: false, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000 }
  const connect = { ...tls, timeout: PATIENCE_MS, keepAlive: true, keepAliveInitialDelay: 15_000 }
  const dispatcher: Dispatcher =
    proxy === undefined
      ? new Agent({ ...connection, connect })
      : new ProxyAgent({ ...connection, uri: proxy, requestTls: connect })

  const send = async (
    call: Call,
    options: CallOptions,
    signal: AbortSignal,
    refused = false,
  ): Promise<Dispatcher.ResponseData> => {
    const { query = {}, body, contentType = 'application/json' } = options
    const authorization = await configuration.authorization(refused)
    const used = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
    const search = new URLSearchParams(used.map(([name, value]) => [name, String(value)])).toString()
    const response = await dispatcher.request({
      origin,
      path: `${prefix}${pathOf(call.resource, call)}${search === '' ? '' : `?${search}`}`,
      method: METHODS[call.verb],
      headers: {
        accept: 'application/json',
        'user-agent': 'vedette',
        ...(authorization === null ? {} : { authorization }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    })
    if (response.statusCode === 401 && !refused) {
      // The token may have been rewritten since it was read.
      await response.body.dump()
      return await send(call, options, signal, true)
    }
    return response
  }

  /** Runs `work` under the caller's signal and a limit of time, and says what went wrong in our words. */
  const within = async <T>(call: Call, options: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { signal, timeoutMs = PATIENCE_MS } = options
    signal?.throwIfAborted()
    const limit = new AbortController()
    const cancel = clock.after(timeoutMs, () => limit.abort(new Error(`no answer within ${timeoutMs} ms`)))
    try {
      return await work(signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]))
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (isVedetteError(error)) throw error
      throw noAnswer(call, server, error)
    } finally {
      cancel()
    }
  }

  return {
    namespace,
    call: (call, options = {}) =>
      within(call, options, async (signal) => {
        const { statusCode, body } = await send(call, options, signal)
        const text = await body.text()
        if (statusCode < 300) return JSON.parse(text)
        const status = statusOf(text)
        if (statusCode === 404 && status?.reason === 'NotFound' && looksFor(call)) return null
        throw refusal(call, statusCode, status, text)
      }),
    open: (call, options = {}) =>
      within(call, options, async (signal) => {
        const { statusCode, body } = await send(call, options, signal)
        if (statusCode < 300) return body
        const text = await body.text()
        throw refusal(call, statusCode, statusOf(text), text)
      }),
    close: () => dispatcher.destroy(),
  }
}

/** Whether it is the object that a 404 says is not there. What makes one lacks its namespace then; without a Status it is the kind. */
const looksFor = ({ verb, name, subresource }: Call): boolean =>
  name !== undefined && verb !== 'create' && (verb !== 'patch' || subresource !== undefined)

const METHODS = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
} as const

function statusOf(text: string): Status | null {
  try {
    const status = JSON.parse(text) as Status
    return status?.kind === 'Status' ? status : null
  } catch {
    return null
  }
}
