/**
 * The HTTP listeners of one process: one per distinct port, shared by all entries of all types. Guarantees: a route that is
 * registered again replaces the former one without a refused connection; nothing a sender does makes memory grow without bound or
 * the process end. Host processes of `vedette run` share a port: its socket is then handed in (`openSocket`).
 */
import { createBucket } from '../../core/bucket.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { ratedLogger } from '../../core/rated-log.ts'
import type { Redact } from '../../core/redact.ts'
import { parseEndpoint } from '../../source/endpoint.ts'
import type { HttpRoute, Listens, SecretKeySelector } from '../../source.ts'
import { type Certificate, readCertificate, sameCertificate } from './certificate.ts'
import { createCrowd } from './crowd.ts'
import type { Shared } from './exchange.ts'
import { createGuard } from './guard.ts'
import { createLedger } from './ledger.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { type PeerOf, peers } from './peer.ts'
import { createPort, type OpenSocket, type Port } from './port.ts'
import { createCanonicalNames } from './request.ts'
import { createRoutes, type Expected, type Registration, type Routes } from './routes.ts'
import { shortage } from './shortage.ts'
import { createStanding } from './standing.ts'

export interface RouteOptions {
  /** The route ends when this aborts. */
  signal: AbortSignal
  secret: (selector: SecretKeySelector) => Promise<string>
  log: Logger
  /** Told what is wrong with the Secret of `authSecret`; `null`: nothing any more. */
  condition?: (text: string | null) => void
  /** Of what senders are told. */
  redact: Redact
}

export interface Listeners {
  /**
   * Serves a route until `signal` aborts. Registered again under the same port and endpoint by the same owner it replaces the
   * former one. Resolves when the port accepts. @param owner names the entry: `<namespace>/<eventsource>/<entry>`
   * @throws PORT_IN_USE when another owner has the endpoint, another process the port, or others on the port use other TLS;
   * SPEC_INVALID for an endpoint or certificate that cannot work; SECRET_MISSING; SHUTTING_DOWN
   */
  route(owner: string, route: HttpRoute, options: RouteOptions): Promise<void>
  /**
   * Entries will serve these until `signal` aborts: while one does not, requests for it get 503 and never 404, after which some
   * providers give a hook up. Opens no port. @throws SPEC_INVALID for an endpoint that can match nothing
   */
  expect(listens: readonly Listens[], signal: AbortSignal): void
  /** From now on answers carry `Connection: close`, so that senders go elsewhere; everything is still served. */
  windDown(): void
  /**
   * Stops accepting; lets requests in flight, and those that senders are just about to send on an open connection, finish with
   * `Connection: close`. Resolves when all connections are closed, or after `timeoutMs`.
   */
  drain(timeoutMs: number): Promise<void>
  /** Cuts what is left. */
  close(): Promise<void>
  /** Requests being worked on. */
  inFlight(): number
  /** True when every port that has a route is listening. */
  ready(): boolean
}

interface Opened {
  number: number
  routes: Routes
  port: Port
  /** Cancels what was to happen later. */
  cancel: () => void
}

/**
 * How long a connection on which nothing happens may still begin a request while draining. A request may be on its way on any of
 * them, and closing at once breaks those (measured: 10 to 19 of 50 busy connections).
 */
const QUIET_MS = 500

