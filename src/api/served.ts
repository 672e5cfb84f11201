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

/** An entry that `ready` waits for. */
export interface Awaited extends NotServed {
  /** It shows an error: its port is taken, say. It may last, so it is waited for only so long. */
  shown: boolean
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
      const { served, awaited, shown, why } = judgeEntry(entry, { seen, leader, facts })
      const told = { namespace, eventSource, entry: entry.name, type: entry.type, why }
      if (!served) judgement.notServed.push(told)
      if (awaited) judgement.awaited.push({ ...told, shown })
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

function judgeEntry(
  entry: EventSource['entries'][number],
  { seen, leader, facts }: { seen: Seen[]; leader: string | null; facts: TypeFacts },
): { served: boolean; awaited: boolean; shown: boolean; why: string } {
  if (entry.refused !== undefined) return { served: false, awaited: false, shown: true, why: entry.refused }
  const known = facts(entry.type)
  const each = seen.map((replica) => ({ ...replica, entry: replica.entries.get(`${entry.type}/${entry.name}`) }))
  const serving = each.filter((one) => one.entry?.serving === true && one.silentMs <= SUSPICIOUS_SILENCE_MS)
  const error = each.find((one) => (one.entry?.error ?? null) !== null)?.entry?.error
  if (known?.strategy === 'active-passive') {
    const leads = each.find(({ id }) => id === leader)
    const own = leads?.entry?.error ?? error
    const served = leads !== undefined && serving.includes(leads)
    const why = own ?? (leads === undefined ? missing(each, 'nobody leads yet') : silence(leads, `${leads.id} leads`))
    return { served, awaited: !served && own === undefined, shown: own !== undefined, why }
  }
  const listens = (known?.listens?.(entry.spec) ?? []).length > 0
  const answers = (one: (typeof each)[number]) => serving.includes(one) || (one.entry?.error ?? null) !== null
  const shown = each.every(answers)
  const awaited = listens ? serving.length < each.length : !shown
  const waits = listens ? 'its port is being opened' : 'it is being started'
  const why =
    error ??
    missing(
      each.filter((one) => !serving.includes(one)),
      waits,
    )
  const some = serving.length > 0 ? `${serving.length} of ${each.length} replicas serve it: ` : ''
  return { served: serving.length > 0, awaited, shown, why: `${some}${why}` }
}

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
