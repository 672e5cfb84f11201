/** Brings a native bus into being; of the others it says only whether they can be used. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import { type Applier, refuseForeign } from '../apply.ts'
import { type Cluster, MANAGER } from '../cluster.ts'
import { type Condition, condition } from '../conditions.ts'
import { runningIn } from '../eventBus/chosen.ts'
import { makeCredentials, secretNames } from '../eventBus/credentials.ts'
import { serviceName, statefulSetName } from '../eventBus/jetstream.ts'
import type { Owner } from '../objects.ts'
import { writeStatus } from '../status.ts'
import { planOfObject } from './bus.ts'

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
  const failed = bus?.kind === 'jetstream' ? await applyAll(cluster, applier, object, bus, objects) : null
  const all = failed === null ? conditions : [...conditions.filter(({ type }) => type !== 'Deployed'), failed.condition]
  const known = all.some(({ type }) => type === 'Deployed') ? all : [...all, condition('Deployed', 'Unknown')]
  await writeStatus(cluster, resources.eventbus, object, {
    conditions: known,
    kind: bus?.kind,
    ready: bus?.kind === 'jetstream' ? readyServers(cluster, bus) : undefined,
    natsImage: bus?.kind === 'jetstream' ? imageIn(objects) : undefined,
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
): Promise<{ condition: Condition; error: unknown } | null> {
  if (objects.length === 0) return null
  let reason = 'JetStreamAuthSecretsFailed'
  try {
    await ensureCredentials(cluster, { kind: 'EventBus', namespace: bus.namespace, name: bus.name, uid })
    for (const one of objects) {
      reason = reasons[one.kind]!
      await applier.apply(one)
    }
    return null
  } catch (error) {
    return { condition: condition('Deployed', 'False', reason, messageOf(error)), error }
  }
}

/** Both Secrets, made together as soon as one of the two is missing: each is of no use without its fellow. */
async function ensureCredentials({ client, clock }: Cluster, owner: Owner): Promise<void> {
  const { namespace } = owner
  const names = Object.values(secretNames(owner.name))
  const found = await Promise.all(names.map((name) => client.get(resources.secrets, { namespace, name })))
  if (found.every((secret) => secret !== null)) return
  const host = `${serviceName(owner)}.${namespace}.svc`
  const made = makeCredentials(owner, host, clock.now())
  for (const [i, secret] of made.entries()) refuseForeign(secret, found[i] ?? null)
  for (const secret of made) {
    await client.apply(resources.secrets, secret, { manager: MANAGER })
  }
}

/** Of the servers, as it was applied; remembered for when there is no StatefulSet to see it from. */
function imageIn(objects: KubeObject[]): string | undefined {
  const made = objects.find(({ kind }) => kind === 'StatefulSet')
  return runningIn(made, undefined)?.natsImage
}

function readyServers(cluster: Cluster, bus: EventBus): string {
  const live = cluster.statefulSets.get(`${bus.namespace}/${statefulSetName(bus)}`)
  const { readyReplicas = 0 } = (live?.status ?? {}) as { readyReplicas?: number }
  return `${readyReplicas}/${(live?.spec as { replicas?: number } | undefined)?.replicas ?? 0}`
}
