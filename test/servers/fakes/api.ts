/**
 * What the fakes of providers' REST APIs share: an HTTP server on loopback with routes, a record of what was asked, and faults on
 * demand. The fakes are written from the providers' documentation, and keep state as the providers do.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export interface Asked {
  method: string
  /** Path without the query. */
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  /** Parsed JSON, the fields of a form, or null. */
  body: any
}

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

export type Handler = (asked: Asked, params: Record<string, string>) => Answer | Promise<Answer>

export interface FakeApi {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Everything asked, in order. */
  readonly asked: Asked[]
  /** Answers the next requests with these instead; null lets one through. */
  readonly faults: (Answer | null)[]
  /** Each answer waits for so long, milliseconds. */
  delayMs: number
  /** How often a method was asked, e.g. `count('POST', /hooks$/)`. */
  count(method: string, path: RegExp): number
  close(): Promise<void>
}

/** @param routes `'GET /repos/:owner/:repo/hooks'`; the first that matches answers; `:x` is one segment, percent-decoded */
export async function startFakeApi(routes: Record<string, Handler>): Promise<FakeApi> {
  const compiled = Object.entries(routes).map(([route, handler]) => {
    const [method, path] = route.split(' ') as [string, string]
    return { method, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`), handler }
  })
  const asked: Asked[] = []
  const faults: (Answer | null)[] = []
  const answer = async (one: Asked): Promise<Answer> => {
    asked.push(one)
    if (api.delayMs > 0) await pause(api.delayMs)
    const fault = faults.shift()
    if (fault != null) return fault
    for (const { method, pattern, handler } of compiled) {
      const groups = method === one.method ? pattern.exec(one.path)?.groups : undefined
      const matches = method === one.method && pattern.test(one.path)
      if (!matches) continue
      const params = Object.fromEntries(Object.entries(groups ?? {}).map(([k, v]) => [k, decodeURIComponent(v)]))
      return await handler(one, params)
    }
    return { status: 404, body: { message: `no such route: ${one.method} ${one.path}` } }
  }
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const url = new URL(request.url ?? '/', 'http://fake')
    const { status, body, headers } = await answer({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: bodyOf(text, request.headers['content-type'] ?? ''),
    })
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const api: FakeApi = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    asked,
    faults,
    delayMs: 0,
    count: (method, path) => asked.filter((one) => one.method === method && path.test(one.path)).length,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return api
}

function bodyOf(text: string, type: string): unknown {
  if (text === '') return null
  return type.startsWith('application/x-www-form-urlencoded') ? new URLSearchParams(text) : JSON.parse(text)
}

/** One page of a list by `page` and `per_page`, with what links to the others. */
export function pageOf<T>(all: T[], query: URLSearchParams, perPageDefault: number) {
  const page = Number(query.get('page') ?? 1)
  const perPage = Number(query.get('per_page') ?? perPageDefault)
  const items = all.slice((page - 1) * perPage, page * perPage)
  return { items, page, perPage, more: page * perPage < all.length }
}
