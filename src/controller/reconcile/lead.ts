/** Who serves the active-passive entries of an EventSource: the Lease says it, or, with election by the bus, the Pods. */
import { messageOf } from '../../core/errors.ts'
import { holderIn, leaseName, termIn } from '../../ha/locks/kubernetes-lease.ts'
import { resources } from '../../kube/resources.ts'
import type { EventSource } from '../../manifest/manifest.ts'
import type { BusConfig } from '../busConfig.ts'
import type { Cluster } from '../cluster.ts'
import { usesLease } from '../eventSource.ts'
import { selectorOf } from '../objects.ts'
import { leadIn } from '../podMetrics.ts'
import { strangerIn } from '../stranger.ts'

export interface Lead {
  leader?: string | undefined
  /** How often the lead changed hands, as far as the Lease or the running Pods know. */
  failovers?: number | undefined
  term?: number | undefined
  /** Who holds the Lease and is none of its Pods, in words. */
  stranger?: string | undefined
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

async function leadOfLease({ client, clock }: Cluster, { namespace, name }: EventSource): Promise<Lead> {
  const lease = await client.get(resources.leases, { namespace, name: leaseName(name) })
  if (lease === null) return {}
  const spec = (lease.spec ?? {}) as { holderIdentity?: string; leaseTransitions?: number }
  const failovers = spec.leaseTransitions
  if (holderIn(lease) !== undefined) {
    // Argo Events' Pods, which hold the same Lease, have the same labels.
    const labelSelector = selectorOf({ kind: 'EventSource', namespace, name })
    const { items } = await client.list(resources.pods, { namespace, labelSelector })
    const stranger = strangerIn(lease, items, clock.now())
    if (stranger !== undefined) return { failovers, stranger }
  }
  return { leader: spec.holderIdentity || undefined, failovers, term: termIn(lease) }
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
