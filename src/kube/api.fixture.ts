/** An API server that answers as a test says: for what a real one cannot be brought to do on demand. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { createKubeClient, type KubeClient } from './client.ts'

export interface FakeApi {
  client: KubeClient
  url: string
  /** What was asked, `GET /api/v1/…`. */
  requests: string[]
  close(): Promise<void>
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

export async function startFakeApi(answer: Answer, { clock = systemClock }: { clock?: Clock } = {}): Promise<FakeApi> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    requests.push(`${request.method} ${request.url}`)
    answer(request, response, body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const client = createKubeClient(
    { server: url, namespace: 'ns', tls: {}, authorization: async (refused) => `Bearer ${refused ? 'new' : 'old'}` },
    clock,
  )
  return {
    client,
    url,
    requests,
    async close() {
      await client.close()
      server.closeAllConnections()
      server.close()
    },
  }
}

/** @param reason as in `metav1.Status` */
export function refuse(response: ServerResponse, code: number, reason: string, message = reason): void {
  response.statusCode = code
  response.end(JSON.stringify({ kind: 'Status', status: 'Failure', reason, message, code }))
}

export const pod = (name: string, resourceVersion: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'ns', resourceVersion },
})

export const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`
