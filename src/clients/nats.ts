/**
 * One connection to a NATS server or cluster, kept for ever: bus, lock and peers of a process share it. Protocol facts:
 * https://docs.nats.io/reference/reference-protocols/nats-protocol.
 */
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { seldom } from '../core/seldom.ts'
import { shownCertificate } from './nats-greeting.ts'
import { certificatesIn, TAKEN_FOR_SELF_SIGNED, trustedAlone } from './same-name.ts'
import { checkConnectedServer } from './server-name.ts'

/** How to authenticate; rotated credentials need no restart. */
export type NatsCredentials = { token: string } | { user: string; pass: string } | null

/** PEM texts. */
export interface TlsFiles {
  ca?: string
  cert?: string
  key?: string
}

export interface NatsOptions {
  /** `nats://host:port` or `tls://host:port`, any number; all servers of the cluster are learnt from the first. */
  servers: string[]
  /** Shown by the server's monitoring. */
  name: string
  /** What answers to this connection begin with; nobody else then needs to be allowed to listen there. `_INBOX` when left out. */
  inbox?: string | undefined
  /** Read before each attempt to connect, and what it gave counts for the next one. Rejections are logged and shown. */
  credentials: () => Promise<NatsCredentials>
  /** With this, or a `tls://` address, TLS is a must. Otherwise it is used when the server offers it. Without a CA the certificate is not verified, as upstream does, and `transport` says so. */
  tls?: { files: () => Promise<TlsFiles>; insecureSkipVerify: boolean } | undefined
  clock: Clock
  log: Logger
}

export type NatsStatus = { connected: true } | { connected: false; error: string }

