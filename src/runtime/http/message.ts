/** What RFC 9112 wants refused of a request whose head node:http has taken. For all HTTP servers of the product. */
import type { IncomingMessage, RequestListener } from 'node:http'

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

/** A listener that gets only requests whose form is right. */
export function wellFormed(listener: RequestListener): RequestListener {
  return (incoming, response) => {
    const refused = refuseForm(incoming)
    if (refused === null) return listener(incoming, response)
    const { status, body } = refused
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(`${body}\n`)
  }
}
