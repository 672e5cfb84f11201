/** What `vedette status --json` and `/v1/status` say, folded from what the replicas report. Pure. */

import { type Bus, type LogState, sourceKey, type Transport } from '../bus/bus.ts'
import { rfc3339Nano } from '../core/event.ts'
import type { EventSource } from '../manifest/manifest.ts'
import type { EntryReport, Failover, ReplicaReport, ReplicaState } from '../runtime/report.ts'
import type { Guarantee, Strategy } from '../source.ts'
import type { NotServed } from './served.ts'

export interface EntryStatus {
  type: string
  name: string
  strategy: Strategy
  guarantee: Guarantee
  /** Null for active-active entries, and before anybody led. */
  term: number | null
  /** Replica id of who leads now; null for active-active entries. */
  leader: string | null
  /** Events of this entry that the bus has counted, since the store began. */
  published: number
  lastEventAt: string | null
  /** How many replicas serve it now. */
  serving: number
  error: string | null
  /** Since when `error` stands. */
  errorSince?: string
  /** Requests get in without a signature or token. */
  unsigned?: boolean
  filtered?: number
  filterErrors?: number
  skipped?: number
}

export interface ReplicaStatus {
  id: string
  /** The host process; null when it is down. */
  pid: number | null
  state: ReplicaState | 'down'
  restarts: number
  /** How long the process has said nothing, milliseconds; only when that is suspicious (frozen, overloaded). */
  silentMs?: number
}

export interface SourceStatus {
  name: string
  namespace: string
  entries: EntryStatus[]
  replicas: ReplicaStatus[]
}

/** How a `--deliver` target fares. Nothing is skipped: what is not delivered is held, and tried again for ever. */
export interface DeliveryStatus {
  /** Without credentials and query. */
  url: string
  /** Events that the receiver took (answered 2xx), in this run. */
  delivered: number
  /** Requests that were made, in this run. */
  attempts: number
  /** Those of them that took nothing, by why: the status of the answer, or what kept one from coming (`timeout`, `ECONNREFUSED`, …). */
  refused: Record<string, number>
  /** Events that the bus let go, by its limits, before they could be delivered; since the first delivery. At most: see docs/operations.md. */
  lost: number
  /** Everything up to this sequence number was taken by the receiver, or is lost. */
  cursor: number
  /** The newest event's sequence number when last looked at. */
  head: number
  /** What holds it up, with the receiver's own words; null while it goes on. */
  error: string | null
  /** Since when `error` stands. */
  errorSince?: string
  /** When the oldest event that was not delivered was stored; absent when none is known. */
  oldestAt?: string
  /** The event that the receiver does not take. */
  held?: HeldEvent
}

export interface HeldEvent {
  id: string
  seq: number
  /** `default.<eventsource>.<entry>`. */
  subject: string
  namespace: string
  refusals: number
  /** Null while the request is under way. */
  nextAttemptAt: string | null
  /** Sequence numbers after it that the bus has let go meanwhile: what was not read before is lost. */
  droppedAfter?: number
}

export interface Status {
  eventSources: SourceStatus[]
  bus: {
    kind: string
    fencing: 'strict' | 'lease-only'
    reason?: string
    transport?: Transport
    connected: boolean
    /** Why it is not; while it is, what is wrong with the process that the replicas elect by (an outside bus that has no lock). */
    error?: string
  }
  /** The last 100, oldest first. */
  failovers: Failover[]
  /** What is wrong with the files as they are now (the run goes on with what was last valid). */
  problems: string[]
  deliver?: DeliveryStatus
  /** Entries that nobody serves now, and why. */
  notServed: NotServed[]
  run: { pid: number; startedAt: string; api: string; ready: boolean }
}

/** What the supervisor knows of one host process. */
export interface HostView {
  index: number
  /** Null while it is down. */
  pid: number | null
  restarts: number
  /** Since it was last heard of, milliseconds. */
  silentMs: number
  /** By `namespace/eventSource`. */
  reports: ReadonlyMap<string, ReplicaReport>
}

/** The registry's words about a type; undefined for one that this version does not have. */
export type TypeFacts = (type: string) =>
  | {
      strategy: Strategy
      guarantee: Guarantee
      eventType?: string
      /** The ports that an entry with this spec listens on. */
      listens?: ((spec: any) => readonly unknown[]) | undefined
    }
  | undefined

/** A host that was silent for longer than this is shown as silent, and what it said of its entries is not believed. Hosts say something every 500 ms. */
export const SUSPICIOUS_SILENCE_MS = 2000

/** Who leads an EventSource: the holder of the highest term seen, unless its process is gone or it says that it does not lead. */
export function leaderOf(hosts: readonly HostView[], key: string): { leader: string | null; term: number | null } {
  const reports = hosts.flatMap((host) => {
    const report = host.pid === null ? undefined : host.reports.get(key)
    return report === undefined ? [] : [report]
  })
  const term = reports.reduce<number | null>(
    (highest, report) => (report.term === null ? highest : Math.max(highest ?? 0, report.term)),
    null,
  )
  if (term === null) return { leader: null, term }
  const witnesses = reports.filter((report) => report.term === term && report.leader !== null)
  const named = (witnesses.find((report) => report.leader === report.id) ?? witnesses[0])?.leader ?? null
  const own = reports.find((report) => report.id === named)
  return { leader: own !== undefined && own.leader === named ? named : null, term }
}

