/** The bus's end of the socket: reads requests, has them committed, answers, and says unasked what others need to know. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { fail, type VedetteError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { createCommitter } from './committer.ts'
import { encodeFrame, frameReader, type Hello, PROTOCOL, type Welcome } from './frames.ts'
import { isRenewal, suspectHoldersOf } from './leases.ts'
import { asReadError } from './lmdb.ts'
import type { Steps } from './reading.ts'
import {
  isLong,
  isOperation,
  isWrite,
  type Operation,
  type Push,
  perform,
  stepsOf,
  toWireError,
  type WireError,
} from './request.ts'
import { hasShape } from './shape.ts'
import type { Store } from './store.ts'
import type { LeaseValue } from './tables.ts'
import { takeTurns } from './turns.ts'

export interface BusServer {
  /** Takes no more, finishes what has come in, closes. */
  close(): Promise<void>
}

/** A client that does not read its answers is not read from either, beyond this, bytes. */
const MAX_UNREAD_ANSWERS = 8 << 20
/** Hints are left out for a client that is behind by this, bytes: it will look by itself. */
const MAX_UNREAD_HINTS = 64 << 10
/** sockaddr_un on macOS and the BSDs holds this many bytes with the end mark; Linux has four more. */
const MAX_SOCKET_PATH = 103

/** How long stopping waits for clients to read their last answers. */
const CLOSE_WAIT_MS = 500

interface Connection {
  socket: Socket
  session: string
  /** Null before the hello. */
  incarnation: number | null
  /** It has read to the end of the log and wants one word when there is more. */
  following: boolean
  out: Buffer[]
}

