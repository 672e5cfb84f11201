/** Senders of webhooks beside an attack, and what they see of it. */
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export interface Seen {
  /** Of all requests, milliseconds. */
  latencies: number[]
  /** Those that were not answered with 200, by status or error. */
  failed: Map<string, number>
}

export interface Figures {
  requests: number
  /** Of 1. */
  success: number
  p50: number
  p99: number
  slowest: number
  failed: string
}

const SENDERS = 4
const PAUSE_MS = 10

/** Sends one small event after the other until `over` aborts, never the same one again. */
export async function sendHonestly(url: string, over: AbortSignal): Promise<Seen> {
  const seen: Seen = { latencies: [], failed: new Map() }
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS })
  const sender = async () => {
    while (!over.aborted) {
      const sentMs = performance.now()
      const outcome = await post(agent, url, '{"honest":true}')
      seen.latencies.push(performance.now() - sentMs)
      if (outcome !== '200') seen.failed.set(outcome, (seen.failed.get(outcome) ?? 0) + 1)
      await pause(PAUSE_MS)
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
  agent.destroy()
  return seen
}

export function figuresOf({ latencies, failed }: Seen): Figures {
  const sorted = [...latencies].sort((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  const lost = [...failed.values()].reduce((sum, count) => sum + count, 0)
  return {
    requests: sorted.length,
    success: 1 - lost / Math.max(1, sorted.length),
    p50: at(0.5),
    p99: at(0.99),
    slowest: Math.round(sorted.at(-1) ?? 0),
    failed: [...failed].map(([why, count]) => `${why}: ${count}`).join(', '),
  }
}

/** @returns the status, or the code of the error */
export function post(agent: Agent, url: string, body: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method: 'POST', agent, headers, timeout: 10_000 }, (answer) => {
      answer.resume().on('end', () => resolve(String(answer.statusCode)))
      answer.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end(body)
  })
}
