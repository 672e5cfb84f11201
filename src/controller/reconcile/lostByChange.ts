/** For the admission webhook: what a change of an EventBus asks of the servers that run, and they cannot do. */
import { isNative } from '../../buses/index.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { LostByChange } from '../admission.ts'
import { type Cluster, isOwnedBy } from '../cluster.ts'
import { statefulSetName, wantedServers } from '../eventBus/jetstream.ts'
import { type Present, settle } from '../eventBus/present.ts'
import { abandoned } from './bus.ts'
import { growClaims, lookAt } from './look.ts'
import { readObject } from './read.ts'

export function lostByChange(cluster: Cluster): LostByChange {
  return async (before, after) => {
    const { bus } = await readObject(after)
    if (bus === null) return []
    const live = await cluster.client.get(resources.statefulsets, {
      namespace: bus.namespace,
      name: statefulSetName(bus),
    })
    if (live === null || !isOwnedBy(live, after.metadata.uid)) return []
    if (!isNative(bus)) return [abandoned(live).message!]
    const present = await lookAt(cluster, bus, live)
    const old = await refusedBefore(before, present)
    const { refused, disks } = settle(bus, wantedServers(bus), present)
    const stuck = disks === null ? null : await growClaims(cluster, bus, disks, { dryRun: true })
    return [...refused, ...(stuck === null ? [] : [stuck])].filter((one) => !old.includes(one))
  }
}

async function refusedBefore(before: KubeObject, present: Present): Promise<string[]> {
  const { bus } = await readObject(before)
  return bus !== null && isNative(bus) ? settle(bus, wantedServers(bus), present).refused : []
}
