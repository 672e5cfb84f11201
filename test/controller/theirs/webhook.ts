/** Their listener: events of an entry are published one after the other; at the end the route answers 400 and connections are cut. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TheirBus } from './bus.ts'
import type { TheirObject } from './eventSource.ts'

interface Entry {
  port: string
  endpoint: string
  method: string
}

/** Resolves once `signal` has aborted and what was being published is done. */
export async function serveWebhook({ spec }: TheirObject, bus: TheirBus, signal: AbortSignal): Promise<void> {
  const entries = Object.entries(spec.webhook as Record<string, Entry>)
  let queue: Promise<unknown> = Promise.resolve()
  const serially = (work: () => Promise<void>): Promise<void> => {
    const done = queue.then(work)
    queue = done.catch(() => {})
    return done
  }
  const answer = async (port: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const end = (status: number, text: string) => void response.writeHead(status).end(text)
    const found = entries.find(([, one]) => one.port === port && one.endpoint === request.url)
    if (found === undefined) return request.url === '/health' ? end(200, 'OK') : end(404, '404 page not found\n')
    if (signal.aborted) return end(400, 'endpoint is inactive')
    const [name, { method }] = found
    if (request.method !== method) return end(400, 'http method does not match')
    let body = ''
    for await (const chunk of request) body += chunk
    const data = Buffer.from(`{"header":${JSON.stringify(headersOf(request))},"body":${body}}`)
    await serially(() => bus.publish(name, 'webhook', data)).then(
      () => end(200, 'success'),
      () => end(500, 'failed to record event'),
    )
  }
  for (const port of new Set(entries.map(([, { port }]) => port)))
    createServer((request, response) => void answer(port, request, response).catch(() => response.destroy())).listen(
      Number(port),
    )
  console.log('Eventing server started.')
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  await queue
}

const canonical = (name: string) => name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())

function headersOf({ headersDistinct }: IncomingMessage): Record<string, string[]> {
  const { host: _, ...others } = headersDistinct
  const named = Object.entries(others).map(([name, values]) => [canonical(name), values ?? []] as const)
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)))
}
