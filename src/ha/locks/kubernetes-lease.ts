/**
 * The lock port on a Lease of `coordination.k8s.io/v1`, with the verbs get, create and update and no other: that is what the Roles of Argo
 * Events' users grant. Name, identity and fields are those of its own elector (client-go's), so Pods of both share one
 * election. What a Lease has no field for stands in one annotation, which counts only as long as nobody else has written the Lease since.
 */
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { Lease, LeaseRecord, Lock } from '../lock.ts'

/** Where the holder's process can be reached by the others, see peers/peer-link.ts. */
export interface PeerAddress {
  host: string
  port: number
  /** Proves to who has read the Lease that it is the holder who answers. */
  key: string
}

export interface AddressedLease extends Lease {
  /** Of the holder, if it has said one. */
  peer: PeerAddress | null
  /** Held by somebody who is not Vedette: a Pod of Argo Events, or a stranger. */
  foreign: boolean
}

export interface KubernetesLock extends Lock {
  readonly called: string
  read(): Promise<AddressedLease | null>
  write(record: LeaseRecord, expected: string | null): Promise<AddressedLease | null>
}

/** `LeaseSpec`; other members, as newer versions have them, are kept as they are. */
interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  /** RFC 3339 with microseconds. */
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}

type LeaseObject = KubeObject & { spec?: LeaseSpec }

/** What the annotation holds, as JSON. */
interface Note {
  /** `holderIdentity` and `renewTime` as written together with this: others do not carry them on. */
  holder: string
  renewTime: string
  durationMs: number
  term: number
  successor?: string
  peer?: PeerAddress
}

const NOTE = 'vedette.dev/holder'
/** An int32: what is more the API server refuses, and nobody would take the Lease again. */
const MOST_TRANSITIONS = 2 ** 31 - 1

/** The Lease's name, which is upstream's. */
export const leaseName = (eventSource: string): string => `eventsource-${eventSource}`

export interface KubernetesLockOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'update'>
  namespace: string
  /** See {@link leaseName}. */
  name: string
  clock: Clock
  /** How long a call may take, milliseconds: the renew deadline. */
  timeoutMs: number
  /** Where this process can be reached at present. */
  peer?: () => PeerAddress | null
}

export function kubernetesLock({
  client,
  namespace,
  name,
  clock,
  timeoutMs,
  peer = () => null,
}: KubernetesLockOptions): KubernetesLock {
  const { leases } = resources
  const options = { timeoutMs }
  let seen: LeaseObject | null = null

  const read = async (): Promise<LeaseObject | null> => {
    seen = await client.get<LeaseObject>(leases, { namespace, name }, options).catch(asLockError)
    return seen
  }

  /** The whole object that `expected` is the revision of, so that what others keep in it stays; null: it is no longer current. */
  const current = async (expected: string): Promise<LeaseObject | null> => {
    if (seen?.metadata.resourceVersion === expected) return seen
    const found = await read()
    return found?.metadata.resourceVersion === expected ? found : null
  }

  return {
    called: `the Lease ${namespace}/${name}`,
    async read() {
      const found = await read()
      return found === null ? null : leaseOf(found)
    },
    async write(record, expected) {
      const before = expected === null ? null : await current(expected)
      if (expected !== null && before === null) return null
      const object = next(before, record, { namespace, name, now: clock.now(), peer: peer() })
      const written: LeaseObject | null = await (before === null
        ? client.create(leases, object, options)
        : client.update(leases, object, options)
      ).catch((error) => (isVedetteError(error, 'KUBERNETES_CONFLICT') ? null : asLockError(error)))
      seen = written
      return written === null ? null : leaseOf(written)
    },
    // A Lease cannot be watched with these verbs: the peer link tells, and the election polls.
    onChange: () => () => {},
  }
}

