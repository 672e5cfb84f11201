/** One connection to an nsqd: protocol V2 (https://nsq.io/clients/tcp_protocol_spec.html), as far as a consumer needs it. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { serverNameOf } from '../../clients/server-name.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, type VedetteError } from '../../core/errors.ts'
import type { TlsMaterial } from '../../source/tls.ts'
import { networkError } from '../connections/network-error.ts'
import { frameReader } from './frames.ts'

export interface NsqMessage {
  /** Nanoseconds since the epoch. */
  timestamp: bigint
  attempts: number
  /** 16 hex digits; stays the same when the message is queued again. */
  id: string
  body: Buffer
}

export interface NsqdConnection {
  /** `host:port`. */
  readonly address: string
  /** Of the server's end, `ip:port`, as upstream's payload has it. */
  readonly peer: string
  /** Milliseconds until nsqd gives a message to somebody else, unless it is touched. */
  readonly messageTimeoutMs: number
  readonly maxReady: number
  readonly alive: boolean
  /** Rejects when the connection is lost, with what is wrong. */
  readonly lost: Promise<never>
  /** Once. @throws ORIGIN_UNAVAILABLE with nsqd's error */
  subscribe(topic: string, channel: string, onMessage: (message: NsqMessage) => void): Promise<void>
  /** How many messages may be under way. */
  ready(count: number): void
  finish(id: string): void
  /** Gives a message back, to be delivered at once. */
  requeue(id: string): void
  touch(id: string): void
  /** Ends the connection when all that was written has left. */
  close(): void
}

export interface DialOptions {
  host: string
  port: number
  tls: TlsMaterial | null
  authSecret: string | null
  clock: Clock
  signal: AbortSignal
}

const DIAL_TIMEOUT_MS = 5_000
/** nsqd asks this often whether we live, and gives our messages to somebody else when it hears nothing for two of them. */
export const HEARTBEAT_MS = 2_000
/** nsqd has this long to say anything, before it counts as gone. */
const SILENCE_MS = 3 * HEARTBEAT_MS
/** How long nsqd waits for a FIN or a TOUCH, if it lets us choose. */
export const MESSAGE_TIMEOUT_MS = 5_000

