/** Brings upstream's Deployment of a Sensor into being. Its spec is upstream's to judge. */
import { messageOf } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import { accountWarning } from '../accounts.ts'
import type { Applier, Contested } from '../apply.ts'
import type { Cluster } from '../cluster.ts'
import { condition, warning } from '../conditions.ts'
import { podRefusal } from '../podRules.ts'
import { wantedOf } from '../rollout.ts'
import { sensorObjects } from '../sensor.ts'
import { writeStatus } from '../status.ts'
import type { Turn } from '../turns.ts'
import { availability, deploymentOf } from './availability.ts'
import { findBus } from './bus.ts'
import { mayRollOut, TURN_MS, waitsForTurn } from './turn.ts'

interface SensorSpec {
  eventBusName?: string
  template?: { serviceAccountName?: string }
}

/**
 * @returns when to look again, since something may change unseen
 * @throws what could not be done, to be tried again; the status says it already
 */
export async function reconcileSensor(
  cluster: Cluster,
  applier: Applier,
  sensor: KubeObject,
  turn: Turn,
): Promise<{ afterMs: number } | undefined> {
  const { sensorImage: image, imagePullPolicy, pods } = cluster.settings()
  if (image === null) return
  const { namespace = 'default' } = sensor.metadata
  const { eventBusName, template } = (sensor.spec ?? {}) as SensorSpec
  const account = accountWarning(cluster.home, namespace, template?.serviceAccountName)
  const { planned, trouble } = await findBus(cluster, namespace, eventBusName || 'default')
  let deployed = trouble ?? condition('Deployed', 'True')
  let failure: unknown
  let contested: Contested | null = null
  let waits = false
  const existing = deploymentOf(cluster, sensor)
  let deployment = existing
  if (planned !== undefined) {
    const bus = planned.config!
    const deploymentName = existing?.metadata.name
    try {
      const objects = sensorObjects({ sensor, bus, image, imagePullPolicy, deploymentName, level: pods.level })
      const refusal = podRefusal(objects, pods, cluster.home)
      waits = refusal === null && !mayRollOut(existing, objects, turn)
      if (refusal !== null) deployed = refusal
      else if (waits) deployed = waitsForTurn(turn)
      else {
        for (const object of objects) deployment = (await applier.apply(object)) ?? deployment
        turn.look(deployment)
        contested = applier.contested(objects)
      }
    } catch (error) {
      failure = error
      const reason = existing === undefined ? 'CreateDeploymentFailed' : 'UpdateDeploymentFailed'
      deployed = condition('Deployed', 'False', reason, messageOf(error))
    }
  }
  const available = await availability(cluster, deployment, [sensor.spec])
  await writeStatus(cluster, resources.sensors, sensor, {
    conditions: [
      deployed,
      ...(planned === undefined ? [] : [available.condition]),
      ...(account === null ? [] : [account]),
      ...(contested === null ? [] : [warning('Contested', 'Contested', contested.message)]),
    ],
    ready: `${available.ready}/${deployment === undefined ? 0 : wantedOf(deployment)}`,
  })
  if (failure !== undefined) throw failure
  if (contested !== null) return contested
  const afterMs = waits ? Math.min(TURN_MS, available.afterMs ?? TURN_MS) : available.afterMs
  return afterMs === undefined ? undefined : { afterMs }
}