/** What client-go would write, and our annotation. */
function next(
  before: LeaseObject | null,
  record: LeaseRecord,
  { namespace, name, now, peer }: { namespace: string; name: string; now: number; peer: PeerAddress | null },
): LeaseObject {
  const spec = before?.spec
  const holder = record.released ? '' : record.holder
  // A write that changes nothing would leave the resourceVersion as it was: two never have the same time.
  const renewTime = microTime(microTime(now) === spec?.renewTime ? now + 0.001 : now)
  const renews = before !== null && holder !== '' && spec?.holderIdentity === holder
  const transitions = spec?.leaseTransitions ?? 0
  const { durationMs, term, successor } = record
  const note: Note = {
    holder,
    renewTime,
    durationMs,
    term,
    ...(successor === undefined ? {} : { successor }),
    ...(peer === null || holder === '' ? {} : { peer }),
  }
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace,
      ...before?.metadata,
      annotations: { ...before?.metadata.annotations, [NOTE]: JSON.stringify(note) },
    },
    spec: {
      ...spec,
      holderIdentity: holder,
      // Whole seconds; upstream cuts them off, which would let its Pods come too early.
      leaseDurationSeconds: holder === '' ? 1 : Math.max(1, Math.ceil(durationMs / 1000)),
      acquireTime: renews && spec?.acquireTime !== undefined ? spec.acquireTime : renewTime,
      renewTime,
      leaseTransitions:
        before === null || renews || holder === '' ? transitions : Math.min(transitions + 1, MOST_TRANSITIONS),
    },
  }
}

function leaseOf({ metadata, spec = {} }: LeaseObject): AddressedLease {
  const { holderIdentity = '', leaseDurationSeconds = 0, renewTime } = spec
  const note = noteIn(metadata.annotations?.[NOTE])
  const own = note !== null && note.holder === holderIdentity && note.renewTime === renewTime ? note : null
  const durationMs = own?.durationMs ?? leaseDurationSeconds * 1000
  // The term stays a floor also when another elector has held the Lease meanwhile.
  const record: LeaseRecord = {
    holder: holderIdentity,
    durationMs,
    term: note?.term ?? 0,
    released: holderIdentity === '',
    ...(own?.successor === undefined ? {} : { successor: own.successor }),
  }
  return {
    record,
    revision: metadata.resourceVersion ?? '',
    peer: own?.peer ?? null,
    foreign: holderIdentity !== '' && own === null,
  }
}

/** Who holds it, and for how long after its last renewal, milliseconds, as it says; undefined: nobody. */
export function holderIn(lease: KubeObject): { holder: string; durationMs: number } | undefined {
  const { released, holder, durationMs } = leaseOf(lease).record
  return released ? undefined : { holder, durationMs }
}

/** The term of who holds it; undefined when nobody does, or somebody who is not Vedette. */
export function termIn(lease: KubeObject): number | undefined {
  const { record, foreign } = leaseOf(lease)
  return foreign || record.released || record.term === 0 ? undefined : record.term
}

/** The annotation, whoever may have written it: what does not fit is not taken. */
function noteIn(text: string | undefined): Note | null {
  if (text === undefined) return null
  try {
    const { holder, renewTime, durationMs, term, successor, peer } = JSON.parse(text) as Record<string, any>
    if (typeof holder !== 'string' || typeof renewTime !== 'string' || !(durationMs > 0)) return null
    const { host, port, key } = peer ?? {}
    const reachable =
      typeof host === 'string' && typeof key === 'string' && Number.isInteger(port) && port > 0 && port <= 65_535
    return {
      holder,
      renewTime,
      durationMs: Number(durationMs),
      term: Number.isSafeInteger(term) && term >= 0 ? term : 0,
      ...(typeof successor === 'string' ? { successor } : {}),
      ...(reachable ? { peer: { host, port, key } } : {}),
    }
  } catch {
    return null
  }
}

/** `metav1.MicroTime`: RFC 3339 in UTC with six digits. @param ms since the epoch, with a fraction */
export function microTime(ms: number): string {
  const micros = Math.round(ms * 1000)
  const whole = new Date(Math.floor(micros / 1_000_000) * 1000).toISOString().slice(0, 19)
  return `${whole}.${String(micros % 1_000_000).padStart(6, '0')}Z`
}

function asLockError(error: unknown): never {
  if (isVedetteError(error, 'OUTCOME_UNKNOWN')) throw error
  if (isVedetteError(error)) throw fail('LOCK_UNAVAILABLE', error.message, { ...error.details }, { cause: error })
  throw error
}