export interface NatsClient {
  /** Resolves with the library's connection once it has connected for the first time; it reconnects by itself from then on. */
  readonly connection: Promise<NatsConnection>
  /** See {@link NatsOptions.inbox}. */
  readonly inbox: string
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
/** How long a close waits for the server to have read what was sent. */
const LAST_WORDS_MS = 500
/** Also for a look at its certificate. */
const CONNECT_MS = 2_000
/** From so many failures in a row on the server's certificate may be one that OpenSSL needs help with. */
const SUSPICIOUS_AFTER = 3

export function connectNats({
  servers,
  name,
  inbox = '_INBOX',
  credentials,
  tls,
  clock,
  log,
}: NatsOptions): NatsClient {
  const listeners = new Set<(status: NatsStatus) => void>()
  let status: NatsStatus = { connected: false, error: `connecting to ${servers.join(', ')}` }
  let unsettledAt = clock.monotonic()
  let encrypted = false
  let closed = false
  const mustEncrypt = tls !== undefined || servers.some((url) => /^(tls|wss):/.test(url))
  const connected = Promise.withResolvers<NatsConnection>()
  connected.promise.catch(() => {})
  let current: NatsCredentials = null
  /** The library reads this very object each time it connects. */
  const tlsOptions: TlsFiles & { rejectUnauthorized: boolean; checkServerIdentity: typeof checkConnectedServer } = {
    rejectUnauthorized: false,
    checkServerIdentity: checkConnectedServer,
  }

  /** What the login may not do. */
  const refused = seldom(clock)
  let failures = 0
  /** OpenSSL took the server's certificate for self-signed. */
  let mistaken = false
  /** What is wrong with it in truth. */
  let doubt = ''

  /** The library asks synchronously; so what it is told was read just before. */
  const readCredentials = async () => {
    current = await credentials()
    const files = await tls?.files()
    // Verification off is upstream's way with its own self-signed servers; a CA turns it on.
    tlsOptions.rejectUnauthorized = files?.ca !== undefined && tls?.insecureSkipVerify !== true
    const ca = files?.ca === undefined || !tlsOptions.rejectUnauthorized ? files?.ca : await trusted(files.ca)
    Object.assign(tlsOptions, files, ca === undefined ? {} : { ca })
  }
  /** The authorities; or, where OpenSSL takes what they have signed for self-signed, that certificate alone. */
  const trusted = async (ca: string): Promise<string> => {
    if (!mistaken && failures < SUSPICIOUS_AFTER) return ca
    const shown = await shownCertificate(servers, { clock, timeoutMs: CONNECT_MS })
    if (shown === null) return ca
    const alone = trustedAlone(shown, certificatesIn(ca), clock.now())
    doubt = alone === null ? ` (no authority in caCertSecret that is valid today has signed "${shown.subject}")` : ''
    return alone ?? ca
  }
  let reading = false
  let unreadable: string | null = null
  const readForNextTime = async (): Promise<void> => {
    if (reading) return
    reading = true
    try {
      await readCredentials()
      unreadable = null
    } catch (error) {
      if (messageOf(error) !== unreadable) log.warn('the credentials for NATS cannot be read', { error })
      unreadable = messageOf(error)
    }
    reading = false
  }

  const become = (next: NatsStatus) => {
    if (next.connected === status.connected) return
    status = next
    unsettledAt = clock.monotonic()
    failures = 0
    if (next.connected) log.info('connected to NATS')
    else if (!closed) log.warn('NATS cannot be reached', { error: next.error })
    for (const listener of [...listeners]) listener(status)
  }

  const watch = async (nc: NatsConnection): Promise<void> => {
    become({ connected: true })
    for await (const event of nc.status()) {
      switch (event.type) {
        case 'disconnect':
        case 'staleConnection':
          become({ connected: false, error: `the connection to ${nc.getServer()} broke` })
          void readForNextTime()
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
        case 'error':
          // Who may make no consumers reads otherwise: bus/jetstream/reading.ts.
          if (/\$JS\.API\.CONSUMER\./.test(messageOf(event.error))) break
          refused((leftOut) => log.warn('NATS refuses something', { error: messageOf(event.error), ...leftOut }))
          break
        default:
      }
    }
    if (!closed) become({ connected: false, error: 'the connection to NATS has ended' })
  }

  const dial = async (): Promise<void> => {
    const { connect } = await import('@nats-io/transport-node')
    let encrypt = true
    const options = (): ConnectionOptions => ({
      servers,
      name,
      inboxPrefix: inbox,
      authenticator: () => {
        if (current === null) return
        return 'token' in current ? { auth_token: current.token } : current
      },
      // The library knows only "must" and "must not"; once encrypted, a reconnect must be too.
      tls: (encrypt ? tlsOptions : null) as NonNullable<ConnectionOptions['tls']>,
      reconnect: true,
      maxReconnectAttempts: -1,
      // The first connection is tried here, so that credentials are read anew for it too.
      waitOnFirstConnect: false,
      ignoreAuthErrorAbort: true,
      // At once, then with pauses: a cluster has other servers to go to. Asked before each attempt, also one that TLS will end.
      reconnectDelayHandler() {
        failures++
        void readForNextTime()
        return 20 + Math.random() * 80
      },
      pingInterval: PING_MS,
      maxPingOut: 2,
      timeout: CONNECT_MS,
      noAsyncTraces: true,
    })
    for (let attempt = 0; !closed; attempt++) {
      try {
        await readCredentials()
        const nc = await connect(options())
        if (closed) return await nc.close()
        encrypted = (
          nc as unknown as { protocol: { transport: { isEncrypted(): boolean } } }
        ).protocol.transport.isEncrypted()
        connected.resolve(nc)
        void watch(nc)
        return
      } catch (error) {
        if (closed) break
        const said = messageOf(error)
        if (TAKEN_FOR_SELF_SIGNED.test(said) && !mistaken) {
          mistaken = true
          continue
        }
        if (!mustEncrypt && encrypt === /not support 'tls'/.test(said)) {
          encrypt = !encrypt
          if (!encrypt) continue
        }
        const why = TAKEN_FOR_SELF_SIGNED.test(said) ? said + doubt : said
        status = { connected: false, error: `cannot connect to ${servers.join(', ')}: ${why}` }
        if (attempt <= 1) log.warn('cannot connect to NATS yet', { error: why })
        for (const listener of [...listeners]) listener(status)
        await clock.sleep(backoffMs(attempt, { firstMs: 50, maxMs: 1_000 }))
      }
    }
  }
  void dial()

  return {
    connection: connected.promise,
    inbox,
    status: () => status,
    onStatus(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get unsettledAt() {
      return unsettledAt
    },
    get transport() {
      return encrypted ? (tlsOptions.rejectUnauthorized ? 'verified' : 'encrypted') : 'plain'
    },
    async close() {
      if (closed) return
      closed = true
      const wasConnected = status.connected
      connected.reject(fail('BUS_UNAVAILABLE', 'this connection was closed'))
      // What has no outcome yet must not wait for a server that may be gone.
      become({ connected: false, error: 'closed' })
      const nc = await connected.promise.catch(() => null)
      if (wasConnected && nc !== null)
        await Promise.race([nc.flush().catch(() => {}), clock.sleep(LAST_WORDS_MS).catch(() => {})])
      await nc?.close()
    },
  }
}
