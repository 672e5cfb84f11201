/**
 * Argo Events' own Pods lose what they tell while a server of their bus is away: their client looks for another one every five seconds only. So what their
 * controller has made of a bus is changed when their last Pod on it is gone.
 */
import { type KubeObject, resources } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import type { Cluster } from '../cluster.ts'
import { type Condition, warning } from '../conditions.ts'
import { missingTypes } from '../render.ts'
import { isComplete, statusOf } from '../rollout.ts'
import { deploymentOf } from './availability.ts'
import { readObject } from './read.ts'

type Looking = Pick<Cluster, 'client' | 'eventSources' | 'deployments'>

/** @returns the EventSources on this bus that Argo Events' Pods serve and ours are about to; sorted. @throws as the client */
export async function servedByTheirs(cluster: Looking, { namespace, name }: EventBus): Promise<string[]> {
  const users = [...cluster.eventSources.values()].filter(
    (one) => one.metadata.namespace === namespace && busOf(one) === name,
  )
  const moving: string[] = []
  for (const user of users) if (await isMoving(cluster, user)) moving.push(user.metadata.name)
  if (moving.length === 0) return []
  const { items } = await cluster.client.list(resources.pods, {
    namespace,
    labelSelector: 'controller=eventsource-controller',
  })
  const served = new Set(items.filter(isTheirs).map(({ metadata }) => metadata.labels?.['eventsource-name']))
  return moving.filter((one) => served.has(one)).sort()
}

/** Condition of a bus that waits for them. */
export function waitsForTheirs(served: readonly string[]): Condition[] {
  if (served.length === 0) return []
  const message = `its servers stay as they are until the Pods of Argo Events are gone that serve ${served.join(', ')}: those lose events when a server restarts`
  return [warning('WaitsForPods', 'ArgoEventsServes', message)]
}

/** False for what is left alone, and for a roll-out that stands still: nobody knows for how long. */
async function isMoving(cluster: Looking, object: KubeObject): Promise<boolean> {
  const deployment = deploymentOf(cluster as Cluster, object)
  if (deployment === undefined) return false
  const { template } = deployment.spec as { template: object }
  if (!isTheirs(template) && isComplete(deployment)) return false
  const stuck = statusOf(deployment).conditions?.some(
    ({ type, status }) => type === 'Progressing' && status === 'False',
  )
  if (stuck) return false
  const { source, errors } = await readObject(object)
  return source !== null && errors.length === 0 && missingTypes(source).length === 0
}

/** Theirs have no probes; ours have all. */
function isTheirs(pod: object): boolean {
  const { containers = [] } = (pod as { spec: object }).spec as {
    containers?: { name: string; readinessProbe?: unknown }[]
  }
  return containers.every(({ readinessProbe }) => readinessProbe === undefined)
}

const busOf = ({ spec }: KubeObject) => (spec as { eventBusName?: string } | undefined)?.eventBusName || 'default'
