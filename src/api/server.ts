/**
 * The HTTP API of a run. Two servers share this handler: one on `--listen` (on this machine reading is free, elsewhere it needs a token;
 * doing always needs the one from `<data>/run.json`), one on the control socket in the data directory, which only the owner can open (`trusted`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { fail, isVedetteError, messageOf, type VedetteError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { printable } from '../core/printable.ts'
import type { Redact } from '../core/redact.ts'
import { refusedForm } from '../runtime/http/message.ts'
import { accessBy, everything } from './access.ts'
import { crossSite, refusedAsCrossSite } from './crossSite.ts'
import { republish, sendEvent } from './publish.ts'
import { named, scanOf } from './query.ts'
import type { Readers } from './readers.ts'
import type { Readiness, Run } from './run.ts'
import { parseFrom } from './scan.ts'
import { notServedLine } from './served.ts'
import { streamEvents } from './stream.ts'

const MAX_BODY_BYTES = 8 * 1024 * 1024

export interface ApiOptions {
  run: Run
  log: Logger
  /** Of errors; what the run says is shown as it says it. */
  redact: Redact
  /** Whoever can connect may do anything. */
  trusted: boolean
  /** What POSTs must carry as bearer token, unless trusted. */
  token: string
  /** What reading must carry, unless trusted; null: nothing. See {@link accessBy}. */
  readTokens: (() => readonly string[]) | null
  readers: Readers
  /** The host of `--listen`, which is let through in the Host header beside loopback names and addresses. */
  host: string
}

/** A server that is not listening yet. */
export function createApi(options: ApiOptions): Server {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 15_000 }, (request, response) => {
    if (refusedForm(request, response)) return
    handle(options, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else answerError(response, error, options)
    })
  })
  return server
}

async function handle(options: ApiOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { run, readers, redact, trusted, token, readTokens, host } = options
  const access = trusted ? everything : accessBy(token, readTokens)
  response.setHeader('x-content-type-options', 'nosniff')
  if (!trusted && !hostAllowed(request.headers.host, host)) {
    return answer(response, 421, {
      error: 'this Host is not served here: use localhost, an IP address or the name given to --listen',
    })
  }
  const foreign = crossSite(request.headers)
  if (foreign !== null) return answer(response, 403, { error: refusedAsCrossSite(foreign) })
  const url = new URL(request.url ?? '/', 'http://localhost')
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
  if (route === undefined) return answer(response, 404, { error: `there is nothing at ${url.pathname}; see GET /` })
  const method = request.method === 'HEAD' ? 'GET' : request.method
  if (route.method !== method) {
    response.setHeader('allow', route.method)
    return answer(response, 405, { error: `${url.pathname} takes ${route.method}` })
  }
  const { authorization } = request.headers
  const mayRead = access.mayRead(authorization)
  if (route.method === 'POST' ? !access.mayAct(authorization) : route.open !== true && !mayRead) {
    response.setHeader('www-authenticate', 'Bearer')
    const which = route.method === 'POST' ? 'the token in' : 'a token of --read-token-file, or the one in'
    return answer(response, 401, { error: `send "Authorization: Bearer <token>" with ${which} <data>/run.json` })
  }
  await route.answer({ run, readers, redact, url, request, response, mayRead })
}

interface Call {
  run: Run
  readers: Readers
  redact: Redact
  /** False only where the route is open. */
  mayRead: boolean
  url: URL
  request: IncomingMessage
  response: ServerResponse
}

interface Route {
  method: 'GET' | 'POST'
  /** Needs no token: what a probe asks, and what everybody knows. */
  open?: true
  answer(call: Call): Promise<void>
}