/** @throws ORIGIN_UNAVAILABLE: what is wrong, and in which layer */
export async function dialNsqd({ host, port, tls, authSecret, clock, signal }: DialOptions): Promise<NsqdConnection> {
  const address = `${host}:${port}`
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  let socket: Socket = connectTcp({ host, port, noDelay: true })
  let alive = true
  let answer: PromiseWithResolvers<Buffer> | null = null
  let onMessage: (message: NsqMessage) => void = () => {}
  let cancelSilence = () => {}

  const end = (error: unknown): void => {
    if (!alive) return
    alive = false
    cancelSilence()
    const reason = networkError(error, address)
    answer?.reject(reason)
    loss.reject(reason)
    socket.destroy()
  }
  const stop = () => end(signal.reason)
  const listenForSilence = (): void => {
    cancelSilence()
    const silent = () => end(fail('ORIGIN_UNAVAILABLE', `${address}: connected but silent: no heartbeat came`))
    cancelSilence = clock.after(SILENCE_MS, silent)
  }
  const write = (line: string, body?: Buffer): void => {
    if (!alive) return
    const head = Buffer.from(`${line}\n`)
    if (body === undefined) return void socket.write(head)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(body.length)
    socket.write(Buffer.concat([head, size, body]))
  }
  /** Sends a command and waits for its answer; one at a time. */
  const ask = (line: string, body?: Buffer): Promise<Buffer> => {
    answer = Promise.withResolvers<Buffer>()
    if (!alive) answer.reject(fail('ORIGIN_UNAVAILABLE', `${address}: the connection is closed`))
    else if (line !== '') write(line, body)
    return answer.promise
  }
  const feed = frameReader({
    response(data) {
      if (data.toString('latin1') === '_heartbeat_') write('NOP')
      else answer?.resolve(data)
    },
    error(text) {
      // Said of a message that is somebody else's by now: no harm.
      if (/^E_(FIN|REQ|TOUCH)_FAILED/.test(text)) return
      end(refusal(text, address))
    },
    message: (message) => onMessage(message),
  })
  const attach = (to: Socket): void => {
    to.on('data', (chunk: Buffer) => {
      listenForSilence()
      try {
        feed(chunk)
      } catch (error) {
        end(error)
      }
    })
    to.on('error', end)
    to.on('close', () => end(fail('ORIGIN_UNAVAILABLE', `TCP: ${address}: nsqd has closed the connection`)))
  }

  const cancelTimeout = clock.after(DIAL_TIMEOUT_MS, () =>
    end(new Error(`ETIMEDOUT: no answer within ${DIAL_TIMEOUT_MS} ms`)),
  )
  signal.addEventListener('abort', stop, { once: true })
  try {
    attach(socket)
    socket.write('  V2')
    const identity = {
      client_id: 'vedette',
      user_agent: 'vedette',
      feature_negotiation: true,
      heartbeat_interval: HEARTBEAT_MS,
      msg_timeout: MESSAGE_TIMEOUT_MS,
      tls_v1: tls !== null,
    }
    const agreed = parseAgreement(await ask('IDENTIFY', Buffer.from(JSON.stringify(identity))), address)
    if (tls !== null) {
      if (!agreed.tls_v1) throw fail('ORIGIN_UNAVAILABLE', `TLS: ${address}: nsqd offers no TLS`)
      socket.removeAllListeners()
      // The host is what the certificate is checked for, where there is no name.
      socket = connectTls({ socket, host, servername: serverNameOf(host) ?? '', ...tls })
      attach(socket)
      await ask('')
    }
    if (agreed.auth_required) {
      if (authSecret === null)
        throw fail('ORIGIN_UNAVAILABLE', `authentication: ${address}: nsqd asks for a secret: set authSecret`)
      await ask('AUTH', Buffer.from(authSecret))
    }
    const { remoteAddress, remotePort } = socket
    const peer = remoteAddress?.includes(':') ? `[${remoteAddress}]` : (remoteAddress ?? host)
    return {
      address,
      peer: `${peer}:${remotePort ?? port}`,
      messageTimeoutMs: agreed.msg_timeout,
      maxReady: agreed.max_rdy_count,
      get alive() {
        return alive
      },
      lost: loss.promise,
      async subscribe(topic, channel, listener) {
        onMessage = listener
        await ask(`SUB ${topic} ${channel}`)
      },
      ready: (count) => write(`RDY ${count}`),
      finish: (id) => write(`FIN ${id}`),
      requeue: (id) => write(`REQ ${id} 0`),
      touch: (id) => write(`TOUCH ${id}`),
      close() {
        if (!alive) return
        alive = false
        cancelSilence()
        socket.end()
      },
    }
  } catch (error) {
    end(error)
    throw networkError(error, address)
  } finally {
    cancelTimeout()
    // From here on who has the connection decides when it ends.
    signal.removeEventListener('abort', stop)
  }
}

interface Agreement {
  tls_v1: boolean
  auth_required: boolean
  /** Milliseconds. */
  msg_timeout: number
  max_rdy_count: number
}

function parseAgreement(data: Buffer, address: string): Agreement {
  const agreed: Partial<Agreement> = { tls_v1: false, auth_required: false, msg_timeout: 60_000, max_rdy_count: 2_500 }
  try {
    return { ...agreed, ...(JSON.parse(data.toString()) as Agreement) }
  } catch (error) {
    throw fail('ORIGIN_UNAVAILABLE', `${address}: this is no nsqd, or one before 0.2.20`, {}, { cause: error })
  }
}

function refusal(text: string, address: string): VedetteError {
  const what = /^E_(AUTH|UNAUTHORIZED)/.test(text) ? 'authentication: ' : ''
  return fail('ORIGIN_UNAVAILABLE', `${what}${address}: nsqd refuses: ${text}`)
}
