/**
 * Whose a namespace is: one with a controller of its own is not ours. It is known by the Lease that controllers have where they run, Argo Events'
 * and ours alike, so that of an install for the cluster and one for a namespace only the second works there.
 */
import type { Clock } from '../core/clock.ts'
import type { KubeClient } from '../kube/client.ts'
import { resources } from '../kube/resources.ts'
import { CONTROLLER_LEASE } from './install/rbac.ts'

/** Who else looks after the namespace; null: nobody, or it cannot be found out. */
export type Territory = (namespace: string) => Promise<string | null>

/** So long an answer holds, milliseconds. */
const KNOWN_MS = 10_000
/** For clocks that differ. */
const SKEW_MS = 30_000

interface TerritoryOptions {
  client: Pick<KubeClient, 'get'>
  clock: Clock
  /** Where this controller runs: its own Lease is there. */
  home: string
}

export function createTerritory({ client, clock, home }: TerritoryOptions): Territory {
  const known = new Map<string, { holder: string | null; at: number }>()

  const holderOf = async (namespace: string): Promise<string | null> => {
    const lease = await client.get(resources.leases, { namespace, name: CONTROLLER_LEASE })
    const { holderIdentity, renewTime, leaseDurationSeconds = 15 } = (lease?.spec ?? {}) as Record<string, any>
    if (!holderIdentity || typeof renewTime !== 'string') return null
    const ageMs = clock.now() - Date.parse(renewTime)
    return ageMs < leaseDurationSeconds * 1000 + SKEW_MS ? holderIdentity : null
  }

  return async (namespace) => {
    if (namespace === home) return null
    const before = known.get(namespace)
    if (before !== undefined && clock.monotonic() - before.at < KNOWN_MS) return before.holder
    const holder = await holderOf(namespace).catch(() => null)
    known.set(namespace, { holder, at: clock.monotonic() })
    return holder
  }
}
