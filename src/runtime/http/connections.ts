/** The open connections of one port. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../core/clock.ts'
import type { Crowd, Member } from './crowd.ts'
import { network } from './peer.ts'

export interface Connections {
  /** A TCP connection was accepted. False: there is no room for it. */
  accepted(socket: Socket): boolean
  /** HTTP can begin (for TLS: the handshake is done). */
  opened(socket: Socket): void
  /**
   * A request begins: `serve` is called with its connection once those before it leave room, or never, when its last one was taken before.
   * @param out calls back when the answer is out
   */
  began(incoming: IncomingMessage, out: (done: () => void) => void, serve: (connection: Connection) => void): void
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

export interface Connection extends Member {
  /** The request that was taken last, until its answer is out. */
  latest: IncomingMessage | null
  /** It has had a request. */
  used: boolean
  /** No further request is taken, and the next answer is the last. */
  last: boolean
  /** No further request is taken, and the answer to `latest` is the last. */
  full: boolean
  /** Requests that have their turn when those before them are answered. */
  waiting: (() => void)[]
  /** Requests whose turn it is. */
  turns: number
}

/** Requests that wait behind others, of all connections: what node:http has parsed lies in memory. */
const MOST_WAITING = 4096

/** What all ports of a process share. */
export interface Line {
  /** Requests that wait behind others, and those that were not taken. */
  waiting: number
}

const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** @param name what the connections count under before they had a request. @param maxPipelined requests on one connection without an answer */
export function createConnections({
  name,
  clock,
  crowd,
  maxPipelined,
  shared,
  onClosed,
}: {
  name: string
  clock: Clock
  crowd: Crowd
  maxPipelined: number
  shared: Line
  onClosed: () => void
}): Connections {
  const accepted = new Map<Socket, Member>()
  /** The same by address and port of the peer: of TLS another socket is handed over once its handshake is done. */
  const handshakes = new Map<string, Member>()
  const connections = new Map<Socket, Connection>()

  const memberOf = (socket: Socket): Member => {
    const address = socket.remoteAddress ?? ''
    const peer = network(address)
    return {
      ...{ socket, entry: name, address, network: peer, peer, usedAt: clock.monotonic() },
      ...{ owed: 0, atWork: 0, read: 0, taken: -1, takenAt: 0 },
    }
  }

  const waitInLine = (connection: Connection, begin: () => void) => {
    connection.waiting.push(begin)
    shared.waiting++
    connection.socket.pause()
  }

  const next = (connection: Connection) => {
    connection.turns--
    const begin = connection.waiting.shift()
    if (begin === undefined) return
    shared.waiting--
    if (connection.waiting.length === 0) connection.socket.resume()
    begin()
  }

  /** Parsed, but nobody will look at it. */
  const leaveOut = ({ socket }: Connection) => {
    shared.waiting++
    socket.once('close', () => shared.waiting--)
    if (shared.waiting > 2 * MOST_WAITING) socket.destroy()
  }

  return {
    accepted(socket) {
      const member = memberOf(socket)
      if (!crowd.join(member)) {
        socket.destroy()
        return false
      }
      const from = endOf(socket)
      accepted.set(socket, member)
      handshakes.set(from, member)
      socket.once('close', () => {
        crowd.leave(member)
        accepted.delete(socket)
        if (handshakes.get(from) === member) handshakes.delete(from)
        onClosed()
      })
      return true
    },
    opened(socket) {
      if (socket.destroyed) return
      const member = accepted.get(socket) ?? handshakes.get(endOf(socket)) ?? memberOf(socket)
      const more = { socket, latest: null, used: false, last: false, full: false, waiting: [], turns: 0 }
      const connection: Connection = Object.assign(member, more)
      connections.set(socket, connection)
      socket.once('close', () => {
        crowd.leave(member)
        shared.waiting -= connection.waiting.length
        connection.waiting = []
        connections.delete(socket)
        onClosed()
      })
    },
    began(incoming, out, serve) {
      const connection = connections.get(incoming.socket)
      if (connection === undefined || connection.last) return
      const mustWait = connection.turns >= maxPipelined
      if (mustWait && shared.waiting >= MOST_WAITING) connection.full = true
      if (connection.full) return leaveOut(connection)
      connection.owed++
      connection.used = true
      connection.read = -1
      connection.latest = incoming
      const begin = () => {
        connection.turns++
        if (!connection.last) serve(connection)
      }
      out(() => {
        connection.owed--
        if (connection.latest === incoming) connection.latest = null
        next(connection)
      })
      if (mustWait) waitInLine(connection, begin)
      else begin()
    },
    of: (socket) => connections.get(socket),
    busy() {
      let busy = 0
      for (const { owed, last } of connections.values()) if (owed > 0 || !last) busy++
      return busy
    },
    closeIdle() {
      for (const [socket, { used, owed }] of connections) if (used && owed === 0) socket.destroy()
    },
    closeSilent() {
      for (const [socket, { used }] of connections) {
        // The bytes of a TLS handshake are no request yet.
        if (!used && (socket.bytesRead === 0 || (socket as TLSSocket).encrypted)) socket.destroy()
      }
    },
    destroyAll() {
      for (const socket of [...connections.keys(), ...accepted.keys()]) socket.destroy()
    },
  }
}
