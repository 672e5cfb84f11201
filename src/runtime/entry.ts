/** One entry in one replica: what is told of it, and what it is told; its parts stand in `entry/`. */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import type { Entry } from '../manifest/manifest.ts'
import { guaranteeOf, type SourceDefinition } from '../source.ts'
import { createAccount } from './account.ts'
import { entryContext, prepareContext } from './entry/contexts.ts'
import { createKept } from './entry/kept.ts'
import { keepListening } from './entry/listening.ts'
import { keepTrying } from './entry/retrying.ts'
import { createServing } from './entry/serving.ts'
import { type Shared, watchAttempts } from './entry/shared.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Listeners } from './http/listeners.ts'
import type { EntryMetrics } from './metrics.ts'
import type { Sink } from './pipeline.ts'
import { watchPredecessor } from './predecessor.ts'
import type { EntryReport } from './report.ts'
import type { SecretStore } from './secrets.ts'
import { createEar, type Ear } from './standby/ear.ts'

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
  /** A leader who does not renew is followed by another after so long. */
  leaseMs: number
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

export function createEntry(options: EntryOptions): EntryRunner {
  const { namespace, eventSource, entry, definition, bus, clock, log, metrics } = options
  const source = { namespace, name: eventSource }
  const changed = () => {
    metrics.serving(serving.serves())
    options.onChange()
  }
  const shared: Shared = {
    ...{ options, source, changed, kept: createKept() },
    fingerprint: fingerprintOf(definition, entry.spec),
    account: createAccount({ clock, log, metrics, logEvents: options.logEvents, onChange: changed }),
  }
  const watched = watchAttempts(shared)
  const ear = earOf(shared)
  const predecessors = watchPredecessor({
    ...{ bus, source, entry: entry.name, clock, follows: definition.follows },
    beside: options.beside ?? (() => false),
    look: async (signal) => await definition.look?.(entryContext(shared, signal)),
  })
  const serving = createServing(shared, { watched, ear, predecessors })

  return {
    entry,
    definition,
    async listen(signal) {
      const { listen } = definition
      if (ear === null || listen === undefined) return
      await keepListening(shared, { ear, listen, watched, leads: serving.begun }, signal)
    },
    async prepare(signal) {
      const { prepare } = definition
      void predecessors.attend(signal)
      if (prepare === undefined || ear !== null) return
      await keepTrying(shared, signal, async () => {
        try {
          await prepare(prepareContext(shared, signal))
        } catch (error) {
          shared.kept.close()
          throw error
        }
      })
    },
    serve: serving.serve,
    fresh: () => ear?.fresh ?? false,
    looked: predecessors.looked,
    closeKept: shared.kept.close,
    position: serving.position,
    report: () => ({
      type: entry.type,
      name: entry.name,
      serving: serving.serves(),
      activity: serving.begun() ? (serving.activity() ?? 'backing off') : 'standing by',
      ...(definition.guaranteeOf === undefined ? {} : { guarantee: definition.guaranteeOf(entry.spec) }),
      ...shared.account.report(),
      ...(definition.unsigned?.(entry.spec) ? { unsigned: true } : {}),
    }),
  }
}

/** What an entry hears with, if it is a hot standby. */
function earOf({ options, source, fingerprint, account }: Shared): Ear | null {
  const { definition, entry, bus, clock, log, leaseMs } = options
  if (guaranteeOf(definition, entry.spec) !== 'hot-standby') return null
  return createEar({
    ...{ bus, source, entry: entry.name, fingerprint, clock, log, leaseMs },
    onOverflow: (lost) =>
      account.condition(`${lost} messages are lost: the bus takes nothing, and the buffer for what comes is full`),
  })
}
