/** One entry in one replica: makes the context its source sees, and keeps the source running, for ever, until told to stop. */
import type { Bus, Outcome } from '../bus/bus.ts'
import { asRead } from '../bus/outcome.ts'
import { type BackoffOptions, backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { within } from '../core/signals.ts'
import type { Entry } from '../manifest/manifest.ts'
import {
  type Closable,
  guaranteeOf,
  type Predecessor,
  type PrepareContext,
  type SourceContext,
  type SourceDefinition,
} from '../source.ts'
import { createAccount } from './account.ts'
import { type Attempt, attempt } from './attempt.ts'
import { fingerprintOf, positionFor } from './fingerprint.ts'
import type { Listeners } from './http/listeners.ts'
import type { EntryMetrics } from './metrics.ts'
import { createPipeline, eventFilter, type Pipeline, type Sink } from './pipeline.ts'
import { watchPredecessor } from './predecessor.ts'
import { createHookSecrets } from './registrar/records.ts'
import { runRegistrar } from './registrar/registrar.ts'
import type { EntryReport } from './report.ts'
import type { SecretStore } from './secrets.ts'
import { createEar, type Ear } from './standby/ear.ts'
import type { Watchdog } from './watchdog.ts'

export interface EntryOptions {
  namespace: string
  eventSource: string
  entry: Entry
  definition: SourceDefinition<any, any>
  /** Its `kv` is where the registrar keeps its lease and records. */
  bus: Pick<Bus, 'read' | 'state' | 'tail' | 'others' | 'kv' | 'commits'>
  clock: Clock
  log: Logger
  /** Of what an entry writes beside its log and its report: records on the bus, answers to senders. */
  redactor: Redactor
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
  /** Argo Events' own Pods serve the EventSource or did within the last minute, or nobody can tell yet; left out: never. */
  beside?: (() => boolean) | undefined
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
  fresh(): boolean
  /** See {@link PredecessorWatch.looked}. */
  looked(): boolean
  /** Closes what `prepare` kept and `serve` did not take. */
  closeKept(): void
  /** The last position known durable, in stored form. */
  position(): unknown
  report(): EntryReport
}

/** A source that served this long before it failed is retried at once. */
const HEALTHY_MS = 60_000
/** A source must have begun to read by then, or have said why not; each time that it has not it is given twice as long. */
const STARTS_MS = 30_000
const MOST_STARTS_MS = 300_000
/** A bus that is away comes back for all at once: nobody is to sleep on then. */
const BUS_BACKOFF = { firstMs: 100, maxMs: 1_000 }
/** A read of the bus that has no answer by then is given up, and the entry begun anew. */
const READ_LIMIT_MS = 30_000
/** A port that is taken may be free at any moment, and senders are refused until it is ours. */
const LISTEN_AGAIN: BackoffOptions = { maxMs: 2_000 }

export function createEntry(options: EntryOptions): EntryRunner {
  const { namespace, eventSource, entry, definition, bus, clock, log, redactor, secrets, listeners, metrics } = options
  const source = { namespace, name: eventSource }
  const fingerprint = fingerprintOf(definition, entry.spec)
  const filter = eventFilter(entry.filter)
  const onChange = () => {
    metrics.serving(isServing())
    options.onChange()
  }
  const account = createAccount({ clock, log, metrics, logEvents: options.logEvents, onChange })
  let position: unknown = null
  let serving = false
  /** The attempt that serves now, and how many before it stood still. */
  let watch: Watchdog | null = null
  let stalls = 0
  // a listener serves from the moment its port accepts, not before: `ready` promises that
  const hasPort = (definition.listens?.(entry.spec).length ?? 0) > 0
  let accepting = !hasPort
  /** Neither before its source has begun to read, nor while that waits for its next try. */
  const isServing = () => serving && accepting && !account.ended && watch !== null && !watch.starting()
  let kept: Closable | null = null
  let hooksSettledMs: number | null = null
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

  /** @param over aborts when what was given the context is over, though it may still go on */
  const prepareContext = (signal: AbortSignal, over?: AbortSignal, dog?: Watchdog): PrepareContext => ({
    spec: entry.spec,
    entry: entry.name,
    eventSource,
    namespace,
    signal,
    log,
    clock,
    secret: (selector) => secrets.secret(namespace, selector),
    configMap: (selector) => secrets.configMap(namespace, selector),
    condition(error) {
      if (over?.aborted) return
      // A source that says what is wrong has begun, and knows what it does.
      if (dog?.starting()) dog.reading()
      account.condition(error)
      onChange()
    },
    skip: account.skip,
    keep(connection) {
      closeKept()
      kept = connection
    },
    ...(options.localZone === undefined ? {} : { localZone: options.localZone }),
  })

  const predecessors = watchPredecessor({
    ...{ bus, source, entry: entry.name, clock, follows: definition.follows },
    beside: options.beside ?? (() => false),
    look: async (signal) => await definition.look?.(prepareContext(signal)),
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
        ...{ kv: bus.kv, clock, log, redact: redactor.redact },
        condition: (text) => account.condition(text, { of: 'hooks' }),
        onSettled(wantedMs) {
          hooksSettledMs = wantedMs
        },
      },
      ctx.signal,
    )
  }

  const noting = async (append: Promise<Outcome>): Promise<Outcome> => {
    const outcome = await append
    if (outcome.outcome === 'stored') ear?.wrote(outcome.seq)
    return outcome
  }

  /** @param busy whether waiting for the bus is right now */
  const watched = (ends: AbortSignal, busy: () => boolean) => ({
    ...{ ends, clock, busy, startsMs: Math.min(STARTS_MS * 2 ** stalls, MOST_STARTS_MS) },
    onStalled(error: VedetteError) {
      stalls++
      metrics.stalled()
      // Now, not when it has stopped: it may not.
      account.condition(error.message, { thrown: true })
    },
  })

  /** What the bus has of this entry from before it was asked for by position. @throws BUS_UNAVAILABLE */
  const recall = async (): Promise<Set<string>> => {
    if (definition.recall === undefined) return new Set()
    const read = bus.tail(source, entry.name, definition.recall)
    const recalled = await asRead(`reading the last events of ${entry.name}`, within(read, READ_LIMIT_MS, clock))
    return new Set(recalled.map(({ id }) => id))
  }

  const pipelineInto = (sink: Sink, recalled: Set<string>): Pipeline =>
    createPipeline({
      ...{ namespace, eventSource, entry: entry.name, eventType: definition.eventType ?? definition.type },
      ...{ fingerprint, fenced: definition.strategy === 'active-passive', filter, recalled },
      sink: ear === null ? sink : { ...sink, append: (member) => noting(sink.append(member)) },
      ...{ position, clock, account, maxEventBytes: options.maxEventBytes },
    })

  /** One call of the source's `serve`, with everything it emitted settled. @throws STALLED when it stood still; what `serve` throws */
  const serveOnce = async (sink: Sink, ends: AbortSignal): Promise<void> => {
    const pipeline = pipelineInto(sink, await recall())
    const predecessor = await predecessors.found()
    let registered = async (): Promise<void> => {}
    const work = async (now: Attempt): Promise<void> => {
      watch = now.watchdog
      const made = serveContext(sink, pipeline, now, predecessor)
      registered = made.registered
      const { context } = made
      if (ear === null) return await definition.serve(context)
      await ear.lead(context.emit, now.signal, {
        caughtUp: () => context.reading(),
        condition: context.condition,
      })
    }
    const wrapUp = async (): Promise<void> => {
      accepting = !hasPort
      await registered()
      await pipeline.settle()
    }
    try {
      const returned = await attempt(watched(ends, sink.busy), work, wrapUp)
      if (!returned) log.error('the source does not stop; what it still emits is refused')
      else if (!ends.aborted) throw fail('ORIGIN_UNAVAILABLE', 'the source ended by itself')
    } finally {
      pipeline.end()
      watch = null
      position = pipeline.position()
    }
  }

  /** What the source is given for one attempt; of one that was left behind nothing counts any more. */
  const serveContext = (
    sink: Sink,
    pipeline: Pipeline,
    { watchdog, signal, over }: Attempt,
    predecessor: Predecessor | null,
  ): { context: SourceContext; registered: () => Promise<void> } => {
    const resumed = positionFor(fingerprint, position, definition.position)
    const prepared = prepareContext(signal, over, watchdog)
    const snapshot = sink.snapshot(entry.name)
    let registering: Promise<void> = Promise.resolve()
    let listening = false
    const context: SourceContext = {
      ...prepared,
      reading(withinMs, part) {
        const first = watchdog.starting()
        watchdog.reading(withinMs, part)
        if (!first) return
        account.served()
        onChange()
      },
      emit: (event) => watchdog.handed(pipeline.emit(event)),
      advance: (at, consumed) => watchdog.handed(pipeline.advance(at, consumed)),
      commits: (cluster, group) => bus.commits?.(cluster, group) ?? false,
      resume: () => resumed,
      predecessor: () => predecessor,
      kept() {
        const taken = kept
        kept = null
        return taken
      },
      snapshot: {
        load: () => watchdog.asked(snapshot.load()),
        async save(bytes) {
          over.throwIfAborted()
          await watchdog.asked(snapshot.save(bytes))
        },
      },
      async http(route) {
        const owner = `${namespace}/${eventSource}/${entry.name}`
        const { secret, condition } = prepared
        await listeners.route(owner, route, { signal, secret, log, condition, redact: redactor.redact })
        accepting = true
        watchdog.reading()
        account.served()
        if (!listening) registering = register(prepareContext(AbortSignal.any([signal, over])))
        listening = true
        onChange()
      },
      hookSecret: createHookSecrets({ source, entry: entry.name, kv: bus.kv, clock, hide: redactor.hide }),
      hooksSettledMs: () => hooksSettledMs,
    }
    return { context, registered: () => registering }
  }

  /** Repeats `work` with backoff until it returns or `signal` aborts; what it throws is shown in status. */
  const keepTrying = async (signal: AbortSignal, work: () => Promise<void>): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonic()
      try {
        return await work()
      } catch (error) {
        // Whoever ends the lead for this error (see lead.ts) has done so by now. If nobody has, nobody will: it is tried again.
        if (signal.aborted) return
        account.condition(messageOf(error), { thrown: true })
        if (clock.monotonic() - startedMs > HEALTHY_MS) attempt = 0
        const away = isVedetteError(error, 'BUS_UNAVAILABLE', 'BUS_BUSY', 'BUS_FULL', 'OUTCOME_UNKNOWN')
        const backoff = away ? BUS_BACKOFF : hasPort ? LISTEN_AGAIN : definition.reconnect?.(entry.spec)
        await clock.sleep(backoffMs(attempt, backoff), signal).catch(() => {})
      }
    }
  }

  /** One subscription of a hot standby. @throws STALLED when it stood still; what `listen` throws */
  const listenOnce = async (
    ears: Ear,
    listen: NonNullable<typeof definition.listen>,
    ends: AbortSignal,
  ): Promise<void> => {
    const work = ({ watchdog, signal, over }: Attempt) =>
      listen({
        ...prepareContext(signal, over, watchdog),
        reading: watchdog.reading,
        // Every replica hears it; the one that leads says so.
        skip(...about) {
          if (serving) account.skip(...about)
        },
        subscribed() {
          ears.subscribed()
          watchdog.reading()
          account.condition(null)
        },
        hear: (message) => (over.aborted ? Promise.resolve(null) : ears.hear(message)),
      })
    // What is heard waits in the buffer, never for the bus.
    await attempt(
      watched(ends, () => true),
      work,
    )
  }

  return {
    entry,
    definition,
    async listen(signal) {
      const { listen } = definition
      if (ear === null || listen === undefined) return
      await ear.attend((ends) => keepTrying(ends, () => listenOnce(ear, listen, ends)), signal)
    },
    async prepare(signal) {
      const { prepare } = definition
      void predecessors.attend(signal)
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
    fresh: () => ear?.fresh ?? false,
    looked: predecessors.looked,
    closeKept,
    async serve(sink, stored, signal) {
      position = stored
      serving = true
      onChange()
      await keepTrying(signal, () => serveOnce(sink, signal))
      closeKept()
      serving = false
      onChange()
    },
    position: () => position,
    report: () => ({
      type: entry.type,
      name: entry.name,
      serving: isServing(),
      activity: !serving ? 'standing by' : (watch?.activity() ?? 'backing off'),
      ...(definition.guaranteeOf === undefined ? {} : { guarantee: definition.guaranteeOf(entry.spec) }),
      ...account.report(),
      ...(definition.unsigned?.(entry.spec) ? { unsigned: true } : {}),
    }),
  }
}
