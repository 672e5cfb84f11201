/**
 * Kubernetes Events of our objects: what changed, once. The same of the same object within ten minutes counts up in one Event; an object that has
 * much to tell is cut short. Best effort: a failure to write one is logged, and nothing waits for it.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { KubeClient } from '../kube/client.ts'
import { endsNamespace } from '../kube/failure.ts'
import { type KubeObject, resources } from '../kube/resources.ts'
import type { Condition } from './conditions.ts'
import { MANAGER } from './objects.ts'
import { shownFor } from './shown.ts'

export interface Happening {
  type: 'Normal' | 'Warning'
  /** One word, for programs. */
  reason: string
  /** For people; never a secret. */
  message: string
}

/** The object that an Event is about. */
export type About = Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>

export interface Recorder {
  /** @param about the object whose story it is: by kind, name, namespace and uid */
  record(about: About, happening: Happening): void
  /** Records what the new status of an object tells that the one before did not. */
  tell(live: KubeObject, status: Told): void
  /** Resolves when all that was recorded is written or given up. */
  settled(): Promise<void>
}

/** The same within so long is one Event, milliseconds. */
const SAME_MS = 600_000
/** Writes of one object: so many at once, and one more per minute. */
const BURST = 25
const REFILL_MS = 60_000
/** More than that are not waited for. */
const PENDING = 200
/** Kubernetes' own limit of a message. */
const LONGEST = 1_024

/** A view of the cluster is no older than that, milliseconds. */
const STALE_MS = 60_000

interface Known {
  name: string
  count: number
  first: number
  last: number
}

interface RecorderOptions {
  client: Pick<KubeClient, 'apply'>
  clock: Clock
  log: Logger
}

export function createRecorder({ client, clock, log }: RecorderOptions): Recorder {
  const known = new Map<string, Known>()
  const allowances = new Map<string, { left: number; at: number }>()
  /** By uid: the views may not have it yet. */
  const told = new Map<string, { status: Told; at: number }>()
  let pending = 0
  let writing: Promise<void> = Promise.resolve()
  let complainedAt = Number.NEGATIVE_INFINITY

  const mayWrite = (id: string, now: number): boolean => {
    const before = allowances.get(id) ?? { left: BURST, at: now }
    const left = Math.min(BURST, before.left + (now - before.at) / REFILL_MS)
    allowances.set(id, { left: Math.max(0, left - 1), at: now })
    return left >= 1
  }

  const forget = (now: number) => {
    for (const [key, { last }] of known) if (now - last > SAME_MS) known.delete(key)
    for (const [id, { at }] of allowances) if (now - at > BURST * REFILL_MS) allowances.delete(id)
  }

  const counted = (key: string, about: Pick<KubeObject, 'metadata'>, now: number): Known => {
    const before = known.get(key)
    const again = before !== undefined && now - before.last <= SAME_MS
    const hash = createHash('sha256').update(`${key} ${now}`).digest('hex').slice(0, 16)
    const one = again
      ? { ...before, count: before.count + 1, last: now }
      : { name: `${about.metadata.name.slice(0, 200)}.${hash}`, count: 1, first: now, last: now }
    known.set(key, one)
    return one
  }

  const write = async (about: About, happening: Happening): Promise<void> => {
    const now = clock.now()
    forget(now)
    const id = `${about.kind} ${about.metadata.uid ?? about.metadata.name}`
    if (!mayWrite(id, now)) return
    const event = eventOf(about, happening, counted(`${id} ${happening.type} ${happening.reason}`, about, now))
    await client.apply(resources.events, event, { manager: MANAGER })
  }

  /** Nothing can be made in a namespace that is being deleted: then it is told of the namespace itself. */
  const writeSomewhere = async (about: About, happening: Happening): Promise<void> => {
    try {
      await write(about, happening)
    } catch (error) {
      const { namespace, name } = about.metadata
      if (!endsNamespace(error) || namespace === undefined) throw error
      const home = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
      await write(home, { ...happening, message: `${about.kind} "${name}": ${happening.message}` })
    }
  }

  const record: Recorder['record'] = (about, happening) => {
    if (pending >= PENDING) return
    pending++
    writing = writing
      .then(() => writeSomewhere(about, { ...happening, message: shownFor(about)(happening.message) }))
      .catch((error) => {
        if (clock.monotonic() - complainedAt < SAME_MS) return
        complainedAt = clock.monotonic()
        log.warn('an Event cannot be written', { reason: happening.reason, error: messageOf(error) })
      })
      .finally(() => pending--)
  }

  return {
    record,
    tell(live, status) {
      const [now, { uid = '' }] = [clock.monotonic(), live.metadata]
      for (const [key, { at }] of told) if (now - at > STALE_MS) told.delete(key)
      const before = told.get(uid)?.status ?? ((live.status ?? {}) as Told)
      told.set(uid, { status, at: now })
      for (const one of newsIn(before, status)) record(live, one)
    },
    settled: () => writing,
  }
}

function eventOf(
  { apiVersion, kind, metadata }: About,
  { type, reason, message }: Happening,
  { name, count, first, last }: Known,
): KubeObject {
  const { namespace, uid } = metadata
  const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`
  const component = `${kind.toLowerCase()}-controller`
  return {
    apiVersion: 'v1',
    kind: 'Event',
    // Those of cluster-wide objects are kept here.
    metadata: { name, namespace: namespace ?? 'default' },
    involvedObject: {
      ...{ apiVersion, kind, name: metadata.name },
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    ...{ type, reason, message: message.slice(0, LONGEST), count },
    ...{ firstTimestamp: time(first), lastTimestamp: time(last) },
    source: { component },
    reportingComponent: component,
    reportingInstance: MANAGER,
  }
}

/** Conditions whose True is the warning; that of `Contested` is told by who finds it. */
const WARNINGS = new Set(['ControllerAccount', 'AtRisk', 'FencingLeaseOnly', 'LeaderUnknown', 'LeaseHeld'])

/** Of a status, what is told. */
export interface Told {
  conditions?: readonly Condition[]
  leader?: unknown
  term?: unknown
}

/** What a new status tells that the one before did not. Pure. */
export function newsIn(before: Told, now: Told): Happening[] {
  const was = (type: string) => before.conditions?.find((one) => one.type === type)
  const news = (now.conditions ?? []).flatMap(({ type, status, reason, message }): Happening[] => {
    const old = was(type)
    if (old?.status === status && old.reason === reason) return []
    if (status === (WARNINGS.has(type) ? 'True' : 'False'))
      return [{ type: 'Warning', reason: reason ?? type, message: message ?? type }]
    const better = status === 'True' && type === 'Available' && old !== undefined && old.status !== 'True'
    return better ? [{ type: 'Normal', reason: 'Available', message: 'all replicas are ready' }] : []
  })
  const { leader, term } = now
  if (typeof leader === 'string' && leader !== before.leader) {
    const from = typeof before.leader === 'string' ? ` after "${before.leader}"` : ''
    const which = term === undefined ? '' : ` (term ${term})`
    news.push({ type: 'Normal', reason: 'LeadChanged', message: `"${leader}" leads${from}${which}` })
  }
  return news
}
