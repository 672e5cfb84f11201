/** A crowd of webhook senders as real ones behave: an idempotency key per event, a retry on connection errors and 5xx. */
import { Agent, request } from 'node:http'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Delivery } from '../servers/fakes/deliveries.ts'

export interface Crowd {
  /** Keys answered with 200, in the order of the answers. */
  readonly acknowledged: string[]
  /** Every status seen, with how often; 0: connection error or time-out. */
  readonly statuses: Map<number, number>
  /** Why there was no answer, when there was none: the codes of the errors, with how often. */
  readonly failures: Map<string, number>
  /** Answers 503: how many had no Retry-After, and how long the slowest took, milliseconds. */
  readonly refusals: { withoutRetryAfter: number; slowestMs: number }
  /** Of all attempts, answered or not, milliseconds. */
  readonly slowestMs: number
  /** Stops sending new events, lets each sender finish its own. */
  stop(): Promise<void>
}

const plainMessage = (key: string): Delivery => ({
  headers: { 'idempotency-key': key },
  body: JSON.stringify({ key }),
})

/**
 * `senders` at once, each sending one event after the other to `url` until stopped, each event repeated with its key until
 * it is answered 200. Gives up when the test ends, however it ends.
 */
export function startCrowd(
  t: Pick<TestContext, 'after'>,
  url: string,
  {
    senders,
    attemptTimeoutMs = 5_000,
    pauseMs = 0,
    name = '',
    message = plainMessage,
  }: {
    senders: number
    attemptTimeoutMs?: number
    pauseMs?: number
    /** Tells the keys of one crowd from those of another. */
    name?: string
    /** What is sent for a key. Default: `{"key":…}` with the key as `Idempotency-Key`. */
    message?: (key: string) => Delivery
  },
): Crowd {
  const acknowledged: string[] = []
  const statuses = new Map<number, number>()
  const failures = new Map<string, number>()
  const refusals = { withoutRetryAfter: 0, slowestMs: 0 }
  let slowestMs = 0
  const refused = (retryAfter: string | undefined, tookMs: number) => {
    if (retryAfter === undefined) refusals.withoutRetryAfter++
    refusals.slowestMs = Math.max(refusals.slowestMs, tookMs)
  }
  const failed = (code: string) => failures.set(code, (failures.get(code) ?? 0) + 1)
  const agent = new Agent({ keepAlive: true, maxSockets: senders })
  let sending = true
  let givenUp = false
  t.after(() => {
    sending = false
    givenUp = true
    agent.destroy()
  })
  const one = async (sender: number): Promise<void> => {
    for (let n = 0; sending; n++) {
      const key = `${name}s${sender}-${n}`
      const sent = message(key)
      while (!givenUp) {
        const sentMs = performance.now()
        const status = await post(agent, url, sent, attemptTimeoutMs, { failed, refused })
        slowestMs = Math.max(slowestMs, performance.now() - sentMs)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 200) {
          acknowledged.push(key)
          break
        }
        await pause(20 + Math.random() * 80)
      }
      if (pauseMs > 0) await pause(pauseMs)
    }
  }
  const done = Promise.all(Array.from({ length: senders }, (_, sender) => one(sender)))
  return {
    acknowledged,
    statuses,
    failures,
    refusals,
    get slowestMs() {
      return slowestMs
    },
    async stop() {
      sending = false
      await done
      agent.destroy()
    },
  }
}

/** @returns the status, or 0 for a connection error or time-out */
function post(
  agent: Agent,
  url: string,
  { headers, body }: Delivery,
  timeoutMs: number,
  { failed, refused }: { failed(code: string): void; refused(retryAfter: string | undefined, tookMs: number): void },
): Promise<number> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const sent = request(
      url,
      {
        method: 'POST',
        agent,
        timeout: timeoutMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
      },
      (answer) => {
        answer.on('error', (error: NodeJS.ErrnoException) => {
          failed(`${error.code ?? error.message} in the answer`)
          resolve(0)
        })
        answer.on('end', () => {
          if (answer.statusCode === 503) refused(answer.headers['retry-after'], performance.now() - startedMs)
          resolve(answer.statusCode ?? 0)
        })
        answer.resume()
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', (error: NodeJS.ErrnoException) => {
      failed(`${error.code ?? error.message}${sent.reusedSocket ? ' on a kept connection' : ''}`)
      resolve(0)
    })
    sent.end(body)
  })
}
