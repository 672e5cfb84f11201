/** Stands before an API server and counts the calls, until one of them is the last that is let through, or is not. */
import type { IncomingMessage } from 'node:http'
import { Agent, createServer, type RequestOptions, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeCertificate } from '../certificate.ts'

export interface ApiProxy {
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** Calls so far by verb and path, without watches, which last. */
  readonly calls: readonly string[]
  /**
   * Calls back at call number `index` (from 0) and answers nothing any more: `before` the API server has it, or `after` it has done what
   * it was asked.
   */
  haltAt(index: number, when: 'before' | 'after', halted: () => void): void
  close(): Promise<void>
}

/** @param ca of the server */
export async function startApiProxy(target: { url: string; ca: string }): Promise<ApiProxy> {
  const { cert, key } = makeCertificate('api-proxy')
  const { hostname, port } = new URL(target.url)
  const agent = new Agent({ keepAlive: true, ca: target.ca })
  const calls: string[] = []
  let halt: { index: number; when: 'before' | 'after'; halted: () => void } | null = null
  let isHalted = false

  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    if (isHalted) return
    const isWatch = url.includes('watch=true') || url.includes('watch=1')
    const index = isWatch ? -1 : calls.push(`${method} ${url.replace(/\?.*/, '')}`) - 1
    const halts = halt !== null && index === halt.index ? halt : null
    const stop = () => {
      isHalted = true
      halts!.halted()
    }
    if (halts?.when === 'before') return stop()
    const options: RequestOptions = { hostname, port, method, path: url, headers, agent }
    const call = request(options, (answer: IncomingMessage) => {
      if (halts !== null) {
        answer.resume().once('end', stop)
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
      outgoing.flushHeaders()
    })
    call.on('error', () => outgoing.destroy())
    outgoing.on('close', () => call.destroy())
    incoming.pipe(call)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: cert,
    calls,
    haltAt(index, when, halted) {
      halt = { index, when, halted }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      agent.destroy()
    },
  }
}
