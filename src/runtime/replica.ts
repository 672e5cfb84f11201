/**
 * One replica of one EventSource. Its active-active entries serve as soon as it starts; its active-passive ones serve
 * while it leads. Losing the lead sends it back to standby in the same process; nothing here ever ends the process.
 */
import type { Bus, Claim, Fenced } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { patiently } from '../core/signals.ts'
import { createElector, type Elector, type ElectorView, type Lead } from '../ha/elector.ts'
import { type Held, heldText } from '../ha/held.ts'
import type { LeaseTiming, Lock, Outsiders, Suspicion } from '../ha/lock.ts'
import { leaseTiming } from '../ha/timing.ts'
import type { Entry, EventSource } from '../manifest/manifest.ts'
import type { SourceDefinition } from '../source.ts'
import { loadSource } from '../sources/index.ts'
import { createAppender } from './appender.ts'
import { createEntry, type EntryRunner } from './entry.ts'
import type { Listeners } from './http/listeners.ts'
import { createLeadership } from './lead.ts'
import { meetOutsiders } from './meeting.ts'
import type { ReplicaMetrics } from './metrics.ts'
import type { Sink } from './pipeline.ts'
import type { EntryReport, Failover, ReplicaReport, ReplicaState } from './report.ts'
import type { SecretStore } from './secrets.ts'
import { Slots } from './slots.ts'

export interface ReplicaOptions {
  object: EventSource
  /** The replica id: unlike that of every other replica of this EventSource, and the same again after a restart. */
  id: string
  bus: Bus
  lock: Lock
  suspicions: Suspicion[]
  /** Who else may serve this EventSource, outside this election. */
  outsiders?: Outsiders | undefined
  timing?: Partial<LeaseTiming>
  listeners: Listeners
  secrets: SecretStore
  metrics: ReplicaMetrics
  clock: Clock
  random?: () => number
  /** The process's own time zone (`TZ`), for schedules that name none. */
  localZone?: string | undefined
  log: Logger
  redactor: Redactor
  /** Stored events are logged, some of many. */
  logEvents?: boolean | undefined
  /** Its report has changed. */
  onReport: () => void
  onFailover: (failover: Failover) => void
  /** Where source modules come from; the registry by default. */
  load?: (type: string) => Promise<SourceDefinition<any, any> | null>
}

export interface Replica {
  readonly id: string
  /** Takes a changed object over: entries that did not change go on undisturbed. */
  apply(object: EventSource): Promise<void>
  /** Hands the lead over now. @returns false when it did not lead */
  handOver(successor?: string): Promise<boolean>
  report(): ReplicaReport
  /** Stops taking, drains, hands over, releases. */
  stop(): Promise<void>
}

/** How long a stop waits for what is in flight. */
const DRAIN_PATIENCE_MS = 10_000
/** After giving up the lead because the bus took nothing: how often to ask whether it answers again. */
const PROBE_MS = 1_000

