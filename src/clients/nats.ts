/**
 * One connection to a NATS server or cluster, kept for ever: bus, lock and peers of a process share it. Protocol facts:
 * https://docs.nats.io/reference/reference-protocols/nats-protocol.
 */
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'

/** How to authenticate; read anew at each connect, so that rotated credentials need no restart. */
export type NatsCredentials = { token: string } | { user: string; pass: string } | null

export interface NatsOptions {
  /** `nats://host:port` or `tls://host:port`, any number; all servers of the cluster are learnt from the first. */
  servers: string[]
  /** Shown by the server's monitoring. */
  name: string
  credentials: () => NatsCredentials
  /** PEM texts. TLS is used whenever the server offers it; without a CA the certificate is not verified, as upstream does, and status says so. */
  tls?: { ca?: string; cert?: string; key?: string; insecureSkipVerify?: boolean } | undefined
  clock: Clock
  log: Logger
}

export type NatsStatus = { connected: true } | { connected: false; error: string }

export interface NatsClient {
  /** Resolves with the library's connection once it has connected for the first time; it reconnects by itself from then on. */
  readonly connection: Promise<NatsConnection>
  status(): NatsStatus
  onStatus(listener: (status: NatsStatus) => void): () => void
  /** When the connection last came about, or was told to move (lame duck), on the monotonic clock. Silence just after that proves nothing. */
  readonly unsettledAt: number
  /** `verified`, `encrypted` (certificate not verified) or `plain`; known once connected. */
  readonly transport: 'verified' | 'encrypted' | 'plain'
  close(): Promise<void>
}

/** A dead peer behind a live socket is noticed after two of these. */
const PING_MS = 2_000

export function connectNats({ servers, name, credentials, tls, clock, log }: NatsOptions): NatsClient {
  const listeners = new Set<(status: NatsStatus) => void>()
  let status: NatsStatus = { connected: false, error: `connecting to ${servers.join(', ')}` }
  let unsettledAt = clock.monotonic()
  let encrypted = false
  let closed = false
  const verified = tls?.ca !== undefined && tls.insecureSkipVerify !== true

  const become = (next: NatsStatus) => {
    if (next.connected === status.connected) return
    status = next
    unsettledAt = clock.monotonic()
    if (next.connected) log.info('connected to NATS')
    else log.warn('NATS cannot be reached', { error: next.error })
    for (const listener of [...listeners]) listener(status)
  }

  const watch = async (nc: NatsConnection): Promise<void> => {
    become({ connected: true })
    for await (const event of nc.status()) {
      switch (event.type) {
        case 'disconnect':
        case 'staleConnection':
          become({ connected: false, error: `the connection to ${nc.getServer()} broke` })
          break
        case 'reconnect':
          become({ connected: true })
          break
        case 'ldm':
          // This server is about to go: move now, while it still answers.
          unsettledAt = clock.monotonic()
          nc.reconnect().catch((error: unknown) =>
            log.warn('could not leave a server that goes down', { error: messageOf(error) }),
          )
          break
        default:
      }
    }
    if (!closed) become({ connected: false, error: 'the connection to NATS has ended' })
  }

  const connection = (async () => {
    const { connect } = await import('@nats-io/transport-node')
    const options: ConnectionOptions = {
      servers,
      name,
      authenticator: () => {
        const found = credentials()
        if (found === null) return
        return 'token' in found ? { auth_token: found.token } : found
      },
      // Verification off is upstream's way with its own self-signed servers; a CA turns it on.
      tls: {
        rejectUnauthorized: verified,
        ...(tls?.ca ? { ca: tls.ca } : {}),
        ...(tls?.cert ? { cert: tls.cert } : {}),
        ...(tls?.key ? { key: tls.key } : {}),
      } as ConnectionOptions['tls'],
      reconnect: true,
      maxReconnectAttempts: -1,
      waitOnFirstConnect: true,
      ignoreAuthErrorAbort: true,
      // At once, then with pauses: a cluster has other servers to go to.
      reconnectDelayHandler: () => 20 + Math.random() * 80,
      pingInterval: PING_MS,
      maxPingOut: 2,
      timeout: 2_000,
      noAsyncTraces: true,
    }
    for (let attempt = 0; ; attempt++) {
      try {
        const nc = await connect(options)
        encrypted = (
          nc as unknown as { protocol: { transport: { isEncrypted(): boolean } } }
        ).protocol.transport.isEncrypted()
        void watch(nc)
        return nc
      } catch (error) {
        if (closed) throw error
        status = { connected: false, error: `cannot connect to ${servers.join(', ')}: ${messageOf(error)}` }
        if (attempt === 0) log.warn('cannot connect to NATS yet', { error: messageOf(error) })
        for (const listener of [...listeners]) listener(status)
        await clock.sleep(Math.min(100 * 2 ** Math.min(attempt, 5), 2_000))
      }
    }
  })()
  connection.catch(() => {})

  return {
    connection,
    status: () => status,
    onStatus(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get unsettledAt() {
      return unsettledAt
    },
    get transport() {
      return encrypted ? (verified ? 'verified' : 'encrypted') : 'plain'
    },
    async close() {
      closed = true
      const nc = await Promise.race([connection.catch(() => null), Promise.resolve(null)])
      await nc?.close()
    },
  }
}
