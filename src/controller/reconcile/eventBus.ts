/** Brings a native bus into being; of the others it says only whether they can be used. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import type { Applier } from '../apply.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, condition } from '../conditions.ts'
import { type Remembered, runningIn } from '../eventBus/chosen.ts'
import { statefulSetName } from '../eventBus/jetstream.ts'
import { writeStatus } from '../status.ts'
import { planOfObject } from './bus.ts'
import { ensureSecrets } from './busSecrets.ts'

/** Upstream's reasons. */
const reasons: Record<string, string> = {
  ConfigMap: 'JetStreamConfigMapFailed',
  Service: 'JetStreamServiceFailed',
  StatefulSet: 'JetStreamStatefulSetFailed',
  PodDisruptionBudget: 'JetStreamBudgetFailed',
}

/** @throws what could not be done, to be tried again; the status says it already */
export async function reconcileEventBus(cluster: Cluster, applier: Applier, object: KubeObject): Promise<void> {
  const { bus, objects, config, conditions } = await planOfObject(cluster, object)
  const { failed = null, told = [] } =
    bus?.kind === 'jetstream' ? await applyAll(cluster, applier, object, bus, objects) : {}
  const planned = [...conditions, ...told]
  const all = failed === null ? planned : [...planned.filter(({ type }) => type !== 'Deployed'), failed.condition]
  const known = all.some(({ type }) => type === 'Deployed') ? all : [...all, condition('Deployed', 'Unknown')]
  await writeStatus(cluster, resources.eventbus, object, {
    conditions: known,
    kind: bus?.kind,
    ready: bus?.kind === 'jetstream' ? readyServers(cluster, bus) : undefined,
    ...(bus?.kind === 'jetstream' ? remembered(objects, object) : {}),
    // What runs goes on with the last one while a change of the spec cannot be carried out.
    config: (failed === null ? config : null) ?? (object.status as { config?: object } | undefined)?.config,
  })
  if (failed !== null) throw failed.error
}

async function applyAll(
  cluster: Cluster,
  applier: Applier,
  { metadata: { uid } }: KubeObject,
  bus: EventBus,
  objects: KubeObject[],
): Promise<{ failed?: { condition: Condition; error: unknown }; told?: Condition[] }> {
  if (objects.length === 0) return {}
  let reason = 'JetStreamAuthSecretsFailed'
  try {
    const told = await ensureSecrets(cluster, { kind: 'EventBus', namespace: bus.namespace, name: bus.name, uid })
    for (const one of objects) {
      reason = reasons[one.kind]!
      await applier.apply(one)
    }
    return { told }
  } catch (error) {
    return { failed: { condition: condition('Deployed', 'False', reason, messageOf(error)), error } }
  }
}

/** What there will be no other way to know once the StatefulSet is gone, and its disks are not. */
function remembered(objects: KubeObject[], { status }: KubeObject): Remembered {
  const made = objects.find(({ kind }) => kind === 'StatefulSet')
  const { natsImage, encryption } = made === undefined ? ((status ?? {}) as Remembered) : runningIn(made, {})!
  return { ...(natsImage === undefined ? {} : { natsImage }), ...(encryption === undefined ? {} : { encryption }) }
}

function readyServers(cluster: Cluster, bus: EventBus): string {
  const live = cluster.statefulSets.get(`${bus.namespace}/${statefulSetName(bus)}`)
  const { readyReplicas = 0 } = (live?.status ?? {}) as { readyReplicas?: number }
  return `${readyReplicas}/${(live?.spec as { replicas?: number } | undefined)?.replicas ?? 0}`
}
