/**
 * A host process: holds one replica of each EventSource assigned to it. It ends at once when its supervisor is gone: what it would
 * still write is refused by the next run's incarnation. Signals that a terminal or a service manager sends to the whole group:
 * SIGINT is the supervisor's business; SIGTERM drains.
 */
import process from 'node:process'
import { systemClock } from '../core/clock.ts'
import { isVedetteError, messageOf } from '../core/errors.ts'
import { gatherLines } from '../core/gather.ts'
import { createLogger } from '../core/log.ts'
import { printablePage } from '../core/printable.ts'
import { createRedactor } from '../core/redact.ts'
import { hideCredentials } from '../manifest/credentials.ts'
import { createHolding, type Holding } from '../runtime/holding.ts'
import { createListeners } from '../runtime/http/listeners.ts'
import type { SharedSocket } from '../runtime/http/port.ts'
import { listenerOptions } from '../runtime/http/settings.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { ReplicaReport } from '../runtime/report.ts'
import { hidingSecrets, localSecrets } from '../runtime/secrets.ts'
import { openRunBus } from './bus.ts'
import { type Ask, type Assignment, type FromHost, type HostConfig, SIGN_OF_LIFE_MS, type ToHost } from './messages.ts'
import { whenConnected } from './whenConnected.ts'

const clock = systemClock
const redactor = createRedactor()
const { redact } = redactor
/** Changes are gathered for this long, so that load does not become traffic between processes. */
const REPORT_EVERY_MS = 100

function say(message: FromHost, sent?: () => void): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => sent?.())
  else sent?.()
}

function die(why: string): void {
  const reason = printablePage(redact(why))
  process.stderr.write(`${reason}\n`)
  const head = reason.split('\n', 1)[0] ?? ''
  const end = () => process.exit(70)
  say({ say: 'dying', reason: head.slice(0, 500) }, end)
  clock.after(200, end)
}
const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

process.on('uncaughtException', (error) => die(error.stack ?? error.message))
process.on('unhandledRejection', (error) => die(stackOf(error)))
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))

interface Host {
  holding: Holding
  apply(assignment: Assignment): Promise<void>
}

const metrics = createMetrics()

async function start(config: HostConfig, assignment: Assignment): Promise<Host> {
  const write = (line: string) => void process.stderr.write(line)
  const root = createLogger({ format: 'text', level: config.logLevel, redact, write })
  const { log, flush } = gatherLines(root.child({ host: config.index }), clock)
  process.on('exit', flush)
  const hide = ({ objects: eventSources, secrets }: Assignment) => {
    const eventBuses = config.bus.object === null ? [] : [config.bus.object]
    hideCredentials({ eventSources, eventBuses, secrets }, redactor)
  }
  hide(assignment)
  const documents = localSecrets({ ...assignment, dir: config.secretsDir })
  const store = hidingSecrets(documents, redactor)
  const { bus, electionFor } = await openRunBus(config.bus, {
    secrets: store,
    session: `host-${config.index}`,
    clock,
    log,
  })
  const holding: Holding = createHolding({
    bus,
    electionFor,
    idFor: ({ name }) => `${name}-${config.index}`,
    listeners: createListeners({
      bind: config.bind,
      clock,
      log,
      openSocket: openPort,
      ...listenerOptions(config.listeners),
    }),
    secrets: store,
    metrics,
    clock,
    localZone: process.env.TZ || undefined,
    log,
    redactor,
    onReport: reporter(() => holding.reports()),
    onFailover: (failover) => say({ say: 'failover', failover }),
  })
  const apply = async (changed: Assignment): Promise<void> => {
    hide(changed)
    documents.update(changed)
    await holding.apply(changed.objects)
  }
  await whenConnected(bus)
  await apply(assignment)
  return { holding, apply }
}

/** Making reports of thousands of entries takes its time: at most one part in so many of this process's goes into it. */
const REPORT_SHARE = 20

/** Sends all reports: soon after a change, but not more often than {@link REPORT_EVERY_MS}; and as a sign of life. */
function reporter(reports: () => ReplicaReport[]): () => void {
  let sentAt = Number.NEGATIVE_INFINITY
  let due = false
  let pauseMs = REPORT_EVERY_MS
  const send = () => {
    due = false
    const begunAt = clock.monotonic()
    say({ say: 'reports', reports: reports() })
    sentAt = clock.monotonic()
    pauseMs = Math.min(SIGN_OF_LIFE_MS, Math.max(REPORT_EVERY_MS, (sentAt - begunAt) * REPORT_SHARE))
  }
  const live = () => {
    send()
    clock.after(SIGN_OF_LIFE_MS, live)
  }
  clock.after(SIGN_OF_LIFE_MS, live)
  return () => {
    if (due) return
    due = true
    clock.after(Math.max(0, sentAt + pauseMs - clock.monotonic()), send)
  }
}

let opened = 0
let held: Promise<Host> | null = null
let draining: Promise<void> | null = null

async function answer(message: Ask): Promise<unknown> {
  if (message.ask === 'start') {
    held = start(message.config, message.assignment)
    await held
    return
  }
  if (message.ask === 'metrics') return await metrics.registry.getMetricsAsJSON()
  const host = await held
  if (host === null) return
  switch (message.ask) {
    case 'apply':
      return await host.apply(message.assignment)
    case 'handOver':
      return (await host.holding.replica(message)?.handOver(message.successor)) ?? false
    case 'drain':
      draining ??= host.holding.drain()
      return await draining
  }
}

const opening = new Map<number, { resolve(socket: SharedSocket): void; reject(error: Error): void }>()

/** The supervisor binds, so that all hosts share one socket. */
function openPort(port: number, host: string): Promise<SharedSocket> {
  const number = ++opened
  return new Promise((resolve, reject) => {
    opening.set(number, { resolve, reject })
    say({ say: 'openPort', number, port, host })
  })
}

function portOpened(
  { number, port, code }: { number: number; port: number; code?: string | undefined },
  handle: object | undefined,
): void {
  const waiting = opening.get(number)
  opening.delete(number)
  if (handle === undefined) waiting?.reject(Object.assign(new Error(code ?? 'no socket came'), { code }))
  else waiting?.resolve({ handle, release: () => say({ say: 'closePort', port }) })
}

process.on('message', (message: ToHost, handle: unknown) => {
  if (typeof message?.number !== 'number') return
  if ('port' in message) return portOpened(message, (handle ?? undefined) as object | undefined)
  const { number } = message
  const ends = message.ask === 'drain'
  answer(message).then(
    (value) => say({ say: 'answer', number, value }, ends ? () => process.exit(0) : undefined),
    (error: unknown) => {
      // without its replicas a host is of no use: the next one may fare better
      if (message.ask === 'start') return die(isVedetteError(error) ? error.message : stackOf(error))
      say({ say: 'answer', number, error: redact(messageOf(error)) }, ends ? () => process.exit(1) : undefined)
    },
  )
})

process.on('SIGTERM', () => {
  if (held === null) process.exit(0)
  void held.then((host) => {
    draining ??= host.holding.drain()
    void draining.finally(() => process.exit(0))
  })
})
