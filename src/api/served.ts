/** Which entries are served, and of those that are not, why: what `ready`, `/readyz` and status say. Pure. */
import { sourceKey } from '../bus/bus.ts'
import type { EventSource } from '../manifest/manifest.ts'
import type { EntryReport, ReplicaReport } from '../runtime/report.ts'
import { type HostView, leaderOf, SUSPICIOUS_SILENCE_MS, type TypeFacts } from './status.ts'

/** An entry that nobody serves now. */
export interface NotServed {
  namespace: string
  eventSource: string
  entry: string
  type: string
  /** What keeps it from being served, and what to do, where that is known. */
  why: string
}

/** How long `ready` waits for an entry, milliseconds: from when nothing that is awaited is merely slow to start any more. */
export const WAITED_MS = {
  slow: Number.POSITIVE_INFINITY,
  /** Often free again soon: the program that had it is ending. */
  portTaken: 10_000,
  /** The run and its hosts have waited for it before. */
  busAway: 2_000,
  /** As under load, while many elect. */
  lockAway: 60_000,
} as const

/** An entry that `ready` waits for. */
export interface Awaited extends NotServed {
  /** One of {@link WAITED_MS}. */
  waitMs: number
}

export interface Judgement {
  /** How many entries there are to be served. */
  entries: number
  notServed: NotServed[]
  /**
   * What `ready` waits for: a listener that does not accept in every replica, and an entry without one that neither serves nor shows an
   * error. An entry that can never work is not waited for.
   */
  awaited: Awaited[]
}

/** One replica as it is known: without a report when it is down or has not started. */
interface Seen {
  id: string
  silentMs: number
  report: ReplicaReport | undefined
  entries: ReadonlyMap<string, EntryReport>
}

export function judgeServed(sources: readonly EventSource[], hosts: readonly HostView[], facts: TypeFacts): Judgement {
  const judgement: Judgement = { entries: 0, notServed: [], awaited: [] }
  for (const source of sources) {
    // Scaled to nothing: nobody is to serve it.
    if (source.replicas === 0) continue
    const seen = replicasOf(source, hosts)
    const { leader } = leaderOf(hosts, sourceKey(source))
    for (const entry of source.entries) {
      judgement.entries++
      const { namespace, name: eventSource } = source
      const { served, awaited, waitMs, why } = judgeEntry(entry, { seen, leader, facts })
      const told = { namespace, eventSource, entry: entry.name, type: entry.type, why }
      if (!served) judgement.notServed.push(told)
      if (awaited) judgement.awaited.push({ ...told, waitMs })
    }
  }
  return judgement
}

/** `default/shop/orders (webhook): why`, one line. */
export function notServedLine({ namespace, eventSource, entry, type, why }: NotServed): string {
  return `${namespace}/${eventSource}/${entry} (${type}): ${why.replaceAll(/\s*\n\s*/g, '; ')}`
}

function replicasOf(source: EventSource, hosts: readonly HostView[]): Seen[] {
  return Array.from({ length: source.replicas }, (_, index) => {
    const host = hosts.find((one) => one.index === index)
    const report = host === undefined || host.pid === null ? undefined : host.reports.get(sourceKey(source))
    const entries = new Map((report?.entries ?? []).map((entry) => [`${entry.type}/${entry.name}`, entry]))
    return { id: `${source.name}-${index}`, silentMs: host?.silentMs ?? 0, report, entries }
  })
}

interface Verdict {
  served: boolean
  awaited: boolean
  waitMs: number
  why: string
}

/** One replica and what it says of the entry in question. */
type Witness = Seen & { entry: EntryReport | undefined }

function judgeEntry(
  entry: EventSource['entries'][number],
  { seen, leader, facts }: { seen: Seen[]; leader: string | null; facts: TypeFacts },
): Verdict {
  if (entry.refused !== undefined) return { served: false, awaited: false, waitMs: 0, why: entry.refused }
  const known = facts(entry.type)
  const each = seen.map((replica) => ({ ...replica, entry: replica.entries.get(`${entry.type}/${entry.name}`) }))
  if (known?.strategy === 'active-passive') return judgeLed(each, leader)
  return judgeEverywhere(each, (known?.listens?.(entry.spec) ?? []).length > 0)
}

/** Active-passive: its leader serves it, or nobody does. */
function judgeLed(each: Witness[], leader: string | null): Verdict {
  const leads = each.find(({ id }) => id === leader)
  const served = leads !== undefined && serves(leads)
  // that nobody could be elected yet is no answer of the entry
  const errors = each.filter(({ entry, report }) => entry?.error != null && entry.error !== report?.lockError)
  const error = (leads === undefined ? errors[0] : leads)?.entry?.error ?? null
  if (served || error !== null) return { served, awaited: false, waitMs: 0, why: error ?? '' }
  const cut = busError(leads === undefined ? each : [leads])
  if (cut !== null) return { served, awaited: true, waitMs: WAITED_MS.busAway, why: cut }
  const waits =
    leads === undefined ? missing(each, firstError(each) ?? 'nobody leads yet') : silence(leads, `${leads.id} leads`)
  const lockless = leads === undefined && each.every(({ report }) => report != null && report.lockError !== null)
  return { served, awaited: true, waitMs: lockless ? WAITED_MS.lockAway : WAITED_MS.slow, why: waits }
}

/** Null when one of them reaches the bus, or has not started. */
function busError(each: Witness[]): string | null {
  const errors = each.map(({ report }) => report?.busError ?? null)
  const [error = null] = errors
  return error === null || errors.includes(null) ? null : `the bus cannot be reached: ${error}`
}

/** Active-active: one replica is enough to serve it, all are to. */
function judgeEverywhere(each: Witness[], listens: boolean): Verdict {
  const others = each.filter((one) => !serves(one))
  const serving = each.length - others.length
  const shown = others.every(({ entry }) => entry?.error != null)
  const waits = missing(others, listens ? 'its port is being opened' : 'it is being started')
  const some = serving > 0 ? `${serving} of ${each.length} replicas serve it: ` : ''
  const awaited = others.length > 0 && (listens || !shown)
  const waitMs = shown ? WAITED_MS.portTaken : WAITED_MS.slow
  return { served: serving > 0, awaited, waitMs, why: `${some}${firstError(others) ?? waits}` }
}

const serves = ({ entry, silentMs }: Witness): boolean => entry?.serving === true && silentMs <= SUSPICIOUS_SILENCE_MS

const firstError = (each: Witness[]): string | null =>
  each.find(({ entry }) => entry?.error != null)?.entry?.error ?? null

function missing(replicas: Seen[], otherwise: string): string {
  const down = replicas.find(({ report }) => report === undefined)
  if (down !== undefined) return `${down.id} has not started yet`
  const silent = replicas.find(({ silentMs }) => silentMs > SUSPICIOUS_SILENCE_MS)
  return silent === undefined ? otherwise : silence(silent, silent.id)
}

function silence({ silentMs }: Seen, who: string): string {
  if (silentMs <= SUSPICIOUS_SILENCE_MS) return `${who}, and has not begun to serve it yet`
  return `${who} has said nothing for ${Math.round(silentMs / 1000)} s: its process is frozen or overloaded`
}
