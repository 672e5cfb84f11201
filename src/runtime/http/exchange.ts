/** One request from its headers to its answer. Everything that can be refused is refused before the body is read. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { cleanPath } from '../../source/endpoint.ts'
import { answerOf, type Final, hasLongUnreadBody, tryAgain, writeAnswer } from './answer.ts'
import { boundChunks, readBody } from './body.ts'
import type { Connection, Line } from './connections.ts'
import type { Crowd } from './crowd.ts'
import type { Claim, Dropped, Ledger } from './ledger.ts'
import type { Limits } from './limits.ts'
import { refuseForm } from './message.ts'
import type { PeerOf } from './peer.ts'
import { ReceivedRequest } from './request.ts'
import type { Registration, Routes, Slot } from './routes.ts'
import type { Standing } from './standing.ts'
import { encodePath, parseTarget, type Target } from './target.ts'

/** What all exchanges of a process share. */
export interface Shared extends Line {
  clock: Clock
  log: Logger
  limits: Limits
  ledger: Ledger
  crowd: Crowd
  standing: Standing
  peerOf: PeerOf
  canonical: (name: string) => string
  /** Requests without an answer now. */
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
  let claim: Claim | null = null
  try {
    const found = find(routes, incoming, shared.limits)
    let answer: Final | null
    // Never at once: what follows in its packet is parsed first, and may show that it was no request.
    if ('status' in found) answer = await Promise.resolve(found)
    else {
      claim = claimFor(shared, found.slot, incoming, connection)
      boundChunks(incoming, claim)
      answer = await answerTo(shared, found, claim, incoming, response, connection)
    }
    if (answer === null) return
    const close = answer.close === true || shared.closing || isLast(connection, incoming) || hasLongUnreadBody(incoming)
    if (close) connection.last = true
    writeAnswer(incoming, response, answer, { close, clock, log })
  } catch (error) {
    log.error('a request ended in an unexpected error', { error })
    incoming.socket.destroy()
  } finally {
    if (claim?.atWork) connection.atWork--
    claim?.end()
    shared.inFlight--
    shared.onAnswered()
  }
}

const isLast = ({ last, full, begun }: Connection, incoming: IncomingMessage): boolean =>
  last || (full && begun === incoming)

/** A request whose entry is known. */
interface Routed {
  slot: Slot
  params: Record<string, string>
  target: Target
}

/** Whose request it is, or the answer when it is nobody's. */
function find(routes: Routes, incoming: IncomingMessage, { maxHeaders }: Limits): Routed | Final {
  if (incoming.rawHeaders.length > 2 * maxHeaders) return { status: 431, body: 'too many header fields', close: true }
  const refused = refuseForm(incoming)
  if (refused !== null) return { ...refused, close: true }
  const target = parseTarget(incoming.url ?? '')
  if (target === null) return { status: 400, body: '400 Bad Request', close: true }
  const { path, search } = target
  const clean = cleanPath(path)
  if (clean !== path) return { status: 301, headers: { Location: encodePath(clean) + search } }
  const found = routes.find(path)
  if (found !== null) return { slot: found.slot, params: found.params, target }
  if (path === '/health') return { status: 200, body: 'OK' }
  return { status: 404, body: '404 page not found\n', headers: { 'X-Content-Type-Options': 'nosniff' } }
}

/** The request counts as one of this entry and peer from now on, and so does its connection. */
function claimFor(
  { clock, standing, peerOf, ledger }: Shared,
  { name: entry }: Slot,
  incoming: IncomingMessage,
  connection: Connection,
): Claim {
  const peer = peerOf(incoming, connection)
  const now = clock.monotonic()
  connection.entry = entry
  connection.peer = peer
  connection.usedAt = now
  return ledger.come({ entry, peer, proven: standing.isProven(entry, peer), now }, headBytes(incoming))
}

function headBytes({ rawHeaders, url = '' }: IncomingMessage): number {
  let bytes = url.length
  for (let i = 0; i < rawHeaders.length; i++) bytes += rawHeaders[i]!.length
  return bytes
}

/** One function, since each layer of promises costs a tenth of what the listener does for a request. @returns null when the sender is gone */
async function answerTo(
  { clock, standing, canonical, limits }: Shared,
  { slot, params, target }: Routed,
  claim: Claim,
  incoming: IncomingMessage,
  response: ServerResponse,
  connection: Connection,
): Promise<Final | null> {
  const serving = slot.current ?? (await slot.wait(limits.handOverMs))
  if (serving === null) return tryAgain('endpoint is inactive')
  const { route, guard, log, redact } = serving
  if (guard !== undefined) {
    const unproven = await guard(incoming.headers.authorization)
    if (unproven !== null) {
      if (unproven.status === 401) standing.failed(claim.entry, claim.peer)
      return unproven
    }
    standing.proved(claim.entry, claim.peer)
  }
  const refused = refuse(serving, incoming)
  if (refused !== null) return refused
  if (claim.dropped !== null) return DROPPED[claim.dropped]
  if (incoming.headers.expect !== undefined && incoming.httpVersionMinor > 0) response.writeContinue()
  const body = await readBody(incoming, maxPayload(route), claim, clock)
  if (body === 'gone') return null
  if (body === 'too large') return tooLarge
  if (typeof body === 'string') {
    standing.failed(claim.entry, claim.peer)
    return DROPPED[body]
  }
  if (!claim.admit()) return tryAgain('too many requests')
  connection.atWork++
  const { method = '', rawHeaders } = incoming
  const request = new ReceivedRequest(method, target.raw, rawHeaders, body, params, canonical)
  let answer: Final
  try {
    answer = await route.handle(request)
  } catch (error) {
    answer = answerOf(error, log, redact)
  }
  if (request.isProved) standing.proved(claim.entry, claim.peer)
  else if (guard === undefined && answer.status >= 400 && answer.status < 500) standing.failed(claim.entry, claim.peer)
  return answer
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

const DROPPED: Readonly<Record<Dropped, Final>> = {
  'no room': { ...tryAgain('too many requests'), close: true, abrupt: true },
  'too many chunks': { status: 400, body: 'too many small chunks', close: true, abrupt: true },
  'too slow': { status: 408, body: 'the body comes too slowly', close: true },
}
