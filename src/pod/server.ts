/** The HTTP port beside the webhooks: metrics, and the probes of the kubelet. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { crossSite, refusedAsCrossSite } from '../api/crossSite.ts'
import { fail } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { pathOf, refusedForm } from '../runtime/http/message.ts'

export interface PodAnswers {
  metrics(): Promise<string>
  started(): boolean
  /** Why it is not ready, one reason each; empty: ready. */
  notReady(): string[]
  /** Entries that nobody serves, one a line: told in either case, and no reason by itself. */
  notServed(): string[]
}

const PLAIN = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * `/metrics`; `/healthz`: this process answers; `/startupz`: its replica has started, whether or not the bus can be reached, so that no
 * outage makes the kubelet restart it; `/readyz`: see {@link PodAnswers.notReady}, as text, or as JSON by `Accept`.
 * @throws PORT_IN_USE
 */
export async function servePod(answers: PodAnswers, { host, port }: { host: string; port: number }): Promise<Server> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 15_000 }, (request, response) => {
    if (refusedForm(request, response)) return
    const path = pathOf(request.url)
    const foreign = crossSite(request.headers)
    if (foreign !== null) return answer(response, 403, `${refusedAsCrossSite(foreign)}\n`)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET')
      return answer(response, 405, `${path} takes GET\n`)
    }
    switch (path) {
      case '/healthz':
        return answer(response, 200, 'ok\n')
      case '/startupz':
        return answers.started() ? answer(response, 200, 'started\n') : answer(response, 503, 'starting\n')
      case '/readyz': {
        const [reasons, notServed] = [answers.notReady(), answers.notServed()]
        const ready = reasons.length === 0
        const status = ready ? 200 : 503
        if (/\bapplication\/json\b/.test(request.headers.accept ?? '')) {
          return answer(response, status, `${printable(JSON.stringify({ ready, reasons, notServed }))}\n`, JSON_TYPE)
        }
        const lines = [ready ? 'ready' : 'not ready', ...reasons, ...notServed.map((one) => `not served: ${one}`)]
        return answer(response, status, `${lines.map(printable).join('\n')}\n`)
      }
      case '/metrics':
        return void answers.metrics().then(
          (text) => answer(response, 200, text, PROMETHEUS),
          () => answer(response, 500, 'the metrics cannot be read\n'),
        )
      default:
        return answer(response, 404, 'there are /metrics, /healthz, /startupz and /readyz\n')
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        fail(
          'PORT_IN_USE',
          `metrics and probes cannot listen on ${host}:${port} (${error.code ?? error.message}): no webhook of this EventSource may ` +
            'have this port; --metrics-port is another one',
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  return server
}

function answer(response: ServerResponse, status: number, text: string, type = PLAIN): void {
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' })
  response.end(text)
}
