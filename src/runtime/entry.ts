/** One entry in one replica: makes the context its source sees, and keeps the source running, for ever, until told to stop. */
import type { Bus, Outcome } from '../bus/bus.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { patiently, whenAborted } from '../core/signals.ts'
import type { Entry } from '../manifest/manifest.ts'
import {
  type Closable,
  guaranteeOf,
  type ListenContext,
  type PrepareContext,
  type SourceContext,
  type SourceDefinition,
} from '../source.ts'
import { createAccount } from './account.ts'
import { fingerprintOf, positionFor } from './fingerprint.ts'
import type { Listeners } from './http/listeners.ts'
import type { EntryMetrics } from './metrics.ts'
import { createPipeline, eventFilter, type Sink } from './pipeline.ts'
import { createHookSecrets } from './registrar/records.ts'
import { runRegistrar } from './registrar/registrar.ts'
import type { EntryReport } from './report.ts'
import type { SecretStore } from './secrets.ts'
import { createEar } from './standby/ear.ts'

export interface EntryOptions {
  namespace: string
  eventSource: string
  entry: Entry
  definition: SourceDefinition<any, any>
  /** Its `kv` is where the registrar keeps its lease and records. */
  bus: Pick<Bus, 'read' | 'state' | 'tail' | 'kv' | 'commits'>
  clock: Clock
  log: Logger
  secrets: SecretStore
  listeners: Listeners
  metrics: EntryMetrics
  maxEventBytes: () => number
  /** Replica id. */
  replica: string
  /** The process's own time zone (an IANA name), when it has one. */
  localZone?: string | undefined
  /** Stored events are logged, some of many. */
  logEvents?: boolean | undefined
  /** Something that status shows has changed. */
  onChange: () => void
}

export interface EntryRunner {
  readonly entry: Entry
  readonly definition: SourceDefinition<any, any>
  /** Hot standby: listens, whoever leads, until `signal` aborts. Resolves at once for an entry of another kind. */
  listen(signal: AbortSignal): Promise<void>
  /** Warm on a standby, until `signal` aborts. */
  prepare(signal: AbortSignal): Promise<void>
  /**
   * Serves until `signal` aborts, restarting the source with backoff for ever. Resolves when the source has returned and what
   * it emitted has an outcome. @param stored the entry's position on the bus
   */
  serve(sink: Sink, stored: unknown, signal: AbortSignal): Promise<void>
  /** Hot standby: true while it has not listened for long enough to make a good leader. */
  readonly fresh: boolean
  /** Closes what `prepare` kept and `serve` did not take. */
  closeKept(): void
  /** The last position known durable, in stored form. */
  position(): unknown
  report(): EntryReport
}

/** How long a source may take to return after it was told to stop, before it is left behind. */
const STOP_PATIENCE_MS = 10_000
/** A source that served this long before it failed is retried at once. */
const HEALTHY_MS = 60_000

