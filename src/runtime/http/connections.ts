/** The open connections of one port. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../core/clock.ts'

export interface Connections {
  /** A TCP connection was accepted. */
  accepted(socket: Socket): void
  /** HTTP can begin (for TLS: the handshake is done). */
  opened(socket: Socket): void
  /** @returns the connection of a request that begins, or null when it has had its last answer: this one gets none */
  began(incoming: IncomingMessage): Connection | null
  /** The connection of a socket on which HTTP began. */
  of(socket: Socket): Connection | undefined
  /** Connections on which an answer is owed or a request may be on its way. */
  busy(): number
  /** Closes what has had a request before and waits for the next one. (node:http's own way also closes those that just opened.) */
  closeIdle(): void
  /** Closes what was opened but never said anything. */
  closeSilent(): void
  destroyAll(): void
}

export interface Connection {
  /** Requests whose answers are owed. */
  owed: number
  /** The request whose headers came last, until its answer is out. */
  latest: IncomingMessage | null
  /** It has had a request. */
  used: boolean
  /** No further request is taken. */
  last: boolean
}

/** Idle connections are looked for at most this often. */
const SWEEP_MS = 1_000

export function createConnections({
  clock,
  maxConnections,
  onClosed,
}: {
  clock: Clock
  maxConnections: number
  onClosed: () => void
}): Connections {
  const accepted = new Set<Socket>()
  const connections = new Map<Socket, Connection>()
  let sweptAt = Number.NEGATIVE_INFINITY

  const closeIdle = () => {
    for (const [socket, { used, owed }] of connections) if (used && owed === 0) socket.destroy()
  }

  /** Idle ones make room before new ones are turned away. */
  const makeRoom = () => {
    if (accepted.size < maxConnections * 0.8 || clock.monotonic() - sweptAt < SWEEP_MS) return
    sweptAt = clock.monotonic()
    closeIdle()
  }

  return {
    accepted(socket) {
      makeRoom()
      accepted.add(socket)
      socket.once('close', () => {
        accepted.delete(socket)
        onClosed()
      })
    },
    opened(socket) {
      connections.set(socket, { owed: 0, latest: null, used: false, last: false })
      socket.once('close', () => {
        connections.delete(socket)
        onClosed()
      })
    },
    began(incoming) {
      const connection = connections.get(incoming.socket)
      if (connection === undefined || connection.last) return null
      connection.owed++
      connection.used = true
      connection.latest = incoming
      return connection
    },
    of: (socket) => connections.get(socket),
    busy() {
      let busy = 0
      for (const { owed, last } of connections.values()) if (owed > 0 || !last) busy++
      return busy
    },
    closeIdle,
    closeSilent() {
      for (const [socket, { used }] of connections) {
        // The bytes of a TLS handshake are no request yet.
        if (!used && (socket.bytesRead === 0 || (socket as TLSSocket).encrypted)) socket.destroy()
      }
    },
    destroyAll() {
      for (const socket of [...connections.keys(), ...accepted]) socket.destroy()
    },
  }
}
