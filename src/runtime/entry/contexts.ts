/** What a source is given: a context for each kind of the contract, with what applies to it and nothing else. */
import type {
  EntryContext,
  FollowContext,
  HttpContext,
  ListenContext,
  PollContext,
  Predecessor,
  PrepareContext,
  Snapshot,
} from '../../source.ts'
import type { Attempt } from '../attempt.ts'
import { positionFor } from '../fingerprint.ts'
import type { Pipeline } from '../pipeline.ts'
import { createHookSecrets } from '../registrar/records.ts'
import type { Ear } from '../standby/ear.ts'
import type { Watchdog } from '../watchdog.ts'
import type { Port } from './port.ts'
import type { Shared } from './shared.ts'

/** @param attempt what it is given for; once that is over, nothing that is said of the origin counts */
export function entryContext(
  { options, account, changed }: Shared,
  signal: AbortSignal,
  attempt?: Pick<Attempt, 'over' | 'watchdog'>,
): EntryContext {
  const { namespace, eventSource, entry, clock, log, secrets, localZone } = options
  return {
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
      if (attempt?.over.aborted) return
      // A source that says what is wrong has begun, and knows what it does.
      if (attempt?.watchdog.starting()) attempt.watchdog.reading()
      account.condition(error)
      changed()
    },
    skip: account.skip,
    ...(localZone === undefined ? {} : { localZone }),
  }
}

export function prepareContext(shared: Shared, signal: AbortSignal): PrepareContext {
  return { ...entryContext(shared, signal), keep: shared.kept.keep }
}

/** @param leads whether this replica leads: every replica hears what is skipped, and that one says so */
export function listenContext(shared: Shared, attempt: Attempt, ear: Ear, leads: () => boolean): ListenContext {
  const { watchdog, signal, over } = attempt
  const { account } = shared
  return {
    ...entryContext(shared, signal, attempt),
    reading: watchdog.reading,
    skip(...about) {
      if (leads()) account.skip(...about)
    },
    subscribed() {
      ear.subscribed()
      watchdog.reading()
      account.condition(null)
    },
    hear: (message) => (over.aborted ? Promise.resolve(null) : ear.hear(message)),
  }
}

const emitInto =
  (pipeline: Pipeline, watchdog: Watchdog): Pipeline['emit'] =>
  (event) =>
    watchdog.handed(pipeline.emit(event))

/** Of one that asks its origin. */
export function pollContext(shared: Shared, attempt: Attempt, pipeline: Pipeline): PollContext {
  const { watchdog, signal } = attempt
  return {
    ...entryContext(shared, signal, attempt),
    reading(withinMs, part) {
      const first = watchdog.starting()
      watchdog.reading(withinMs, part)
      if (!first) return
      shared.account.served()
      shared.changed()
    },
    emit: emitInto(pipeline, watchdog),
  }
}

/** Of one that leads; what only a type that follows is told is there for all, and in the type of those alone. */
export function serveContext(
  shared: Shared,
  attempt: Attempt,
  { pipeline, stored, snapshot, predecessor }: Lead,
): FollowContext {
  const { watchdog, over } = attempt
  const { options, fingerprint, kept } = shared
  const resumed = positionFor(fingerprint, stored, options.definition.position)
  return {
    ...pollContext(shared, attempt, pipeline),
    advance: (at, consumed) => watchdog.handed(pipeline.advance(at, consumed)),
    commits: (cluster, group) => options.bus.commits?.(cluster, group) ?? false,
    resume: () => resumed,
    predecessor: () => predecessor,
    kept: kept.take,
    snapshot: {
      load: () => watchdog.asked(snapshot.load()),
      async save(bytes) {
        over.throwIfAborted()
        await watchdog.asked(snapshot.save(bytes))
      },
    },
  }
}

/** What there was of an entry before a lead. */
export interface Lead {
  pipeline: Pipeline
  /** Its position, in stored form. */
  stored: unknown
  snapshot: Snapshot
  predecessor: Predecessor | null
}

export function httpContext(shared: Shared, attempt: Attempt, pipeline: Pipeline, port: Port): HttpContext {
  const { watchdog, signal } = attempt
  const { options, source } = shared
  const { entry, bus, clock, redactor } = options
  const context = entryContext(shared, signal, attempt)
  return {
    ...context,
    emit: emitInto(pipeline, watchdog),
    http: (route) => port.open(route, context, attempt),
    hookSecret: createHookSecrets({ source, entry: entry.name, kv: bus.kv, clock, hide: redactor.hide }),
    hooksSettledMs: port.hooksSettledMs,
  }
}
