/**
 * One request to the receiver. Whatever happens to it, there is an answer within the limit: nothing here is waited for without an end. Made
 * on node:http, since `fetch` refuses some ports and reads a body to its end.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Redact } from '../../core/redact.ts'
import { type Answer, judge, tooLate, unanswered } from './answer.ts'
import type { Message } from './message.ts'
import type { Target } from './target.ts'

export interface Poster {
  /** Never rejects. */
  post(message: Message): Promise<Answer>
  /** Breaks off what is in flight. */
  close(): void
}

export interface PosterOptions {
  target: Target
  userAgent: string
  /** Fields that are sent along, read before each request: credentials are renewed. */
  credentials?: () => Promise<Record<string, string>>
  /** Of what the receiver says. */
  redact: Redact
  clock: Clock
  /** A request that is not answered by then is given up; it may have been taken all the same. */
  timeoutMs?: number
}

const TIMEOUT_MS = 30_000
/** A body that takes longer or has more is not read to its end: its connection is not used again. */
const BODY_MS = 1_000
const MOST_BODY_BYTES = 64 * 1024
/** Of which so many are looked at. */
const HEARD_BYTES = 4 * 1024
const MOST_HEADER_BYTES = 128 * 1024

export function createPoster(options: PosterOptions): Poster {
  const secure = options.target.url.startsWith('https:')
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  const { credentials = async () => ({}) } = options
  const once = (message: Message) => new Promise<Answer | 'stale'>((resolve) => send(options, message, agent, resolve))
  return {
    async post({ headers, body }) {
      let along: Record<string, string>
      try {
        along = await credentials()
      } catch (error) {
        return { taken: false, reason: 'credentials', why: messageOf(error), waitMs: 0 }
      }
      const message = { headers: { ...along, ...headers }, body }
      // a connection that the receiver closed while it was idle says nothing about the receiver
      for (;;) {
        const answer = await once(message)
        if (answer !== 'stale') return answer
      }
    },
    close: () => agent.destroy(),
  }
}

function send(
  { target, userAgent, clock, redact, timeoutMs = TIMEOUT_MS }: PosterOptions,
  { headers, body }: Message,
  agent: HttpAgent,
  resolve: (answer: Answer | 'stale') => void,
): void {
  const cancels: (() => void)[] = []
  let [headed, settled] = [false, false]
  const settle = (answer: Answer | 'stale') => {
    settled = true
    for (const cancel of cancels.splice(0)) cancel()
    resolve(answer)
  }
  let request: ClientRequest
  try {
    request = (target.url.startsWith('https:') ? httpsRequest : httpRequest)(target.url, {
      method: 'POST',
      agent,
      maxHeaderSize: MOST_HEADER_BYTES,
      headers: { ...target.headers, ...headers, 'user-agent': userAgent, 'content-length': body.byteLength },
    })
  } catch (error) {
    settle(unanswered(error as Error))
    return
  }
  cancels.push(
    clock.after(timeoutMs, () => {
      settle(tooLate(Math.round(timeoutMs / 1000)))
      request.destroy()
    }),
  )

  request.on('response', (response) => {
    headed = true
    void firstBytes(response, clock).then((heard) => {
      const { statusCode = 0, headers: of } = response
      settle(
        judge(
          { status: statusCode, retryAfter: of['retry-after'], location: of.location, body: redact(heard) },
          target,
          clock.now(),
        ),
      )
    })
  })
  request.on('error', (error: NodeJS.ErrnoException) => {
    // what was answered counts, though the rest of the request could not be sent
    if (headed) return
    const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    settle(stale ? 'stale' : unanswered(error))
  })
  // the last word, should there have been none
  request.on('close', () => {
    if (!headed && !settled) settle(unanswered(new Error('the connection was closed')))
  })
  request.end(body)
}

/** Reads the body while that is cheap. Never rejects: the status has been heard. */
function firstBytes(response: IncomingMessage, clock: Clock): Promise<string> {
  return new Promise((resolve) => {
    const heard: Buffer[] = []
    let bytes = 0
    const done = () => {
      cancel()
      resolve(Buffer.concat(heard).subarray(0, HEARD_BYTES).toString('utf8'))
    }
    const enough = () => {
      done()
      response.destroy()
    }
    const cancel = clock.after(BODY_MS, enough)
    response.on('data', (chunk: Buffer) => {
      if (bytes < HEARD_BYTES) heard.push(chunk)
      bytes += chunk.length
      if (bytes > MOST_BODY_BYTES) enough()
    })
    response.on('end', done)
    response.on('error', done)
    response.on('close', done)
  })
}
