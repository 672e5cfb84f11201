/** Who serves the active-passive entries of an EventSource: the Lease says it, or, with election by the bus, the Pods. */
import { messageOf } from '../../core/errors.ts'
import { leaseName, termIn } from '../../ha/locks/kubernetes-lease.ts'
import { resources } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import type { BusConfig } from '../busConfig.ts'
import type { Cluster } from '../cluster.ts'
import { usesLease } from '../eventSource.ts'
import { selectorOf } from '../objects.ts'
import { leadIn } from '../podMetrics.ts'

export interface Lead {
  leader?: string | undefined
  /** How often the lead changed hands, as far as the Lease or the running Pods know. */
  failovers?: number | undefined
  term?: number | undefined
  /** Why it cannot be found out. */
  unknown?: string | undefined
}

/** Never throws: what cannot be found out is left out, and said. */
export async function leadOf(cluster: Cluster, source: EventSource, bus: BusConfig): Promise<Lead> {
  try {
    return usesLease(source, bus) ? await leadOfLease(cluster, source) : await leadOfPods(cluster, source)
  } catch (error) {
    return { unknown: messageOf(error) }
  }
}

async function leadOfLease({ client }: Cluster, { namespace, name }: EventSource): Promise<Lead> {
  const lease = await client.get(resources.leases, { namespace, name: leaseName(name) })
  const spec = (lease?.spec ?? {}) as { holderIdentity?: string; leaseTransitions?: number }
  const term = lease === null ? undefined : termIn(lease)
  return { leader: spec.holderIdentity || undefined, failovers: spec.leaseTransitions, term }
}

async function leadOfPods({ client, podMetrics }: Cluster, { namespace, name }: EventSource): Promise<Lead> {
  const labelSelector = selectorOf({ kind: 'EventSource', namespace, name })
  const { items } = await client.list(resources.pods, { namespace, labelSelector })
  const leads = await Promise.all(
    items.map(async ({ metadata, status }) => {
      const { podIP } = (status ?? {}) as { podIP?: string }
      const text = podIP === undefined ? null : await podMetrics(podIP)
      return text === null ? [] : [{ pod: metadata.name, ...leadIn(text) }]
    }),
  )
  const known = leads.flat()
  if (known.length === 0) return {}
  const failovers = known.reduce((total, { failovers }) => total + failovers, 0)
  const leader = known.find(({ leads }) => leads)
  return { leader: leader?.pod, failovers, term: leader?.term || undefined }
}