/** What the replicas of one EventSource say, by entry, so that many entries are folded in one go. */
interface SourceView {
  leader: string | null
  term: number | null
  reports: ReadonlyMap<string, EntryWords[]>
}

interface EntryWords {
  id: string
  /** Its process has said something lately. */
  heard: boolean
  report: EntryReport
}

/** Types and names may both have any character but this. */
const keyOf = ({ type, name }: { type: string; name: string }): string => `${type}\n${name}`

function viewOf(source: EventSource, hosts: readonly HostView[]): SourceView {
  const key = sourceKey(source)
  const reports = new Map<string, EntryWords[]>()
  for (const { pid, reports: all, silentMs } of hosts) {
    const replica = pid === null ? undefined : all.get(key)
    for (const report of replica?.entries ?? []) {
      const words = reports.get(keyOf(report)) ?? []
      words.push({ id: replica!.id, heard: silentMs <= SUSPICIOUS_SILENCE_MS, report })
      reports.set(keyOf(report), words)
    }
  }
  return { ...leaderOf(hosts, key), reports }
}

function entryStatus(
  entry: EventSource['entries'][number],
  { leader, term, reports: all }: SourceView,
  { counted, facts }: { counted: LogState['entries'][number] | undefined; facts: TypeFacts },
): EntryStatus {
  const known = facts(entry.type)
  const strategy = known?.strategy ?? 'active-active'
  const reports = all.get(keyOf(entry)) ?? []
  const passive = strategy === 'active-passive'
  const wrong = errorOf(reports, passive ? leader : null)
  const sum = (field: 'filtered' | 'filterErrors' | 'skipped') =>
    reports.reduce((total, { report }) => total + report[field], 0)
  return {
    type: entry.type,
    name: entry.name,
    strategy,
    guarantee: reports.find(({ report }) => report.guarantee)?.report.guarantee ?? known?.guarantee ?? 'at-least-once',
    term: passive ? term : null,
    leader: passive ? leader : null,
    published: counted?.published ?? 0,
    lastEventAt: counted === undefined || counted.lastMs <= 0 ? null : rfc3339Nano(counted.lastMs),
    serving: reports.filter(({ report, heard, id }) => report.serving && heard && (!passive || id === leader)).length,
    error: entry.refused ?? wrong?.error ?? null,
    ...(entry.refused === undefined && wrong?.errorSinceMs != null
      ? { errorSince: rfc3339Nano(wrong.errorSinceMs) }
      : {}),
    ...(reports.some(({ report }) => report.unsigned === true) ? { unsigned: true } : {}),
    filtered: sum('filtered'),
    filterErrors: sum('filterErrors'),
    skipped: sum('skipped'),
  }
}

/** The leader's word first; without a leader, the oldest error any replica has. */
function errorOf(reports: EntryWords[], leader: string | null): EntryReport | undefined {
  const own = reports.find(({ id }) => id === leader)
  if (own !== undefined) return own.report.error === null ? undefined : own.report
  return reports
    .map(({ report }) => report)
    .filter((report) => report.error !== null)
    .sort((a, b) => (a.errorSinceMs ?? 0) - (b.errorSinceMs ?? 0))[0]
}

function replicaStatus(source: EventSource, host: HostView): ReplicaStatus {
  const id = `${source.name}-${host.index}`
  if (host.pid === null) return { id, pid: null, state: 'down', restarts: host.restarts }
  const report = host.reports.get(sourceKey(source))
  return {
    id,
    pid: host.pid,
    state: report?.state ?? 'starting',
    restarts: host.restarts,
    ...(host.silentMs > SUSPICIOUS_SILENCE_MS ? { silentMs: Math.round(host.silentMs) } : {}),
  }
}

export function foldSources(
  sources: readonly EventSource[],
  { hosts, log, facts }: { hosts: readonly HostView[]; log: LogState | null; facts: TypeFacts },
): SourceStatus[] {
  const counts = new Map(
    (log?.entries ?? []).map((one) => [`${sourceKey({ ...one, name: one.eventSource })}/${one.entry}`, one]),
  )
  return sources.map((source) => {
    const { name, namespace, replicas } = source
    const view = viewOf(source, hosts)
    const entries = source.entries.map((entry) =>
      entryStatus(entry, view, { counted: counts.get(`${sourceKey(source)}/${entry.name}`), facts }),
    )
    const own = hosts.filter((host) => host.index < replicas)
    return { name, namespace, entries, replicas: own.map((host) => replicaStatus(source, host)) }
  })
}

/** @param trouble of the process that the bus, or the election beside it, lives in: says more than that nobody answers */
export function busStatus(
  bus: Pick<Bus, 'kind' | 'fencing' | 'fencingReason' | 'transport' | 'status'>,
  hosts: readonly HostView[],
  trouble: string | null,
): Status['bus'] {
  const reports = hosts.flatMap(({ reports }) => [...reports.values()])
  // The bus refuses older terms, but somebody writes beside it.
  const beside = reports.find(({ fencing, fencingReason }) => fencing === 'lease-only' && fencingReason !== undefined)
  const { kind, transport } = bus
  const fencing = beside === undefined ? bus.fencing : 'lease-only'
  const reason = beside?.fencingReason ?? bus.fencingReason
  const of = {
    kind,
    fencing,
    ...(reason === undefined ? {} : { reason }),
    ...(transport === undefined ? {} : { transport }),
  }
  const status = bus.status()
  if (status.connected) return { ...of, connected: true, ...(trouble === null ? {} : { error: trouble }) }
  return { ...of, connected: false, error: trouble ?? status.error }
}
