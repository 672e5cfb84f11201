/** A receiver of `--deliver` that can be told to misbehave. Remembers what it was sent and what it answered. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { CloudEvent, HTTP } from 'cloudevents'

/** `never`: takes the request and says nothing. `redirects`: elsewhere, where nobody is. */
export type Behaviour =
  | 'takes'
  | 'refuses'
  | 'resets'
  | 'never'
  | 'unauthorized'
  | 'missing'
  | 'redirects'
  | 'fails'
  | 'slows'

/** Those that answer: status, headers, and what the receiver says. */
const answers: Partial<Record<Behaviour, [number, Record<string, string>, string]>> = {
  takes: [200, {}, ''],
  refuses: [503, {}, 'not now'],
  unauthorized: [401, { 'www-authenticate': 'Bearer' }, 'your token has expired\u001b[2J'],
  missing: [404, {}, 'default backend - 404'],
  redirects: [302, { location: 'http://login.invalid/sso?state=x' }, ''],
  fails: [500, {}, 'oops'],
  slows: [429, { 'retry-after': '1' }, 'too many'],
}

export interface Received {
  id: string
  headers: IncomingHttpHeaders
  event: CloudEvent<unknown>
  /** Whether it was answered 200. */
  taken: boolean
}

export interface Receiver {
  readonly url: string
  readonly received: Received[]
  readonly counts: Record<Behaviour, number>
  behaves: Behaviour
  /** Stops listening and cuts every connection. */
  goDown(): Promise<void>
  /** Listens again, on the same port. */
  comeBack(): Promise<void>
}

export async function startReceiver(t: TestContext): Promise<Receiver> {
  const received: Received[] = []
  const counts: Record<Behaviour, number> = {
    takes: 0,
    refuses: 0,
    resets: 0,
    never: 0,
    unauthorized: 0,
    missing: 0,
    redirects: 0,
    fails: 0,
    slows: 0,
  }
  let port = 0
  let server: Server
  const listen = async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('error', () => {})
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('end', () => {
        const { behaves } = receiver
        counts[behaves]++
        const body = Buffer.concat(chunks).toString()
        const event = HTTP.toEvent<unknown>({ headers: request.headers as Record<string, string>, body })
        if (!(event instanceof CloudEvent)) throw new Error('a batch came')
        received.push({ id: event.id, headers: request.headers, event, taken: behaves === 'takes' })
        const [status, own, words] = answers[behaves] ?? [0, {}, '']
        if (status > 0) response.writeHead(status, own).end(words)
        if (behaves === 'resets') request.socket.resetAndDestroy()
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    port = (server.address() as AddressInfo).port
  }
  const goDown = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  await listen()
  t.after(goDown)
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/events`,
    received,
    counts,
    behaves: 'takes',
    goDown,
    comeBack: listen,
  }
  return receiver
}
