/** Writing answers, and closing connections so that the answer arrives. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../core/clock.ts'
import { isAbort, isVedetteError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Redact } from '../../core/redact.ts'
import type { HttpAnswer } from '../../source.ts'

/** After the last answer the rest of what the sender still sends is read and dropped for so long. */
const LINGER_MS = 2_000
/** An unread body up to this size is read and dropped so that the connection can be kept. */
const MAX_DROPPED = 64 * 1024
const TEXT = 'text/plain; charset=utf-8'

/** An answer and whether the connection ends with it. */
export interface Final extends HttpAnswer {
  close?: boolean
  /** What the sender still sends is not even read and dropped, since reading it is what costs. */
  abrupt?: boolean
}

export const tryAgain = (body: string): HttpAnswer => ({ status: 503, body, headers: { 'Retry-After': '1' } })

/**
 * The answer to a request whose handler threw. A replica that cannot reach the bus also ends the connection: a sender that keeps it would
 * ask the same replica again and again, and the next one may well reach it.
 */
export function answerOf(error: unknown, log: Logger, redact: Redact): Final {
  if (isVedetteError(error, 'EVENT_TOO_LARGE')) return { status: 413, body: redact(error.message) }
  if (isVedetteError(error, 'EVENT_INVALID')) return { status: 400, body: redact(error.message) }
  const temporary = isVedetteError(error) ? error.class === 'transient' || error.class === 'fenced' : isAbort(error)
  const close = isVedetteError(error, 'BUS_UNAVAILABLE', 'OUTCOME_UNKNOWN')
  if (temporary) return { ...tryAgain('failed to record event'), close }
  log.error(`a request failed: ${messageOf(error)}`, error instanceof Error ? { stack: error.stack } : {})
  return { status: 500, body: 'internal error' }
}

/** Writes an answer. @param close whether the connection ends with it */
export function writeAnswer(
  incoming: IncomingMessage,
  response: ServerResponse,
  { status, body = '', headers, abrupt = false }: Final,
  { close, clock, log }: { close: boolean; clock: Clock; log: Logger },
): void {
  if (response.destroyed || response.headersSent) return
  if (abrupt) incoming.socket.pause()
  else if (close || !incoming.complete) lingerAtEnd(incoming.socket, clock)
  try {
    response.writeHead(status, {
      'Content-Type': TEXT,
      ...headers,
      'Content-Length': Buffer.byteLength(body),
      ...(close ? { Connection: 'close' } : {}),
    })
    // A string, not bytes: node:http then writes head and body with one plain write, which is much cheaper.
    response.end(body)
  } catch (error) {
    log.error(`an answer could not be written: ${messageOf(error)}`)
    incoming.socket.destroy()
  }
}

/** True when keeping the connection would mean reading much for nothing. */
export function hasLongUnreadBody(incoming: IncomingMessage): boolean {
  if (incoming.complete) return false
  const { 'content-length': length, 'transfer-encoding': coding, expect } = incoming.headers
  return coding !== undefined || expect !== undefined || Number(length ?? 0) > MAX_DROPPED
}

/**
 * Makes the end of this connection gentle. node:http destroys a socket after its last answer; with bytes of the sender still
 * unread the kernel then sends a reset, which may overtake the answer. So: send FIN, drop what comes, close when the sender does.
 */
function lingerAtEnd(socket: Socket, clock: Clock): void {
  socket.destroySoon = () => {
    socket.end()
    const cancel = clock.after(LINGER_MS, () => socket.destroy())
    socket.once('close', cancel)
    socket.resume()
  }
}

/** A whole answer for a connection on which no request could be parsed; closes it. */
export function refuseConnection(socket: Duplex, status: number, clock: Clock): void {
  if (!socket.writable) return void socket.destroy()
  const body = `${status} ${STATUS_CODES[status]}`
  socket.end(
    `HTTP/1.1 ${body}\r\nContent-Type: ${TEXT}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  const cancel = clock.after(LINGER_MS, () => socket.destroy())
  socket.once('close', cancel)
}
