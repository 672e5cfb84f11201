/**
 * A replica's end of the socket: the bus port over a connection that comes back by itself. What was in flight when it broke
 * has an unknown outcome and is never sent again from here: that is the caller's decision.
 */
import { connect, type Socket } from 'node:net'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, type VedetteError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { BusStatus } from '../bus.ts'
import { busOver, type LeaseBus, type Transport } from './face.ts'
import { encodeFrame, frameReader, type Hello, PROTOCOL } from './frames.ts'
import type { Operation, Output, Push, WireError } from './request.ts'

export type EmbeddedBus = LeaseBus

export interface EmbeddedOptions {
  socket: string
  /** The supervisor's incarnation: writes of an older one are fenced. */
  incarnation: number
  /** Names this process in the bus's log. */
  session: string
  /** What it is for this process, in log lines; left out: the bus. */
  name?: string
  clock: Clock
  log: Logger
  /** A request not answered by then is of unknown outcome. */
  requestTimeoutMs?: number
  /** What the bus was started with. */
  maxEventBytes?: number
}

/** While nothing has been answered for this long, appends of active-active entries are refused at once. */
const STALLED_MS = 1000
const MAX_PENDING = 20_000
const MAX_PENDING_BYTES = 128 << 20

interface Pending {
  sentMs: number
  bytes: number
  resolve: (result: any) => void
  reject: (error: VedetteError) => void
}

