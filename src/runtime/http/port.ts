/** One listening port: its server, its connections, its certificate. */
import { constants } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { Server as NetServer, type Socket } from 'node:net'
import { fail } from '../../core/errors.ts'
import { refuseConnection } from './answer.ts'
import type { Certificate } from './certificate.ts'
import { createConnections } from './connections.ts'
import { exchange, type Shared } from './exchange.ts'
import type { Routes } from './routes.ts'

/** A socket that is already bound, given by whoever lets several processes listen on one port. */
export interface SharedSocket {
  /** What `server.listen(handle)` takes. */
  handle: object
  /** To be called once this process no longer accepts on it. */
  release(): void
}

/** @throws an error with the system's code (EADDRINUSE…) */
export type OpenSocket = (port: number, host: string) => Promise<SharedSocket>

export interface Port {
  listening(): boolean
  /** What new connections are shown; null: plain HTTP. */
  certificate(): Certificate | null
  /** Shows another certificate to new connections. */
  renew(certificate: Certificate): void
  /** @throws PORT_IN_USE naming port and entry */
  listen(host: string): Promise<void>
  /** Accepts nothing more; connections end with their next answer. */
  stop(): void
  /** Closes connections that had a request before and wait for the next one. */
  closeIdle(): void
  /** Connections on which an answer is owed or a request may be on its way. */
  busy(): number
  /** Closes connections that never said anything. */
  closeSilent(): void
  /** Cuts all connections. */
  destroy(): void
}

/**
 * @param owner for whom the port is opened, for messages
 * @param onClosed a connection has closed
 * @param open where the socket comes from; left out: this process opens its own
 */
export function createPort(
  shared: Shared,
  routes: Routes,
  options: {
    port: number
    certificate: Certificate | null
    owner: string
    onClosed: () => void
    open?: OpenSocket | undefined
  },
): Port {
  const { clock, limits, log } = shared
  const { port, owner } = options
  let { certificate } = options
  let stopped = false
  let release = () => {}
  const server = makeServer(shared, certificate)
  const connections = createConnections({
    name: `${port}`,
    secure: certificate !== null,
    clock,
    crowd: shared.crowd,
    maxPipelined: limits.maxPipelined,
    shared,
    serve(incoming, response, connection) {
      if (stopped || shared.closing) connection.last = true
      void exchange(shared, routes, incoming, response, connection)
    },
    onClosed: options.onClosed,
  })

  /** Something came that is no request, or not in time. */
  const refuse = (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = connections.of(socket)
    if (connection === undefined || error.code === 'ECONNRESET') return void socket.destroy()
    // Its last answer is written already: closing is under way.
    if (connection.last) return
    connection.last = true
    const broken = connection.latest?.complete === false ? 1 : 0
    // Answers still owed come first: what we write now would be taken for one of them. The next of them closes.
    if (connection.owed > broken) return broken ? void socket.destroy() : undefined
    refuseConnection(socket, STATUS[error.code ?? ''] ?? 400, clock)
  }

  server.on('connection', connections.accepted)
  server.on(certificate === null ? 'connection' : 'secureConnection', connections.opened)
  server.on('request', connections.began)
  server.on('checkContinue', connections.began)
  // A tunnel is nothing that is offered here.
  server.on('connect', (_, socket) => refuseConnection(socket, 405, clock))
  server.on('clientError', (error, socket) => refuse(error, socket as Socket))

  return {
    listening: () => server.listening && !stopped,
    certificate: () => certificate,
    renew(renewed) {
      certificate = renewed
      ;(server as TlsServer).setSecureContext(contextOf(renewed))
    },
    async listen(host) {
      try {
        const socket = await options.open?.(port, host)
        release = socket?.release ?? release
        await listening(server, socket?.handle ?? { port, host, exclusive: false })
      } catch (error) {
        release()
        throw listenError(error as NodeJS.ErrnoException, host, port, owner)
      }
      server.on('error', (error) => log.error(`port ${port}: ${error.message}`))
    },
    stop() {
      stopped = true
      // Not node:http's own close: it also closes connections that just opened, and stops enforcing the time-outs.
      NetServer.prototype.close.call(server)
      release()
    },
    closeIdle: connections.closeIdle,
    busy: connections.busy,
    closeSilent: connections.closeSilent,
    destroy() {
      connections.destroyAll()
      // Ends the timer that enforces the time-outs.
      server.close()
    },
  }
}

function listening(server: Server, on: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(on, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function makeServer({ limits }: Shared, certificate: Certificate | null): Server {
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkTimeoutsMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Strict parsing, whatever flags the process was started with.
    insecureHTTPParser: false,
  }
  const server: Server =
    certificate === null
      ? createServer(options)
      : createTlsServer({ ...options, ...contextOf(certificate), handshakeTimeout: limits.headersTimeoutMs })
  // One more than allowed: node:http drops surplus fields silently, and we want to see that there are too many.
  server.maxHeadersCount = limits.maxHeaders + 1
  return server
}

/** Nobody may ask for another handshake on an open connection: nothing here needs one, and each costs us a signature. */
const contextOf = (certificate: Certificate) => ({ ...certificate, secureOptions: constants.SSL_OP_NO_RENEGOTIATION })

const STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number, owner: string): Error {
  const what = `${owner} cannot listen on port ${port} of ${host} (${error.code ?? 'no code'})`
  const details = { port, host, owner }
  switch (error.code) {
    case 'EADDRINUSE':
      return fail('PORT_IN_USE', `${what}: another process uses it; stop that process or change the port`, details)
    case 'EACCES':
      return fail('PORT_IN_USE', `${what}: not permitted for this user; use a port from 1024`, details)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return fail('PORT_IN_USE', `${what}: this machine has no such address; change --bind`, details)
    default:
      return fail('PORT_IN_USE', `${what}: ${error.message}`, details)
  }
}
