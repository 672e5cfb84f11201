/** The few plain calls of a provider's REST API: JSON in and out, errors with the provider's words, rate limits as `retryAfterMs`. */
import { retryAfterMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, isAbort, messageOf, type VedetteError } from '../../core/errors.ts'
import { textOf } from './body-text.ts'
import { FORM_TYPE, JSON_TYPE } from './media-type.ts'

export interface RestOptions {
  /** Paths are put behind it as they are: `https://gitlab.example.com/api/v4`. */
  base: string
  headers: Readonly<Record<string, string>>
  clock: Clock
  /** PEM texts; `insecure` turns verification off. */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined; insecure?: boolean } | undefined
  /** What an answer of a status may mean, behind the server's words. */
  hints?: Readonly<Record<number, string>>
  /** What of an error's body is said; left out: what most providers call their message. */
  messageIn?: (body: any) => string
  /** URL of an HTTP proxy; `environment`: what `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say. */
  proxy?: string | undefined
}

export interface RestAnswer {
  status: number
  header(name: string): string | undefined
  /** Parsed JSON; null when there is no body. */
  body: any
}

export interface Rest {
  /**
   * @param path begins with `/`; or a whole URL of the same origin (a link to the next page)
   * @param body a form when it is a `URLSearchParams`, else it is sent as JSON
   * @throws ORIGIN_UNAVAILABLE for any answer that is not 2xx (`details.status`, `details.retryAfterMs`, `details.errorCode` when it has an
   * `error_code`; `details.location` where it sends on to another URL; `details.date`, the server's time, when it is 401), and for none
   */
  call(method: string, path: string, signal: AbortSignal, body?: unknown): Promise<RestAnswer>
}

/** Answers of a list of hooks are small; whatever is larger is no answer of a provider. */
const MOST_BYTES = 16 * 1024 * 1024
const ANSWER_TIMEOUT_MS = 30_000

export async function createRest({
  base,
  headers,
  clock,
  tls,
  hints = HINTS,
  messageIn = usualMessage,
  proxy,
}: RestOptions): Promise<Rest> {
  const { Agent, EnvHttpProxyAgent, ProxyAgent, request } = await import('undici')
  const root = base.replace(/\/+$/, '')
  const { origin, host } = urlOf(root)
  const connect = {
    timeout: 10_000,
    ...(tls?.insecure ? { rejectUnauthorized: false } : {}),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  }
  const timeouts = { headersTimeout: ANSWER_TIMEOUT_MS, bodyTimeout: ANSWER_TIMEOUT_MS }
  const dispatcher =
    proxy === undefined
      ? new Agent({ ...timeouts, connect })
      : proxy === 'environment'
        ? new EnvHttpProxyAgent({ ...timeouts, connect })
        : new ProxyAgent({ ...timeouts, uri: urlOf(proxy).href, requestTls: connect })
  return {
    async call(method, path, signal, body) {
      const url = path.startsWith('/') ? `${root}${path}` : path
      // Credentials go to the provider only, wherever a link points.
      if (urlOf(url).origin !== origin) throw fail('ORIGIN_UNAVAILABLE', `${host} sent a link to ${urlOf(url).host}`)
      try {
        const answer = await request(url, {
          method: method as 'GET',
          signal,
          dispatcher,
          headers: {
            accept: 'application/json',
            ...headers,
            ...(body === undefined ? {} : { 'content-type': body instanceof URLSearchParams ? FORM_TYPE : JSON_TYPE }),
          },
          ...(body === undefined ? {} : { body: body instanceof URLSearchParams ? `${body}` : JSON.stringify(body) }),
        })
        const header = (name: string): string | undefined => {
          const value = answer.headers[name]
          return Array.isArray(value) ? value[0] : value
        }
        const text = await textOf(answer.body, MOST_BYTES)
        const { statusCode: status } = answer
        const parsed = parse(text)
        if (status >= 200 && status < 300) return { status, header, body: parsed }
        const errorCode = (parsed as { error_code?: unknown } | null)?.error_code
        throw originError({ host, status, errorCode, message: messageIn(parsed), header, nowMs: clock.now(), hints })
      } catch (error) {
        signal.throwIfAborted()
        if (isAbort(error) || (error as VedetteError).code === 'ORIGIN_UNAVAILABLE') throw error
        throw fail('ORIGIN_UNAVAILABLE', `${host} does not answer: ${messageOf(error)}`, {}, { cause: error })
      }
    },
  }
}

function urlOf(text: string): URL {
  if (!URL.canParse(text)) throw fail('SPEC_INVALID', `${JSON.stringify(text)} is no URL: write https://host/path`)
  return new URL(text)
}

function parse(text: string): unknown {
  if (text.trim() === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What providers call their message: GitLab `message`/`error`, Pulsar `reason`, Bitbucket `error.message`, Bitbucket Server `errors[0].message`. */
function usualMessage(body: any): string {
  const found = body?.errors?.[0]?.message ?? body?.error?.message ?? body?.message ?? body?.error ?? body?.reason
  if (found === undefined) return ''
  return (typeof found === 'string' ? found : JSON.stringify(found)).slice(0, 300)
}

/** The error of an answer that is not 2xx. */
export function originError({
  host,
  status,
  errorCode,
  message,
  header,
  nowMs,
  hints = HINTS,
}: {
  host: string
  status: number
  errorCode?: unknown
  message: string
  header: (name: string) => string | undefined
  nowMs: number
  hints?: Readonly<Record<number, string>> | undefined
}): VedetteError {
  const wait = [403, 429, 503].includes(status) ? waitAsked(header, nowMs) : 0
  const what = message === '' ? '' : `: ${message}`
  return fail('ORIGIN_UNAVAILABLE', `${host} answered ${status}${what}${hints[status] ?? ''}`, {
    status,
    ...(errorCode === undefined ? {} : { errorCode }),
    retryAfterMs: wait,
    ...(status >= 300 && status < 400 ? { location: header('location') } : {}),
    ...(status === 401 ? { date: header('date') } : {}),
  })
}

const HINTS: Readonly<Record<number, string>> = {
  401: ' (is the token still valid?)',
  403: ' (the token may not manage hooks there, or the rate limit is used up)',
  404: ' (the name is wrong, or the token may not see it)',
}

/** Milliseconds that a provider asks to wait: Retry-After (RFC 9110 §10.2.3), else the reset of a rate limit that is used up; 0: none. */
export function waitAsked(header: (name: string) => string | undefined, nowMs: number): number {
  const after = header('retry-after')
  if (after !== undefined) return retryAfterMs(after, nowMs)
  const left = header('x-ratelimit-remaining') ?? header('ratelimit-remaining')
  const reset = header('x-ratelimit-reset') ?? header('ratelimit-reset')
  if (left !== '0' || reset === undefined || !/^\d{1,12}$/.test(reset)) return 0
  return Math.max(0, Number(reset) * 1000 - nowMs)
}
