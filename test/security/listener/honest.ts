/** Honest senders beside an attack: what they get, and how long it takes. */
import { createHmac, randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'

export interface Sender {
  name: string
  port: number
  path: string
  /** What they sign with; left out: nothing. */
  secret?: string
  /** One connection for all, or a new one for each request. */
  keepAlive: boolean
  /** By TLS, whatever the certificate is. */
  secure?: boolean
  /** The address that it comes from, and what `X-Forwarded-For` says. */
  from?: string
  forwardedFor?: string
}

export interface Seen {
  name: string
  /** Milliseconds of the requests that got 200. */
  good: number[]
  /** What the others got. */
  bad: string[]
}

/** Each of them sends one request after another, with short pauses, for `ms`. */
export function sendHonestly(senders: readonly Sender[], ms: number): Promise<Seen[]> {
  return Promise.all(senders.map((sender) => sendAs(sender, ms)))
}

const EVERY_MS = 10
const body = JSON.stringify({ ref: 'refs/heads/main', repository: { full_name: 'acme/shop' }, notes: 'x'.repeat(800) })

async function sendAs(sender: Sender, ms: number): Promise<Seen> {
  const options = { keepAlive: sender.keepAlive, maxSockets: 1 }
  const agent = sender.secure ? new SecureAgent({ ...options, rejectUnauthorized: false }) : new Agent(options)
  const seen: Seen = { name: sender.name, good: [], bad: [] }
  const end = performance.now() + ms
  while (performance.now() < end) {
    const began = performance.now()
    const answer = await post(sender, agent)
    if (answer === '200') seen.good.push(performance.now() - began)
    else seen.bad.push(answer)
    await pause(EVERY_MS)
  }
  agent.destroy()
  return seen
}

/** @returns the status, or the code of what broke */
function post({ port, path, secret, secure, from, forwardedFor }: Sender, agent: Agent): Promise<string> {
  const signature: Record<string, string> =
    secret === undefined
      ? {}
      : { 'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` }
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': randomUUID(),
    ...signature,
    ...(forwardedFor === undefined ? {} : { 'X-Forwarded-For': forwardedFor }),
  }
  const origin = from === undefined ? {} : { localAddress: from }
  return new Promise((resolve) => {
    const sent = (secure ? secureRequest : request)(
      { port, host: '127.0.0.1', path, method: 'POST', agent, headers, timeout: 10_000, ...origin },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve(String(answer.statusCode)))
        answer.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')))
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end(body)
  })
}