export function createEntry(options: EntryOptions): EntryRunner {
  const { namespace, eventSource, entry, definition, bus, clock, log, secrets, listeners, metrics, onChange } = options
  const source = { namespace, name: eventSource }
  const fingerprint = fingerprintOf(definition, entry.spec)
  const filter = eventFilter(entry.filter)
  const account = createAccount({ clock, log, metrics, logEvents: options.logEvents, onChange })
  let position: unknown = null
  let serving = false
  // a listener serves from the moment its port accepts, not before: `ready` promises that
  const hasPort = (definition.listens?.(entry.spec).length ?? 0) > 0
  let accepting = !hasPort
  let kept: Closable | null = null
  const closeKept = (): void => {
    const left = kept
    kept = null
    if (left !== null) void Promise.resolve(left.close()).catch(() => {})
  }
  const ear =
    guaranteeOf(definition, entry.spec) === 'hot-standby' && definition.listen !== undefined
      ? createEar({
          bus,
          source,
          entry: entry.name,
          fingerprint,
          clock,
          log,
          onOverflow: (lost) =>
            account.condition(
              `${lost} messages are lost: the bus takes nothing, and the buffer for what comes is full`,
            ),
        })
      : null

  const prepareContext = (signal: AbortSignal): PrepareContext => ({
    spec: entry.spec,
    entry: entry.name,
    eventSource,
    namespace,
    signal,
    log,
    clock,
    secret: (selector) => secrets.secret(namespace, selector),
    configMap: (selector) => secrets.configMap(namespace, selector),
    condition: (error) => account.condition(error),
    skip: account.skip,
    keep(connection) {
      closeKept()
      kept = connection
    },
    ...(options.localZone === undefined ? {} : { localZone: options.localZone }),
  })

  /** Hooks come after the port: what a provider sends at once must find it open. */
  const register = async (ctx: PrepareContext): Promise<void> => {
    const { hooks } = definition
    if (hooks === undefined) return
    await runRegistrar(
      {
        source,
        entry: entry.name,
        holder: options.replica,
        registration: () => hooks(ctx),
        kv: bus.kv,
        clock,
        log,
        condition: (text) => account.condition(text, { of: 'hooks' }),
      },
      ctx.signal,
    )
  }

  const noting = async (append: Promise<Outcome>): Promise<Outcome> => {
    const outcome = await append
    if (outcome.outcome === 'stored') ear?.wrote(outcome.seq)
    return outcome
  }

  /** One call of the source's `serve`, with everything it emitted settled. */
  const serveOnce = async (sink: Sink, signal: AbortSignal): Promise<void> => {
    const resumed = positionFor(fingerprint, position)
    const recalled = definition.recall === undefined ? [] : await bus.tail(source, entry.name, definition.recall)
    const pipeline = createPipeline({
      namespace,
      eventSource,
      entry: entry.name,
      eventType: definition.eventType ?? definition.type,
      fingerprint,
      fenced: definition.strategy === 'active-passive',
      filter,
      recalled: new Set(recalled.map(({ id }) => id)),
      sink: ear === null ? sink : { ...sink, append: (member) => noting(sink.append(member)) },
      position,
      clock,
      log,
      account,
      maxEventBytes: options.maxEventBytes,
    })
    const prepared = prepareContext(signal)
    const over = new AbortController()
    let registering: Promise<void> | undefined
    const context: SourceContext = {
      ...prepared,
      emit: pipeline.emit,
      advance: pipeline.advance,
      commits: (cluster, group) => bus.commits?.(cluster, group) ?? false,
      resume: () => resumed,
      kept() {
        const taken = kept
        kept = null
        return taken
      },
      snapshot: sink.snapshot(entry.name),
      async http(route) {
        const owner = `${namespace}/${eventSource}/${entry.name}`
        await listeners.route(owner, route, { signal, secret: prepared.secret, log })
        accepting = true
        account.served()
        registering ??= register(prepareContext(AbortSignal.any([signal, over.signal])))
        onChange()
      },
      hookSecret: createHookSecrets({ source, entry: entry.name, kv: bus.kv, clock }),
    }
    const patience = { signal, clock, patienceMs: STOP_PATIENCE_MS }
    try {
      const work = ear === null ? definition.serve(context) : ear.lead(pipeline.emit, signal)
      const returned = await patiently(work, patience)
      if (!returned) log.error('the source does not stop; what it still emits is refused')
      else if (!signal.aborted) throw fail('ORIGIN_UNAVAILABLE', 'the source ended by itself')
    } finally {
      accepting = !hasPort
      over.abort()
      await patiently(registering ?? Promise.resolve(), patience)
      await patiently(pipeline.settle(), patience)
      position = pipeline.position()
    }
  }

  /** Repeats `work` with backoff until it returns or `signal` aborts; what it throws is shown in status. */
  const keepTrying = async (signal: AbortSignal, work: () => Promise<void>): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonic()
      try {
        return await work()
      } catch (error) {
        if (signal.aborted) return
        // Losing the lead is not the source's fault; the replica acts on it, and ends this by the signal.
        if (isVedetteError(error, 'FENCED', 'OUTCOME_UNKNOWN', 'NOT_LEADING')) return await whenAborted(signal)
        account.condition(messageOf(error), { thrown: true })
        if (clock.monotonic() - startedMs > HEALTHY_MS) attempt = 0
        await clock.sleep(backoffMs(attempt, definition.reconnect?.(entry.spec)), signal).catch(() => {})
      }
    }
  }

  return {
    entry,
    definition,
    async listen(signal) {
      const { listen } = definition
      if (ear === null || listen === undefined) return
      const context: ListenContext = {
        ...prepareContext(signal),
        subscribed() {
          ear.subscribed()
          account.condition(null)
        },
        hear: ear.hear,
      }
      await ear.attend((ends) => keepTrying(ends, () => listen({ ...context, signal: ends })), signal)
    },
    async prepare(signal) {
      const { prepare } = definition
      if (prepare === undefined || ear !== null) return
      await keepTrying(signal, async () => {
        try {
          await prepare(prepareContext(signal))
        } catch (error) {
          closeKept()
          throw error
        }
      })
    },
    get fresh() {
      return ear?.fresh ?? false
    },
    closeKept,
    async serve(sink, stored, signal) {
      position = stored
      serving = true
      metrics.running(true)
      onChange()
      await keepTrying(signal, () => serveOnce(sink, signal))
      closeKept()
      serving = false
      metrics.running(false)
      onChange()
    },
    position: () => position,
    report: () => ({
      type: entry.type,
      name: entry.name,
      serving: serving && accepting,
      ...(definition.guaranteeOf === undefined ? {} : { guarantee: definition.guaranteeOf(entry.spec) }),
      ...account.report(),
      ...(definition.unsigned?.(entry.spec) ? { unsigned: true } : {}),
    }),
  }
}
