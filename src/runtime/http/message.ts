/** What RFC 9112 wants refused of a request whose head node:http has taken. For all HTTP servers of the product. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** @returns why the message cannot be answered as asked, or null; the connection ends with it, since its frame may be meant otherwise */
export function refuseForm(incoming: IncomingMessage): { status: 400 | 501; body: string } | null {
  const { rawHeaders, headers } = incoming
  const coding = headers['transfer-encoding']
  // §6.1: a coding that is not known; the parser has seen to it that the last one is chunked.
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return { status: 501, body: 'no transfer coding but chunked is supported' }
  }
  if (!HOST.test(headers.host ?? '') || isTwice('host', rawHeaders)) return { status: 400, body: 'malformed Host' }
  return null
}

/** §3.2: one Host, which is a name or an address and a port, or empty. */
const HOST = /^[A-Za-z0-9\-._~!$&'()*+,;=%:[\]]*$/

/** @param name in lower case */
function isTwice(name: string, rawHeaders: readonly string[]): boolean {
  let seen = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const field = rawHeaders[i]!
    if (field.length !== name.length || field.toLowerCase() !== name) continue
    if (seen) return true
    seen = true
  }
  return false
}

/**
 * For the servers that have nothing but a few paths.
 * @returns true when the request was not what it should be and is answered: its form, or a target that is no path
 */
export function refusedForm(incoming: IncomingMessage, response: ServerResponse): boolean {
  const refused =
    refuseForm(incoming) ?? (isPath(incoming.url ?? '') ? null : { status: 400, body: 'malformed target' })
  if (refused === null) return false
  const { status, body } = refused
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(`${body}\n`)
  return true
}

/** In the form of a path, or of a whole URL as for a proxy (§3.2). */
const isPath = (target: string): boolean =>
  !target.startsWith('//') &&
  (target.startsWith('/') || /^https?:\/\//i.test(target)) &&
  URL.canParse(target, 'http://h')

/** The path of a target that {@link refusedForm} has let through. */
export const pathOf = (target = '/'): string => target.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] || '/'