/** @throws USAGE the path is too long; whatever `listen` throws */
export async function startServer({
  socket: path,
  store,
  clock,
  log,
  dedupMs,
  maxEventBytes,
  onBroken,
}: {
  socket: string
  store: Store
  clock: Clock
  log: Logger
  dedupMs: number
  maxEventBytes: number
  onBroken: (error: VedetteError) => void
}): Promise<BusServer> {
  const committer = createCommitter({ store, clock, dedupMs, log, onCommitted: hintFollowers, onBroken })
  const connections = new Set<Connection>()
  const leaseWriters = new Map<string, Connection>()
  const talkative = new Set<Connection>()
  let closing = false
  const turns = takeTurns(clock, () => {
    committer.flush()
    speak()
  })

  /** Gathers what one turn has to say, so that many answers are one write. */
  function send(connection: Connection, value: unknown) {
    connection.out.push(encodeFrame(value))
    if (talkative.size === 0) clock.soon(speak)
    talkative.add(connection)
  }

  function speak() {
    for (const connection of talkative) {
      const { socket, out } = connection
      connection.out = []
      if (socket.destroyed) continue
      socket.write(out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out))
      if (socket.writableLength > MAX_UNREAD_ANSWERS && !socket.isPaused()) {
        socket.pause()
        turns.hold(connection)
        socket.once('drain', () => {
          socket.resume()
          turns.resume(connection)
        })
      }
    }
    talkative.clear()
  }

  function hint(connection: Connection, push: Push) {
    if (connection.incarnation === null || connection.socket.writableLength > MAX_UNREAD_HINTS) return
    send(connection, [0, push])
  }

  function hintOthers(push: Push, except?: Connection) {
    for (const connection of connections) if (connection !== except) hint(connection, push)
  }

  let lastSeq = store.committed.meta.get('seq')
  function hintFollowers() {
    const seq = store.committed.meta.get('seq')
    if (seq === lastSeq) return
    lastSeq = seq
    for (const connection of connections) {
      if (!connection.following) continue
      connection.following = false
      hint(connection, { push: 'advanced', seq })
    }
  }

  /** A lease was written: remembers by whom, and tells the others when it is more than a renewal. */
  function leaseWritten(connection: Connection, name: string, record: LeaseValue, before: LeaseValue | undefined) {
    leaseWriters.set(name, connection)
    if (!isRenewal(before, record)) hintOthers({ push: 'lease', name }, connection)
  }

  function tellOfDeath(gone: Connection) {
    for (const holder of suspectHoldersOf(gone, leaseWriters, store.committed.leases, store.incarnation)) {
      hintOthers({ push: 'suspect', holder }, gone)
    }
  }

  function onRequest(connection: Connection, frame: unknown, bytes: number) {
    if (!Array.isArray(frame) || typeof frame[0] !== 'number' || typeof frame[1] !== 'string') {
      throw fail('BUG', 'a frame that is no request')
    }
    const [id, operation, input] = frame as [number, string, unknown]
    if (connection.incarnation === null) return greet(connection, operation, input as Partial<Hello> | null)
    const answer = (result: unknown, error: WireError | null) =>
      send(connection, error === null ? [id, result] : [id, null, error])
    if (closing) return answer(null, { code: 'BUS_UNAVAILABLE', message: 'the bus is stopping' })
    if (!isOperation(operation) || !hasShape(operation, input)) {
      return answer(null, { code: 'BUG', message: `not a request: ${operation.slice(0, 40)}` })
    }
    if (isWrite(operation)) write(connection, operation, input, bytes, answer)
    else if (isLong(operation)) turns.add(connection, readInSteps(connection, operation, input, answer))
    else read(connection, operation, input, answer)
  }

  function greet(connection: Connection, operation: string, input: Partial<Hello> | null) {
    if (operation !== 'hello' || input?.protocol !== PROTOCOL || typeof input.incarnation !== 'number') {
      throw fail('BUG', `a client that does not speak protocol ${PROTOCOL}`)
    }
    connection.incarnation = input.incarnation
    connection.session = String(input.session).slice(0, 100)
    send(connection, [0, { incarnation: store.incarnation, maxEventBytes } satisfies Welcome])
  }

  function write(
    connection: Connection,
    operation: Operation,
    input: any,
    bytes: number,
    answer: (result: unknown, error: WireError | null) => void,
  ) {
    const before = operation === 'writeLease' ? leaseBefore(input.name) : undefined
    const taken = committer.add({
      operation,
      input,
      bytes,
      incarnation: connection.incarnation ?? 0,
      answer(result, error) {
        answer(result, error)
        if (operation === 'writeLease' && result !== null) leaseWritten(connection, input.name, input.record, before)
      },
    })
    if (!taken) answer(null, { code: 'BUS_BUSY', message: 'the bus has too much to do; try again in a moment' })
  }

  /** A damaged one is as none here: writing it says what is wrong. */
  function leaseBefore(name: string) {
    try {
      return store.committed.leases.get(name)?.record
    } catch {
      return undefined
    }
  }

  function read(
    connection: Connection,
    operation: Operation,
    input: any,
    answer: (result: unknown, error: WireError | null) => void,
  ) {
    try {
      const at = { nowMs: clock.now(), incarnation: connection.incarnation ?? 0, dedupMs }
      answer(perform(store.committed, at, operation, input), null)
    } catch (error) {
      answer(null, toWireError(asReadError(error)))
    }
  }

  function* readInSteps(
    connection: Connection,
    operation: 'page' | 'tail' | 'state',
    input: any,
    answer: (result: unknown, error: WireError | null) => void,
  ): Steps<void> {
    try {
      const result = yield* stepsOf(store.committed, operation, input)
      if (operation === 'page' && (result as { end: boolean }).end) connection.following = true
      answer(result, null)
    } catch (error) {
      answer(null, toWireError(asReadError(error)))
    }
  }

  function accept(socket: Socket) {
    const connection: Connection = { socket, session: '', incarnation: null, following: false, out: [] }
    connections.add(connection)
    const feed = frameReader((frame, bytes) => onRequest(connection, frame, bytes))
    socket.on('data', (chunk) => {
      try {
        feed(chunk as Buffer)
      } catch (error) {
        log.warn('a client of the bus was disconnected', { session: connection.session, error })
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      connections.delete(connection)
      talkative.delete(connection)
      turns.forget(connection)
      tellOfDeath(connection)
    })
  }

  const server = createServer(accept)
  await listen(server, path)
  return {
    async close() {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      committer.flush()
      speak()
      for (const { socket } of connections) socket.end()
      // A client that does not read must not keep the bus from stopping.
      clock.after(CLOSE_WAIT_MS, () => {
        for (const { socket } of connections) socket.destroy()
      })
      await closed
    },
  }
}

/** Only this user may connect; a socket left by a process that was killed is replaced. */
async function listen(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw fail(
      'USAGE',
      `the socket's path has more than ${MAX_SOCKET_PATH} bytes: ${path}; use a shorter --data directory`,
    )
  }
  rmSync(path, { force: true })
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o600)
}
