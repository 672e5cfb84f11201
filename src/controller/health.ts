/** `/healthz`, `/readyz` on one port, `/metrics` on another, as upstream's controller has them. */
import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'
import { crossSite, refusedAsCrossSite } from '../api/crossSite.ts'
import { fail } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { withoutCredentials } from '../core/url-credentials.ts'
import { pathOf, refusedForm } from '../runtime/http/message.ts'

export interface HealthAnswers {
  /** Why it is not ready; empty: it is, also as a standby. */
  notReady(): string[]
  registry: Registry
}

type Answer = { status: number; text: string; type?: string }

/** @throws PORT_IN_USE */
export async function serveHealth(
  { notReady, registry }: HealthAnswers,
  { host, healthPort, metricsPort }: { host: string | undefined; healthPort: number; metricsPort: number },
): Promise<{ close(): void }> {
  const health = await listen(host, healthPort, async (path) => {
    if (path === '/healthz') return { status: 200, text: 'ok\n' }
    if (path !== '/readyz') return { status: 404, text: 'there are /healthz and /readyz\n' }
    const reasons = notReady()
    return reasons.length === 0
      ? { status: 200, text: 'ok\n' }
      : { status: 503, text: `${reasons.map((one) => printable(withoutCredentials(one))).join('\n')}\n` }
  })
  try {
    const metrics = await listen(host, metricsPort, async (path) =>
      path === '/metrics'
        ? { status: 200, text: await registry.metrics(), type: registry.contentType }
        : { status: 404, text: 'there is /metrics\n' },
    )
    const servers = [health, metrics]
    return {
      close() {
        for (const server of servers) {
          server.close()
          server.closeAllConnections()
        }
      },
    }
  } catch (error) {
    health.close()
    throw error
  }
}

async function listen(
  host: string | undefined,
  port: number,
  answer: (path: string) => Promise<Answer>,
): Promise<Server> {
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    if (refusedForm(request, response)) return
    const path = pathOf(request.url)
    const foreign = crossSite(request.headers)
    if (foreign !== null) return void response.writeHead(403).end(`${refusedAsCrossSite(foreign)}\n`)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET' }).end(`${path} takes GET\n`)
    answer(path).then(
      ({ status, text, type = 'text/plain; charset=utf-8' }) => {
        response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' })
        response.end(text)
      },
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        fail('PORT_IN_USE', `the controller cannot listen on ${host ?? '*'}:${port} (${error.code ?? error.message})`),
      ),
    )
    server.listen(port, host, resolve)
  })
  return server
}
