/** What an EventSource or Sensor finds when it looks for its EventBus. */

import type { KubeObject } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition } from '../conditions.ts'
import { DOWNGRADE_ANNOTATION, type Remembered, runningIn } from '../eventBus/chosen.ts'
import { PREVIOUS_KEY_ANNOTATION, statefulSetName } from '../eventBus/jetstream.ts'
import { isReady, type PlannedBus, planBus } from '../eventBus.ts'
import { readObject, sayError } from './read.ts'

/** From the spec, not from the status that another loop writes: the same input gives the same plan at any time. */
export async function planOfObject(
  cluster: Cluster,
  object: KubeObject,
): Promise<PlannedBus & { bus: EventBus | null }> {
  const { bus, errors } = await readObject(object)
  const none = { objects: [], config: null, ours: null, bus: null }
  if (bus === null || errors.length > 0) {
    const message = errors.map(({ message }) => message).join('; ') || 'invalid spec'
    return {
      ...none,
      conditions: [
        condition('Configured', 'False', 'InvalidSpec', errors.length > 1 ? errors.map(sayError).join('; ') : message),
      ],
    }
  }
  const live = cluster.statefulSets.get(`${bus.namespace}/${statefulSetName(bus)}`)
  const claims = (live?.spec as { volumeClaimTemplates?: unknown[] } | undefined)?.volumeClaimTemplates
  const persistent = live === undefined ? undefined : (claims?.length ?? 0) > 0
  const running = runningIn(live, (object.status ?? {}) as Remembered)
  const { [DOWNGRADE_ANNOTATION]: downgradeTo, [PREVIOUS_KEY_ANNOTATION]: previousKey } =
    object.metadata.annotations ?? {}
  const settings = cluster.settings()
  const planned = planBus({ bus, uid: object.metadata.uid, settings, persistent, running, downgradeTo, previousKey })
  return { ...planned, bus }
}

/** The bus to use, or why there is none: upstream's reasons, and its name. */
export async function findBus(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<{ planned: PlannedBus; trouble?: never } | { planned?: never; trouble: Condition }> {
  const object = cluster.eventBuses.get(`${namespace}/${name}`)
  const failed = (reason: string, message: string) => ({ trouble: condition('Deployed', 'False', reason, message) })
  if (object === undefined)
    return failed('EventBusNotFound', `EventBus not found. There is no EventBus "${name}" in namespace "${namespace}".`)
  const planned = await planOfObject(cluster, object)
  if (planned.config === null || !isReady(planned.conditions)) {
    const why = planned.conditions.find(({ status }) => status !== 'True')?.message
    return failed('EventBusNotReady', `EventBus not ready. EventBus "${name}": ${why}`)
  }
  return { planned }
}
