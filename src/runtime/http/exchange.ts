/** One request from its headers to its answer. Everything that can be refused is refused before the body is read. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { cleanPath } from '../../sources/shared/endpoint.ts'
import { answerOf, type Final, hasLongUnreadBody, tryAgain, writeAnswer } from './answer.ts'
import { type Budget, readBody } from './body.ts'
import type { Connection } from './connections.ts'
import type { Limits } from './limits.ts'
import { ReceivedRequest } from './request.ts'
import type { Registration, Routes, Slot } from './routes.ts'
import { encodePath, parseTarget, type Target } from './target.ts'

/** What all exchanges of a process share. */
export interface Shared {
  clock: Clock
  log: Logger
  limits: Limits
  budget: Budget
  canonical: (name: string) => string
  /** Requests at work now. */
  inFlight: number
  /** Answers say `Connection: close`. */
  closing: boolean
  /** Told when a request has been answered. */
  onAnswered: () => void
}

/** Upstream's default limit, bytes. */
const DEFAULT_MAX_PAYLOAD = 1_048_576

/** Serves one request. Never rejects. */
export async function exchange(
  shared: Shared,
  routes: Routes,
  incoming: IncomingMessage,
  response: ServerResponse,
  connection: Connection,
): Promise<void> {
  const { clock, log } = shared
  shared.inFlight++
  try {
    const answer = await answerTo(shared, routes, incoming, response)
    if (answer === null) return
    const close = answer.close === true || shared.closing || connection.last || hasLongUnreadBody(incoming)
    if (close) connection.last = true
    writeAnswer(incoming, response, answer, { close, clock, log })
  } catch (error) {
    log.error('a request ended in an unexpected error', { error })
    incoming.socket.destroy()
  } finally {
    shared.inFlight--
    shared.onAnswered()
  }
}

/** @returns null when the sender is gone */
async function answerTo(
  shared: Shared,
  routes: Routes,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<Final | null> {
  if (incoming.rawHeaders.length > 2 * shared.limits.maxHeaders) {
    return { status: 431, body: 'too many header fields', close: true }
  }
  const target = parseTarget(incoming.url ?? '')
  if (target === null) return { status: 400, body: '400 Bad Request', close: true }
  const found = pick(routes, target)
  if ('status' in found) return found
  // Checked after the routes so that `/health` stays answered.
  if (shared.inFlight > shared.limits.maxRequests) return tryAgain('too many requests')
  const { slot, params } = found
  const serving = slot.current ?? (await slot.wait(shared.limits.handOverMs))
  if (serving === null) return tryAgain('endpoint is inactive')
  const refused = (await serving.guard?.(incoming.headers.authorization)) ?? refuse(serving, incoming)
  if (refused !== null) return refused
  return await serve(shared, serving, incoming, response, target, params)
}

/** The slot for a path, or the answer when there is none. */
function pick(routes: Routes, { path, search }: Target): { slot: Slot; params: Record<string, string> } | Final {
  const clean = cleanPath(path)
  if (clean !== path) return { status: 301, headers: { Location: encodePath(clean) + search } }
  const found = routes.find(path)
  if (found !== null) return found
  if (path === '/health') return { status: 200, body: 'OK' }
  return { status: 404, body: '404 page not found\n', headers: { 'X-Content-Type-Options': 'nosniff' } }
}

/** Why a request that may come in is not let in, judged by its headers alone. */
function refuse({ route, takeToken }: Registration, incoming: IncomingMessage): Final | null {
  const { headers, method = '' } = incoming
  if (route.methods !== undefined && !route.methods.includes(method)) {
    return { status: 405, body: 'http method does not match', headers: { Allow: route.methods.join(', ') } }
  }
  const encoding = headers['content-encoding']?.trim().toLowerCase()
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    return {
      status: 415,
      body: `content encoding ${encoding} is not supported`,
      headers: { 'Accept-Encoding': 'identity' },
    }
  }
  if (Number(headers['content-length'] ?? 0) > maxPayload(route)) return tooLarge
  const waitMs = takeToken?.() ?? 0
  if (waitMs === 0) return null
  return { status: 429, body: 'too many requests', headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) } }
}

const maxPayload = ({ maxPayloadSize = DEFAULT_MAX_PAYLOAD }: { maxPayloadSize?: number | undefined }) => maxPayloadSize
const tooLarge: Final = { status: 413, body: 'http: request body too large', close: true }

async function serve(
  { budget, canonical }: Shared,
  { route, log, redact }: Registration,
  incoming: IncomingMessage,
  response: ServerResponse,
  target: Target,
  params: Record<string, string>,
): Promise<Final | null> {
  if (incoming.headers.expect !== undefined && incoming.httpVersionMinor > 0) response.writeContinue()
  const body = await readBody(incoming, maxPayload(route), budget)
  if (body === 'gone') return null
  if (body === 'too large') return tooLarge
  if (body === 'no room') return { ...tryAgain('too many requests'), close: true }
  try {
    const { method = '', rawHeaders } = incoming
    const request = new ReceivedRequest(method, target.raw, rawHeaders, body.bytes, params, canonical)
    return await route.handle(request)
  } catch (error) {
    return answerOf(error, log, redact)
  } finally {
    body.release()
  }
}