/** @param bind the address to listen on; `::` or `0.0.0.0` for all. @param peerOf left out: each connection is one peer's */
export function createListeners({
  bind,
  clock,
  log,
  openSocket,
  peerOf = peers([]),
  ...given
}: { bind: string; clock: Clock; log: Logger; openSocket?: OpenSocket; peerOf?: PeerOf } & Partial<Limits>): Listeners {
  const limits = { ...defaultLimits, ...given }
  const open = new Map<number, Opened>()
  /** Ports that no longer accept, until their connections are closed. */
  const retired = new Set<Opened>()
  /** Registrations on one port follow one another: two at once would open it twice. */
  const turns = new Map<number, Promise<void>>()
  const watchers = new Set<() => void>()
  const expected = new Map<number, Set<Expected>>()
  let ending = false
  const somethingEnded = () => {
    // With each answer: mostly there is neither.
    if (retired.size > 0) for (const opened of retired) if (opened.port.busy() === 0) bury(opened)
    if (watchers.size > 0) for (const watcher of [...watchers]) watcher()
  }
  const standing = createStanding()
  const short = shortage(clock, log)
  const ledger = createLedger({
    maxRequests: limits.maxRequests,
    maxBytes: limits.maxBufferedBytes,
    onShort: short.turnedAway,
  })
  const crowd = createCrowd(limits, { ledger, standing, onClosed: short.closed })
  const shared: Shared = {
    ...{ clock, limits, ledger, crowd, standing, peerOf },
    log: ratedLogger(log, clock),
    canonical: createCanonicalNames(),
    inFlight: 0,
    waiting: 0,
    closing: false,
    onAnswered: somethingEnded,
  }
  /** Looks while there are ports. */
  let looking = false
  const look = () => {
    looking = open.size + retired.size > 0
    if (!looking) return
    crowd.look(clock.monotonic())
    cancelLook = clock.after(limits.lookMs, look)
  }
  let cancelLook = () => {}

  const retire = (opened: Opened) => {
    if (open.get(opened.number) === opened) open.delete(opened.number)
    opened.cancel()
    opened.routes.giveUp()
    opened.port.stop()
    opened.port.closeIdle()
    retired.add(opened)
    opened.cancel = clock.after(limits.requestTimeoutMs, () => bury(opened))
    somethingEnded()
  }

  const bury = (opened: Opened) => {
    retired.delete(opened)
    opened.cancel()
    opened.port.destroy()
  }

  const openPort = (number: number, certificate: Certificate | null, owner: string): Opened => {
    const onEmpty = () => {
      if (open.get(number) === opened) retire(opened)
    }
    const routes = createRoutes({
      port: number,
      clock,
      graceMs: limits.graceMs,
      expected: () => expected.get(number) ?? [],
      onEmpty,
    })
    const port = createPort(shared, routes, {
      port: number,
      certificate,
      owner,
      onClosed: somethingEnded,
      open: openSocket,
    })
    const opened: Opened = { number, routes, port, cancel: () => {} }
    open.set(number, opened)
    if (!looking) look()
    if (certificate !== null) watchCertificate(opened)
    return opened
  }

  /** Shows renewed certificates to new connections, for as long as the port is open. */
  const watchCertificate = (opened: Opened) => {
    let complained = ''
    const look = async () => {
      const wanted = opened.routes.active().find(({ certificate }) => certificate !== undefined)
      try {
        const certificate = await wanted?.certificate?.()
        const isOpen = open.get(opened.number) === opened
        if (isOpen && certificate !== undefined && !sameCertificate(certificate, opened.port.certificate())) {
          opened.port.renew(certificate)
          log.info(`port ${opened.number} has a new certificate`)
        }
        complained = ''
      } catch (error) {
        if (messageOf(error) !== complained)
          log.error(`port ${opened.number} keeps its certificate: ${messageOf(error)}`)
        complained = messageOf(error)
      }
      if (open.get(opened.number) === opened) opened.cancel = clock.after(limits.reloadMs, look)
    }
    opened.cancel = clock.after(limits.reloadMs, look)
  }

  /** The port to put a registration on: the open one if its TLS fits, else a new one in its place. */
  const portFor = (registration: Registration, certificate: Certificate | null): Opened => {
    const { owner, route } = registration
    const opened = open.get(route.port)
    if (opened === undefined) return openPort(route.port, certificate, owner)
    if (sameCertificate(opened.port.certificate(), certificate)) return opened
    const others = opened.routes.active().filter((other) => !sameRoute(other, registration))
    if (others.length > 0) {
      throw fail(
        'PORT_IN_USE',
        `port ${route.port} is served ${tlsOf(opened.port.certificate())} for ${others[0]!.owner}, so ${owner} cannot have it ${tlsOf(certificate)}: ` +
          'all entries on a port need the same certificate, or none; give one of them another port',
        { port: route.port },
      )
    }
    if (opened.port.certificate() !== null && certificate !== null) {
      opened.port.renew(certificate)
      return opened
    }
    // From plain to TLS or back: another server, and for a moment nobody listens. The senders must change their URL anyway.
    retire(opened)
    return openPort(route.port, certificate, owner)
  }

  const register = async (registration: Registration, signal: AbortSignal): Promise<void> => {
    const certificate = (await registration.certificate?.()) ?? null
    if (ending) throw fail('SHUTTING_DOWN', 'this process is stopping and takes no more routes')
    if (signal.aborted) return
    const opened = portFor(registration, certificate)
    opened.routes.add(registration)
    signal.addEventListener('abort', () => opened.routes.remove(registration), { once: true })
    if (opened.port.listening()) return
    try {
      await opened.port.listen(bind)
    } catch (error) {
      if (open.get(opened.number) === opened) open.delete(opened.number)
      opened.cancel()
      throw error
    }
    // What happened while the port was being opened.
    if (open.get(opened.number) !== opened || ending) opened.port.stop()
    else log.debug(`listening on port ${opened.number}`)
  }

  const ports = () => [...open.values(), ...retired].map(({ port }) => port)
  const idle = () => shared.inFlight === 0 && ports().every((port) => port.busy() === 0)

  return {
    route(owner, route, { signal, secret, log, redact, condition = () => {} }) {
      const { tls, authSecret, rateLimit, port } = route
      const registration: Registration = {
        owner,
        route,
        log: ratedLogger(log, clock),
        redact,
        guard: authSecret && createGuard(authSecret, { secret, clock, log, signal, condition }),
        takeToken: rateLimit === undefined ? undefined : createBucket(rateLimit, clock),
        certificate: tls === undefined ? undefined : () => readCertificate(tls, secret),
      }
      const before = turns.get(port) ?? Promise.resolve()
      const turn = before.then(() => register(registration, signal))
      turns.set(
        port,
        turn.catch(() => {}),
      )
      return turn
    },
    expect(listens, signal) {
      for (const { port, endpoint } of listens) {
        const one: Expected = { endpoint, pattern: parseEndpoint(endpoint) }
        const all = expected.get(port) ?? new Set()
        expected.set(port, all.add(one))
        signal.addEventListener('abort', () => all.delete(one), { once: true })
      }
    },
    windDown() {
      shared.closing = true
    },
    async drain(timeoutMs) {
      ending = true
      shared.closing = true
      for (const { routes, port } of open.values()) {
        routes.giveUp()
        port.stop()
      }
      const cancelQuiet = clock.after(QUIET_MS, () => {
        for (const port of ports()) {
          port.closeIdle()
          port.closeSilent()
        }
      })
      await new Promise<void>((resolve) => {
        const check = () => {
          if (!idle()) return
          cancel()
          watchers.delete(check)
          resolve()
        }
        const cancel = clock.after(timeoutMs, () => {
          watchers.delete(check)
          resolve()
        })
        watchers.add(check)
        check()
      })
      cancelQuiet()
    },
    async close() {
      ending = true
      for (const opened of [...open.values()]) retire(opened)
      for (const opened of [...retired]) bury(opened)
      cancelLook()
    },
    inFlight: () => shared.inFlight,
    ready: () => [...open.values()].every(({ port }) => port.listening()),
  }
}

const tlsOf = (certificate: Certificate | null): string =>
  certificate === null ? 'without TLS' : 'with its certificate'

const sameRoute = (a: Registration, b: Registration): boolean =>
  a.owner === b.owner && a.route.endpoint === b.route.endpoint