/** Connects in the background and for ever; `status()` says whether there is a connection now. */
export function connectEmbedded({
  socket: path,
  incarnation,
  session,
  name = 'the bus',
  clock,
  log,
  requestTimeoutMs = 5000,
  maxEventBytes = 8 << 20,
}: EmbeddedOptions): EmbeddedBus {
  const statusListeners = new Set<(status: BusStatus) => void>()
  const pushListeners = new Set<(push: Push) => void>()
  /** In the order they were sent. */
  const pending = new Map<number, Pending>()
  let pendingBytes = 0
  let nextId = 1
  let socket: Socket | null = null
  let status: BusStatus = { connected: false, error: 'not yet connected to the bus' }
  let attempt = 0
  let closed = false
  let out: Buffer[] = []
  let lastHeardMs = clock.monotonic()
  let stalledAtMs: number | null = null
  let cancelReaper: (() => void) | null = null

  function setStatus(next: BusStatus) {
    if (next.connected === status.connected) return
    status = next
    if (next.connected) log.info(`connected to ${name}`)
    else if (!closed) log.warn(`${name} cannot be reached`, { error: next.error })
    for (const listener of [...statusListeners]) listener(next)
  }

  function dial() {
    if (closed) return
    const dialled = connect(path)
    let greeted = false
    const feed = frameReader((frame) => {
      const [id, result, error] = frame as [number, unknown, WireError | undefined]
      if (id !== 0) return settle(id, result, error ?? null)
      if (greeted) {
        for (const listener of [...pushListeners]) listener(result as Push)
        return
      }
      greeted = true
      attempt = 0
      lastHeardMs = clock.monotonic()
      socket = dialled
      setStatus({ connected: true })
    })
    dialled.on('connect', () => {
      dialled.write(encodeFrame([0, 'hello', { protocol: PROTOCOL, session, incarnation } satisfies Hello]))
    })
    dialled.on('data', (chunk) => {
      lastHeardMs = clock.monotonic()
      try {
        feed(chunk as Buffer)
      } catch (error) {
        log.error('the bus sent what is no answer', { error })
        dialled.destroy()
      }
    })
    let why = 'the bus closed the connection'
    dialled.on('error', (error) => {
      why = error.message
    })
    dialled.on('close', () => {
      if (socket === dialled) socket = null
      out = []
      failAll(fail('OUTCOME_UNKNOWN', 'the connection to the bus broke before its answer came'))
      setStatus({ connected: false, error: why })
      if (!closed) clock.after(backoffMs(attempt++, { firstMs: 10, maxMs: 250, jitter: 0.3 }), dial)
    })
  }

  function settle(id: number, result: unknown, error: WireError | null) {
    const request = pending.get(id)
    if (request === undefined) return
    forget(id, request)
    if (error === null) request.resolve(result)
    else request.reject(fail(error.code, error.message))
  }

  function forget(id: number, { bytes }: Pending) {
    pending.delete(id)
    pendingBytes -= bytes
  }

  function failAll(error: VedetteError) {
    for (const [id, request] of [...pending]) {
      forget(id, request)
      request.reject(error)
    }
  }

  /** One timer for all: the requests are in the order they were sent. */
  function reap() {
    cancelReaper = null
    const now = clock.monotonic()
    for (const [id, request] of pending) {
      const leftMs = request.sentMs + requestTimeoutMs - now
      if (leftMs > 0) {
        cancelReaper = clock.after(leftMs, reap)
        return
      }
      if (lastHeardMs < request.sentMs) stalledAtMs ??= now
      forget(id, request)
      request.reject(fail('OUTCOME_UNKNOWN', `the bus did not answer within ${requestTimeoutMs} ms`))
    }
  }

  /**
   * True while the bus is silent though asked: it is frozen, or its disk is. Lasts until it is heard again, also when the
   * requests that showed it have timed out.
   */
  function isStalled(): boolean {
    const now = clock.monotonic()
    const oldest = pending.values().next().value
    if (oldest !== undefined && now - Math.max(oldest.sentMs, lastHeardMs) > STALLED_MS) stalledAtMs ??= now
    if (stalledAtMs !== null && lastHeardMs > stalledAtMs) stalledAtMs = null
    return stalledAtMs !== null
  }

  function refusal(operation: Operation): VedetteError | null {
    if (closed) return fail('BUS_UNAVAILABLE', 'this connection to the bus was closed')
    if (socket === null) return fail('BUS_UNAVAILABLE', 'the bus cannot be reached; it is dialled again all the time')
    if (operation === 'append' && isStalled()) {
      // Something must still be asked, so that an answer can end this.
      if (pending.size === 0) transport.call('ping', {}).catch(() => {})
      return fail('BUS_UNAVAILABLE', 'the bus does not answer')
    }
    if (pending.size >= MAX_PENDING || pendingBytes > MAX_PENDING_BYTES) {
      return fail('BUS_BUSY', 'too many requests wait for the bus')
    }
    return null
  }

  const transport: Transport = {
    call<O extends Operation>(operation: O, input: any): Promise<Output<O>> {
      const refused = refusal(operation)
      if (refused !== null) return Promise.reject(refused)
      return new Promise((resolve, reject) => {
        const id = nextId++
        const frame = encodeFrame([id, operation, input])
        pending.set(id, { sentMs: clock.monotonic(), bytes: frame.byteLength, resolve, reject })
        pendingBytes += frame.byteLength
        cancelReaper ??= clock.after(requestTimeoutMs, reap)
        if (out.length === 0) clock.soon(flush)
        out.push(frame)
      })
    },
    status: () => status,
    onStatus(listener) {
      statusListeners.add(listener)
      return () => statusListeners.delete(listener)
    },
    onPush(listener) {
      pushListeners.add(listener)
      return () => pushListeners.delete(listener)
    },
    async close() {
      if (closed) return
      closed = true
      cancelReaper?.()
      failAll(fail('OUTCOME_UNKNOWN', 'this connection to the bus was closed'))
      socket?.destroy()
      socket = null
      setStatus({ connected: false, error: 'closed' })
    },
  }

  /** What one turn has asked goes as one write. */
  function flush() {
    const frames = out
    out = []
    if (socket === null || frames.length === 0) return
    socket.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames))
  }

  dial()
  return busOver('embedded', transport, { clock, maxEventBytes })
}
