/** The open connections of one port. */
import type { IncomingMessage, ServerResponse } from 'node:http'
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
  /** A request begins: `serve` is called once those before it on its connection leave room, or never, when its last one was taken before. */
  began(incoming: IncomingMessage, response: ServerResponse): void
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
  /** No further request is taken, and the answer to `begun` is the last. */
  full: boolean
  /** The request whose turn came last, until its answer is out. */
  begun: IncomingMessage | null
  /** Requests that have their turn when those before them are answered. */
  waiting: (() => void)[]
  /** Requests whose turn it is. */
  turns: number
  /** The next of those that wait has its turn soon. */
  nextSoon: boolean
  /** Requests that came when it was full. */
  leftOut: number
}

/** Requests that wait behind others, on one connection and on all: what node:http has parsed lies in memory. */
const MOST_WAITING = { one: 128, all: 4096 }
/** Beyond what one packet can hold of any sense, its connection is cut: it keeps them all in memory. */
const MOST_LEFT_OUT = 512

/** What all ports of a process share. */
export interface Line {
  /** Requests that wait behind others. */
  waiting: number
}

const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** @param name what the connections count under before they had a request. @param secure whether TLS comes before HTTP. @param maxPipelined requests on one connection without an answer */
export function createConnections({
  name,
  secure,
  clock,
  crowd,
  maxPipelined,
  shared,
  serve,
  onClosed,
}: {
  name: string
  secure: boolean
  clock: Clock
  crowd: Crowd
  maxPipelined: number
  shared: Line
  serve: (incoming: IncomingMessage, response: ServerResponse, connection: Connection) => void
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
      ...{ shaking: secure, owed: 0, atWork: 0, read: 0, taken: -1, takenAt: 0 },
    }
  }

  const waitInLine = (connection: Connection, begin: () => void) => {
    connection.waiting.push(begin)
    shared.waiting++
    connection.socket.pause()
    nextSoon(connection)
  }

  /** One each turn of the loop, so that who sends many at once does not keep those waiting who send one. */
  const nextSoon = (connection: Connection) => {
    if (connection.nextSoon || connection.waiting.length === 0 || connection.turns >= maxPipelined) return
    connection.nextSoon = true
    clock.soon(() => {
      connection.nextSoon = false
      const begin = connection.waiting.shift()
      if (begin === undefined) return
      shared.waiting--
      if (connection.waiting.length === 0) connection.socket.resume()
      begin()
      nextSoon(connection)
    })
  }

  /** Who sends more than may wait gets what is at work answered, and no more. What it has sent already is parsed all the same. */
  const fill = (connection: Connection) => {
    if (connection.full) {
      if (++connection.leftOut > MOST_LEFT_OUT) connection.socket.destroy()
      return
    }
    connection.full = true
    shared.waiting -= connection.waiting.length
    connection.owed -= connection.waiting.length
    connection.waiting = []
    connection.socket.pause()
  }

  const begin = (connection: Connection, incoming: IncomingMessage, response: ServerResponse) => {
    connection.turns++
    connection.begun = incoming
    if (!connection.last) serve(incoming, response, connection)
  }

  const answered = (connection: Connection, incoming: IncomingMessage) => {
    connection.owed--
    connection.turns--
    if (connection.latest === incoming) connection.latest = null
    if (connection.begun === incoming) connection.begun = null
    nextSoon(connection)
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
      const connection: Connection = Object.assign(member, {
        ...{ socket, latest: null, begun: null, used: false, last: false, full: false },
        ...{ waiting: [], turns: 0, nextSoon: false, leftOut: 0 },
      })
      connections.set(socket, connection)
      crowd.shaken(connection)
      socket.once('close', () => {
        crowd.leave(member)
        shared.waiting -= connection.waiting.length
        connection.waiting = []
        connections.delete(socket)
        onClosed()
      })
    },
    began(incoming, response) {
      const connection = connections.get(incoming.socket)
      if (connection === undefined || connection.last) return
      if (connection.full) return fill(connection)
      // What else was in its packet is parsed before any of it can be answered.
      const mustWait = connection.turns > 0 || connection.waiting.length > 0
      if (mustWait && (connection.waiting.length >= MOST_WAITING.one || shared.waiting >= MOST_WAITING.all)) {
        return fill(connection)
      }
      connection.owed++
      connection.used = true
      connection.read = -1
      connection.latest = incoming
      response.on('close', () => answered(connection, incoming))
      if (mustWait) waitInLine(connection, () => begin(connection, incoming, response))
      else begin(connection, incoming, response)
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
