/**
 * Publishing with acks, built for many in flight: one inbox subscription for all answers, a token in its last subject part, no
 * timer and no promise machinery of the library per message, headers encoded here once.
 */
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../core/clock.ts'
import { fail, type VedetteError } from '../core/errors.ts'

/** An ack of a JetStream stream (`io.nats.jetstream.api.v1.pub_ack_response`). */
export interface PubAck {
  stream: string
  seq: number
  duplicate?: boolean
  /** Atomic batches: the id, and how many messages it had. */
  batch?: string
  count?: number
  error?: { code: number; err_code: number; description: string }
}

export interface Acks {
  /**
   * Publishes and waits for the answer. @throws BUS_UNAVAILABLE when nobody answers for the subject (certainly not stored),
   * OUTCOME_UNKNOWN after a time-out or a broken connection
   */
  request(subject: string, payload: Uint8Array, headers: Headers): Promise<PubAck>
  /** Publishes without an answer (members of an atomic batch but the last). */
  publish(subject: string, payload: Uint8Array, headers: Headers): void
  /** Everything in flight has an unknown outcome: the connection broke. */
  broken(reason: string): void
  readonly inFlight: number
  readonly inFlightBytes: number
  /** How long the oldest that is in flight has waited, milliseconds; 0 when nothing is. */
  oldestMs(): number
}

export type Headers = Record<string, string | number>

interface Pending {
  bytes: number
  resolve: (ack: PubAck) => void
  reject: (error: VedetteError) => void
  dueMs: number
}

/** How often time-outs are looked for: coarse, one timer for all. */
const SWEEP_MS = 100

/** @param inbox see NatsClient; @param onNobody told when nobody answers for a subject, before the one who asked is */
export function createAcks(
  nc: NatsConnection,
  {
    inbox: prefix,
    clock,
    timeoutMs,
    onNobody,
  }: { inbox: string; clock: Clock; timeoutMs: number; onNobody: (error: VedetteError) => void },
): Acks {
  const pending = new Map<number, Pending>()
  const inbox = `${prefix}.${randomToken()}`
  let counter = 0
  let inFlightBytes = 0
  let sweeping = false

  nc.subscribe(`${inbox}.*`, {
    callback: (_, message) => {
      const token = Number(message.subject.slice(inbox.length + 1))
      const waiting = pending.get(token)
      if (waiting === undefined) return
      forget(token, waiting)
      const nobody = unanswered(message)
      if (nobody === null) return answered(waiting, message)
      onNobody(nobody)
      waiting.reject(nobody)
    },
  })

  const forget = (token: number, { bytes }: Pending) => {
    if (pending.delete(token)) inFlightBytes -= bytes
  }

  const sweep = () => {
    sweeping = false
    const nowMs = clock.monotonic()
    for (const [token, waiting] of pending) {
      // In order of sending, so the first that is not due ends it.
      if (waiting.dueMs > nowMs) break
      forget(token, waiting)
      waiting.reject(fail('OUTCOME_UNKNOWN', `the stream did not answer within ${timeoutMs} ms`))
    }
    if (pending.size > 0) sweepLater()
  }

  const sweepLater = () => {
    if (sweeping) return
    sweeping = true
    clock.after(SWEEP_MS, sweep)
  }

  return {
    request(subject, payload, headers) {
      return new Promise((resolve, reject) => {
        const token = counter++
        const waiting = { resolve, reject, bytes: payload.byteLength, dueMs: clock.monotonic() + timeoutMs }
        pending.set(token, waiting)
        inFlightBytes += waiting.bytes
        sweepLater()
        try {
          nc.publish(subject, payload, { reply: `${inbox}.${token}`, headers: encoded(headers) })
        } catch (error) {
          forget(token, waiting)
          reject(fail('BUS_UNAVAILABLE', (error as Error).message))
        }
      })
    },
    publish: (subject, payload, headers) => nc.publish(subject, payload, { headers: encoded(headers) }),
    broken(reason) {
      for (const [token, waiting] of [...pending]) {
        forget(token, waiting)
        waiting.reject(fail('OUTCOME_UNKNOWN', reason))
      }
    },
    get inFlight() {
      return pending.size
    },
    get inFlightBytes() {
      return inFlightBytes
    },
    oldestMs() {
      const oldest = pending.values().next().value
      return oldest === undefined ? 0 : clock.monotonic() - (oldest.dueMs - timeoutMs)
    },
  }
}

/** The server's answer in the place of a stream that is not there, or null. */
function unanswered(message: Msg): VedetteError | null {
  if (message.data.length > 0 || message.headers?.code !== 503) return null
  return fail('BUS_UNAVAILABLE', 'no stream takes this subject: it is missing, or has no leader now')
}

function answered({ resolve, reject }: Pending, message: Msg): void {
  try {
    resolve(JSON.parse(message.string()) as PubAck)
  } catch {
    reject(fail('OUTCOME_UNKNOWN', 'the stream answered something that is no ack'))
  }
}

/** The library asks its headers for one thing only when it publishes: their bytes. */
function encoded(headers: Headers): MsgHdrs {
  let text = 'NATS/1.0\r\n'
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`
  const bytes = Buffer.from(`${text}\r\n`)
  return { encode: () => bytes } as unknown as MsgHdrs
}

function randomToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('hex')
}
