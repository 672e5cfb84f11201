/** What an EventSource or Sensor finds when it looks for its EventBus. */

import { isNative } from '../../buses/index.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventBus, NativeBus } from '../../manifest/manifest.ts'
import { type Cluster, isOwnedBy } from '../cluster.ts'
import { type Condition, condition, warning } from '../conditions.ts'
import { DOWNGRADE_ANNOTATION, type Remembered, runningIn } from '../eventBus/chosen.ts'
import { PREVIOUS_KEY_ANNOTATION, statefulSetName } from '../eventBus/jetstream.ts'
import { type Present, presentIn } from '../eventBus/present.ts'
import { takenOver } from '../eventBus/takenOver.ts'
import { CHANGE_REFUSED, isReady, type PlannedBus, planBus } from '../eventBus.ts'
import { podRefusal } from '../podRules.ts'
import type { Settings } from '../settings.ts'
import { readObject, sayError } from './read.ts'

/**
 * From the spec and what runs, not from the status that another loop writes: the same input gives the same plan at any time.
 * @param look closer at the StatefulSet, for who changes it; without that its number of servers counts as it is. @throws as `look`
 */
export async function planOfObject(
  cluster: Cluster,
  object: KubeObject,
  look: (bus: NativeBus, live: KubeObject) => Promise<Present> = async (_, live) => presentIn(live),
): Promise<PlannedBus & { bus: EventBus | null }> {
  const { bus, errors } = await readObject(object)
  const none = { objects: [], config: null, ours: null, ownLogins: false, bus: null }
  if (bus === null || errors.length > 0) {
    const message = errors.map(({ message }) => message).join('; ') || 'invalid spec'
    return {
      ...none,
      conditions: [
        condition('Configured', 'False', 'InvalidSpec', errors.length > 1 ? errors.map(sayError).join('; ') : message),
      ],
    }
  }
  const found = cluster.statefulSets.get(`${bus.namespace}/${statefulSetName(bus)}`)
  const { uid, annotations = {} } = object.metadata
  // That of somebody else is none of ours to look at; the applier refuses it.
  const live = found !== undefined && isOwnedBy(found, uid) ? found : undefined
  if (live !== undefined && !isNative(bus)) return { ...none, conditions: [abandoned(live)] }
  const present = live === undefined || !isNative(bus) ? undefined : await look(bus, live)
  const running = runningIn(live, (object.status ?? {}) as Remembered)
  const { [DOWNGRADE_ANNOTATION]: downgradeTo, [PREVIOUS_KEY_ANNOTATION]: previousKey } = annotations
  const settings = cluster.settings()
  const kept = live === undefined ? null : takenOver(live, object)
  const planned = planBus({ bus, uid, settings, present, running, takenOver: kept, downgradeTo, previousKey })
  return { ...allowed(planned, live !== undefined, settings, cluster.home), bus }
}

/** Servers that run go on, and their users with them, when their Pods may not be made anew as they are asked for. */
function allowed(planned: PlannedBus, runs: boolean, { pods }: Settings, home: string): PlannedBus {
  const refusal = podRefusal(planned.objects, pods, home)
  if (refusal === null) return planned
  const { plan: _, ...rest } = planned
  const none = { objects: [], config: null, ours: null, ownLogins: false }
  if (!runs) return { ...none, conditions: [condition('Configured', 'True'), refusal] }
  const others = rest.conditions.filter(({ type }) => type !== CHANGE_REFUSED)
  return { ...rest, objects: [], conditions: [...others, warning(CHANGE_REFUSED, refusal.reason!, refusal.message!)] }
}

/** Its users would be led away from servers that go on with events nobody would ever read. */
export function abandoned({ metadata: { name } }: KubeObject): Condition {
  const message =
    `Can not change event bus implementation: StatefulSet "${name}" runs and holds events; make another EventBus and have it named by eventBusName, ` +
    'or write jetstream again'
  return condition('Configured', 'False', 'InvalidSpec', message)
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
