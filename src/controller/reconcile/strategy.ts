/** How the Pods of a StatefulSet are replaced, where server-side apply cannot change it. */
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { Cluster } from '../cluster.ts'

interface Strategy {
  type?: string
  rollingUpdate?: object | null
}

const strategyOf = ({ spec }: KubeObject) => (spec as { updateStrategy?: Strategy }).updateStrategy ?? {}

/**
 * Kubernetes fills in `rollingUpdate`, keeps it when only `type` is applied, and refuses both together: so a set that turns to `OnDelete` is rid of it first.
 * @param live as it was last seen. @throws KUBERNETES_CONFLICT when it was changed meanwhile; as the client
 */
export async function turnToOnDelete(
  { client }: Pick<Cluster, 'client'>,
  live: KubeObject,
  wanted: readonly KubeObject[],
): Promise<void> {
  const turns = wanted.some((one) => one.kind === 'StatefulSet' && strategyOf(one).type === 'OnDelete')
  if (!turns || !strategyOf(live).rollingUpdate) return
  const now = await client.get(resources.statefulsets, live.metadata)
  if (now === null || !strategyOf(now).rollingUpdate) return
  await client.update(resources.statefulsets, { ...now, spec: { ...now.spec!, updateStrategy: { type: 'OnDelete' } } })
}
