/** A Lease of an EventSource that none of its Pods holds: its replicas wait for whoever does. Pure. */
import { holderIn } from '../ha/locks/kubernetes-lease.ts'
import { LONGEST_MS } from '../ha/standing.ts'
import type { KubeObject } from '../kube/resources.ts'

/** Of a name that anybody may have written; longer than any Pod's. */
const LONGEST = 253
/** Who wrote it within that time renews it: then no moment is named, which would be another at each look. */
const RENEWS_MS = 10_000

/**
 * For people, with the Lease's own fields.
 * @param pods all of the EventSource, of whichever version. @param now milliseconds since the epoch
 * @returns undefined: one of them holds it, or nobody does; or there is none that waits
 */
export function strangerIn(lease: KubeObject, pods: readonly KubeObject[], now: number): string | undefined {
  const { holder, durationMs } = holderIn(lease) ?? { holder: '', durationMs: 0 }
  if (holder === '' || pods.length === 0 || pods.some(({ metadata }) => metadata.name === holder)) return undefined
  const { acquireTime, leaseDurationSeconds } = (lease.spec ?? {}) as Record<string, unknown>
  const shown = holder.length > LONGEST ? `${holder.slice(0, LONGEST)}…` : holder
  const waits = durationMs > 0 ? Math.min(durationMs, LONGEST_MS) : null
  const writtenAt = lastWritten(lease)
  const endsAt = writtenAt + (waits ?? 0)
  const seconds = `${waits === null ? 'the usual time' : `${Math.ceil(waits / 1_000)} s`} after its last renewal`
  // What the times say is the writer's word: one that has passed says nothing.
  const until = now - writtenAt > RENEWS_MS && endsAt > now ? `at ${timeOf(endsAt)}, ${seconds}` : seconds
  return (
    `Lease "${lease.metadata.name}": holderIdentity "${shown}" is none of the EventSource's Pods (acquireTime ${acquireTime ?? 'not set'}, ` +
    `leaseDurationSeconds ${leaseDurationSeconds ?? 'not set'}). What only one replica may serve is not served until it is taken from it, ${until}: ` +
    'delete the Lease to end it now, and look who may write Leases'
  )
}

/** By the API server's clock, where it says so. NaN: not known. */
function lastWritten({ metadata, spec }: KubeObject): number {
  const { managedFields = [] } = metadata as { managedFields?: { time?: string }[] }
  const times = managedFields.flatMap(({ time }) => (time === undefined ? [] : [Date.parse(time)]))
  return times.length > 0
    ? Math.max(...times)
    : Date.parse(`${(spec as { renewTime?: unknown } | undefined)?.renewTime}`)
}

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