const routes: Record<string, Route> = {
  '/': {
    method: 'GET',
    open: true,
    async answer({ response }) {
      text(response, 200, INDEX)
    },
  },
  '/healthz': {
    method: 'GET',
    open: true,
    async answer({ response }) {
      text(response, 200, 'ok\n')
    },
  },
  '/startupz': {
    method: 'GET',
    open: true,
    async answer({ run, response }) {
      const started = run.started()
      text(response, started ? 200 : 503, started ? 'started\n' : 'starting\n')
    },
  },
  '/readyz': {
    method: 'GET',
    open: true,
    async answer({ run, request, response, mayRead }) {
      const readiness = await run.readiness()
      const code = readiness.ready ? 200 : 503
      if (!mayRead) return text(response, code, readiness.ready ? 'ready\n' : 'not ready\n')
      if (/\bapplication\/json\b/.test(request.headers.accept ?? '')) answer(response, code, readiness)
      else text(response, code, readinessText(readiness))
    },
  },
  '/readyz/delivery': {
    method: 'GET',
    open: true,
    async answer({ run, response, mayRead }) {
      const delivery = run.delivery()
      if (delivery === null) return text(response, 404, 'nothing is delivered: this run has no --deliver\n')
      const { error, errorSince } = delivery
      const why = mayRead ? `held up since ${errorSince}: ${printable(String(error))}\n` : 'held up\n'
      text(response, error === null ? 200 : 503, error === null ? 'ready\n' : why)
    },
  },
  '/metrics': {
    method: 'GET',
    async answer({ run, response }) {
      text(response, 200, await run.metrics(), 'text/plain; version=0.0.4; charset=utf-8')
    },
  },
  '/v1/status': {
    method: 'GET',
    async answer({ run, response }) {
      answer(response, 200, await run.status())
    },
  },
  '/v1/events': {
    method: 'GET',
    async answer({ run, readers, redact, url, request, response }) {
      const lastEventId = request.headers['last-event-id']
      const wanted = scanOf(url, Array.isArray(lastEventId) ? lastEventId[0] : lastEventId)
      await streamEvents(run.reading, request, response, wanted, { readers, redact })
    },
  },
  '/v1/failover': {
    method: 'POST',
    async answer({ run, request, response }) {
      const body = await jsonBody(request)
      const source = run.find(stringIn(body, 'source'), optionalString(body, 'namespace'))
      answer(response, 200, await run.failOver(source))
    },
  },
  '/v1/stop': {
    method: 'POST',
    async answer({ run, response }) {
      answer(response, 202, { stopping: true })
      run.stop()
    },
  },
  '/v1/send': {
    method: 'POST',
    async answer({ run, request, response }) {
      const body = await jsonBody(request)
      const source = run.find(stringIn(body, 'source'), optionalString(body, 'namespace'))
      answer(response, 200, await sendEvent(run, source, stringIn(body, 'entry'), body.data ?? {}))
    },
  },
  '/v1/replay': {
    method: 'POST',
    async answer({ run, request, response }) {
      const body = await jsonBody(request)
      const from = named('from', parseFrom, String(body.from ?? ''))
      const to = named('to', parseFrom, String(body.to ?? 'now'))
      answer(
        response,
        200,
        await republish(run.bus, {
          from,
          to,
          source: optionalString(body, 'source'),
          namespace: optionalString(body, 'namespace'),
          entry: optionalString(body, 'entry'),
          execute: body.execute === true,
        }),
      )
    },
  },
}

const INDEX = `vedette

GET  /v1/status    sources, entries, replicas, leaders, failovers (JSON)
GET  /v1/events    events as they are stored (server-sent events, resumable by Last-Event-ID)
                   ?from=start|now|SEQ &limit=N &source=S &entry=E &follow=false
GET  /metrics      Prometheus
GET  /healthz      this process lives
GET  /startupz     all replicas have started
GET  /readyz       all entries are served and the bus answers; if not, which are not, and why (text, or JSON by Accept)
GET  /readyz/delivery   what --deliver sends is taken; 503 says what holds it up
                        off this machine all but the probes need a bearer token: of --read-token-file, or from <data>/run.json
POST /v1/failover  {"source"}                  with the bearer token from <data>/run.json
POST /v1/send      {"source","entry","data"}   likewise
POST /v1/replay    {"from","to","execute"}     likewise
POST /v1/stop                                  likewise
`

function readinessText({ ready, reasons, notServed }: Readiness): string {
  const lines = [
    ready ? 'ready' : 'not ready',
    ...reasons,
    ...notServed.map((one) => `not served: ${notServedLine(one)}`),
  ]
  return `${lines.map(printable).join('\n')}\n`
}

/**
 * A page on another site can make a browser connect here under that site's name (DNS rebinding); such a request carries that
 * name in Host. Addresses cannot be rebound, so they pass.
 */
export function hostAllowed(header: string | undefined, listenHost: string): boolean {
  if (header === undefined) return false
  const name = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(header)?.[1]?.toLowerCase()
  if (name === undefined) return false
  const bare = name.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || isIP(bare) !== 0 || bare === listenHost.toLowerCase()
}

async function jsonBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw fail('EVENT_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  let value: unknown
  try {
    value = bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (error) {
    throw fail('USAGE', `the body is not JSON: ${messageOf(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fail('USAGE', 'the body must be a JSON object')
  }
  return value as Record<string, unknown>
}

function stringIn(body: Record<string, unknown>, key: string): string {
  const value = body[key]
  if (typeof value !== 'string' || value === '') throw fail('USAGE', `the body needs ${JSON.stringify(key)}, a string`)
  return value
}

function optionalString(body: Record<string, unknown>, key: string): string | undefined {
  return body[key] === undefined ? undefined : stringIn(body, key)
}

const STATUS_OF: Partial<Record<VedetteError['code'], number>> = {
  SOURCE_UNKNOWN: 404,
  NOT_LEADING: 409,
  EVENT_TOO_LARGE: 413,
}

function answerError(response: ServerResponse, error: unknown, { log, redact }: ApiOptions): void {
  if (!isVedetteError(error)) {
    log.error('the API failed on a request', { error })
    answer(response, 500, { error: redact(messageOf(error)), code: 'BUG' })
    return
  }
  const status = STATUS_OF[error.code] ?? { user: 400, transient: 503, fenced: 409, bug: 500 }[error.class]
  if (status === 503) response.setHeader('retry-after', '1')
  answer(response, status, { error: redact(error.message), code: error.code })
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  text(response, status, `${printable(JSON.stringify(value))}\n`, 'application/json')
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}