export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { id, bus, clock, log, metrics, outsiders, load = loadSource } = options
  const { namespace, name } = options.object
  const source = { namespace, name }
  const appender = createAppender({ bus, source, clock })
  const stopping = new AbortController()
  let view: ElectorView = { state: 'starting', leader: null, term: null }
  let election: { elector: Elector; done: Promise<void>; stop: AbortController } | null = null
  let { replicas } = options.object
  let [started, met, busFails, reportDue] = [false, false, false, false]
  let givesWaySinceMs: number | null = null
  let lock: { error: string; sinceMs: number } | null = null
  let claimStanding: { error: string; sinceMs: number } | null = null
  let held: Held | null = null

  const changed = () => {
    if (reportDue) return
    reportDue = true
    // One word for all that changes in one turn of the event loop.
    clock.after(0, () => {
      reportDue = false
      options.onReport()
    })
  }

  const activeSink: Sink = {
    // No entry without a fence has a position to move.
    append: (member) => ('event' in member ? appender.append(member) : Promise.resolve({ outcome: 'duplicate' })),
    ready: async () => {},
    busy: () => appender.pending > 0,
    snapshot: (entry) => ({ load: () => bus.loadSnapshot(source, entry), save: async () => {} }),
  }

  /** Where nobody of ours has ever led, silence does not say that others are not there: they may only be slow. */
  const beside = () => outsiders !== undefined && (outsiders.mixed() !== undefined || view.term === null)

  const runnerFor = (entry: Entry, definition: SourceDefinition<any, any>): EntryRunner =>
    createEntry({
      namespace,
      eventSource: name,
      entry,
      definition,
      bus,
      clock,
      log: log.child({ eventSourceName: name, eventName: entry.name, eventSourceType: entry.type }),
      ...{ secrets: options.secrets, redactor: options.redactor },
      listeners: options.listeners,
      metrics: metrics.entry(namespace, name, entry.name),
      maxEventBytes: () => bus.maxEventBytes,
      replica: id,
      leaseMs: leaseTiming(options.timing).leaseMs,
      ...{ localZone: options.localZone, logEvents: options.logEvents, beside },
      onChange: changed,
    })

  /** A hot standby that has just begun to listen leaves the lead to others, once there has been one. */
  const othersHeardMore = () => replicas > 1 && view.term !== null && slots.passive().some((runner) => runner.fresh())

  const leadership = createLeadership({
    bus,
    source,
    clock,
    log: log.child({ eventSourceName: name, replica: id }),
    entries: () => slots.passive(),
    onChange: changed,
    onFailing() {
      log.warn('the bus takes nothing from this replica: handing the lead over', { replica: id })
      busFails = true
      void probeBus()
    },
  })

  const slots = new Slots({
    ...{ source, clock, metrics, leadership, load, runnerFor },
    ...{ sink: activeSink, listeners: options.listeners, stopping: stopping.signal },
  })

  const probeBus = async (): Promise<void> => {
    while (busFails && !stopping.signal.aborted) {
      await clock.sleep(PROBE_MS, stopping.signal).catch(() => {})
      busFails = await bus.state().then(
        () => false,
        () => true,
      )
    }
  }

  const serveLead = async (held: Lead<Fenced>): Promise<void> => {
    // Heard between standing and now: returning gives the lead up.
    if (outsiders?.serving()) return
    slots.cool()
    const { change, fenced } = held
    const gapMs = change === null ? null : Math.round((clock.monotonic() - change.lossSeenAt) * 10) / 10
    log.info('leads', {
      eventSourceName: name,
      replica: id,
      term: fenced.term,
      from: change?.from,
      reason: change?.reason,
      gapMs,
    })
    if (change !== null) {
      const { from, reason } = change
      const at = new Date(clock.now()).toISOString()
      options.onFailover({ at, source: name, namespace, from, to: id, term: fenced.term, reason, gapMs })
      metrics.failover(namespace, name, reason)
    }
    await leadership.serve(held)
    if (!stopping.signal.aborted) slots.keepWarm()
  }

  /** A moment of the monotonic clock, in milliseconds since the epoch. */
  const wallOf = (ms: number) => Math.round(clock.now() - (clock.monotonic() - ms))
  const textOf = (one: Held) =>
    heldText(one, options.lock.called ?? 'the lease', (ms) => `${new Date(wallOf(ms)).toISOString().slice(0, 19)}Z`)

  const noteHeld = (now: Held | null) => {
    // Of others than Vedette it is said already what that means for the fence.
    if (now !== null && !now.foreign && held?.holder !== now.holder) log.warn(textOf(now), { replica: id })
    held = now
    changed()
  }

  const startElection = () => {
    const stop = new AbortController()
    const elector = createElector<Fenced>({
      ...{ id, lock: options.lock, suspicions: options.suspicions },
      ...{ clock, timing: options.timing, random: options.random, serve: serveLead },
      log: log.child({ eventSourceName: name, replica: id }),
      strict: () => fencing().fencing === 'strict',
      claim: (claim: Claim, progress) => bus.claim(source, claim, progress),
      mayStand: () => bus.status().connected && !busFails && outsiders?.quiet() !== false && !othersHeardMore(),
      onView(seen) {
        view = seen
        metrics.lead(namespace, name, seen.leader === id, seen.term)
        changed()
      },
      onHeld: noteHeld,
      onLockError(error) {
        lock = error === null ? null : { error, sinceMs: lock?.sinceMs ?? clock.now() }
        metrics.lock(namespace, name, error === null)
        changed()
      },
      onClaimStanding(claim) {
        claimStanding = claim
        changed()
      },
    })
    election = { elector, done: elector.run(stop.signal), stop }
  }

  const endElection = async (): Promise<void> => {
    if (election === null) return
    const { stop, done } = election
    stop.abort()
    await done
    election = null
    lock = null
    held = null
    view = { state: 'standby', leader: null, term: null }
  }

  const apply = async (object: EventSource): Promise<void> => {
    replicas = object.replicas
    await slots.apply(object.entries)
    if (slots.passive().length === 0) await endElection()
    else if (election === null) startElection()
    started = true
    changed()
  }

  const state = (): ReplicaState => {
    if (stopping.signal.aborted || view.state === 'draining') return 'draining'
    if (!started) return 'starting'
    if (leadership.leading || slots.active().some(({ runner }) => runner.report().serving)) return 'serving'
    if (election !== null) return view.state === 'starting' || !met ? 'starting' : 'standby'
    return slots.active().length > 0 ? 'starting' : 'standby'
  }

  const report = (): ReplicaReport => {
    const status = bus.status()
    const activeReports = slots.active().map(({ runner }) => runner.report())
    const passiveReports = slots.passive().map((runner) => ({ ...runner.report(), ...hindrance() }))
    return {
      ...{ namespace, eventSource: name, id, state: state() },
      // Whoever holds the lease and is none of ours, or is silent, does not lead.
      ...{ leader: held === null ? view.leader : null, term: held === null ? view.term : null },
      entries: [...activeReports, ...passiveReports, ...slots.refused()],
      ...fencing(),
      busError: status.connected ? null : status.error,
      lockError: lock?.error ?? null,
    }
  }

  /** Why nobody of ours may serve, where it is not the entry's own fault. */
  const hindrance = (): Pick<EntryReport, 'error' | 'errorSinceMs'> | undefined => {
    if (outsiders?.serving()) return { error: outsiders.mixed() ?? null, errorSinceMs: givesWaySinceMs }
    const waits = held === null ? null : { error: textOf(held), sinceMs: wallOf(held.sinceMs) }
    const by = claimStanding ?? waits ?? (view.leader === null ? lock : null)
    return by === null ? undefined : { error: by.error, errorSinceMs: by.sinceMs }
  }

  const fencing = (): Pick<ReplicaReport, 'fencing' | 'fencingReason'> => {
    const mixed = outsiders?.mixed()
    const reason = mixed ?? bus.fencingReason
    return {
      fencing: mixed === undefined ? bus.fencing : 'lease-only',
      ...(reason === undefined ? {} : { fencingReason: reason }),
    }
  }

  const noteBus = () => {
    metrics.bus(bus.status().connected)
    metrics.fencing(namespace, name, fencing().fencing === 'strict')
    changed()
  }
  const noteOutsiders = () => {
    const serves = outsiders?.serving() === true
    givesWaySinceMs = serves ? clock.now() : null
    noteBus()
    const { fencing: now, fencingReason: reason } = fencing()
    const fields = { eventSourceName: name, replica: id, fencing: now }
    if (outsiders?.mixed() === undefined) log.info('nobody serves outside this election any more', fields)
    else log.warn(`${reason}`, fields)
    if (serves) void election?.elector.handOver()
  }
  const unsubscribes = [bus.onStatus(noteBus), outsiders?.onChange(noteOutsiders)]
  noteBus()
  await apply(options.object)
  const meeting = { elects: () => view.state !== 'starting', beside, runners: () => slots.passive() }
  void meetOutsiders({ outsiders, clock, signal: stopping.signal, ...meeting }).then(() => {
    met = true
    changed()
  })

  // Applies follow one another: two at once would start the same entry twice.
  let applying: Promise<void> = Promise.resolve()
  return {
    id,
    apply(object) {
      const applied = applying.then(() => (stopping.signal.aborted ? undefined : apply(object)))
      // One that fails is told to who asked for it, and holds up none after it.
      applying = applied.catch(() => {})
      return applied
    },
    async handOver(successor) {
      if (election === null || !leadership.leading) return false
      await election.elector.handOver(successor)
      return true
    },
    report,
    async stop() {
      stopping.abort()
      changed()
      await applying
      await Promise.all([endElection(), ...slots.active().map(({ done }) => done)])
      slots.closeKept()
      await patiently(appender.drain(), { signal: stopping.signal, clock, patienceMs: DRAIN_PATIENCE_MS })
      for (const unsubscribe of unsubscribes) unsubscribe?.()
    },
  }
}
