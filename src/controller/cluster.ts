/** What the reconcilers see of the cluster: views that follow it, and the client that changes it. */
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { KubeClient } from '../kube/client.ts'
import { createInformer, type Informer, type InformerOptions } from '../kube/informer.ts'
import { type KubeObject, type OwnerReference, type Resource, resources } from '../kube/resources.ts'
import type { SourceDefinition } from '../source.ts'
import { loadSource } from '../sources/index.ts'
import { type PrepareStream, prepareStream } from './busStream.ts'
import { createRecorder, type Recorder } from './events.ts'
import { type ReadPodMetrics, type ReadPodReadiness, readPodMetrics, readPodReadiness } from './podMetrics.ts'
import { type ReadServer, readServer } from './serverHolds.ts'
import { type ReadUsers, readUsers } from './serverUsers.ts'
import type { Settings } from './settings.ts'

export type LoadSource = (type: string) => Promise<SourceDefinition<any, any> | null>

export interface Cluster {
  client: KubeClient
  /** The namespace that the controller runs in. */
  home: string
  clock: Clock
  log: Logger
  /** The log of one of the controllers in this process, by its name. */
  logOf: (controller: string) => Logger
  settings: () => Settings
  /** Where source modules come from. */
  load: LoadSource
  podMetrics: ReadPodMetrics
  readServer: ReadServer
  readUsers: ReadUsers
  prepareStream: PrepareStream
  podReadiness: ReadPodReadiness
  recorder: Recorder
  /** These three are indexed by namespace. */
  eventSources: Informer
  eventBuses: Informer
  sensors: Informer
  /** Indexed by the uid of the owner that controls it. */
  deployments: Informer
  statefulSets: Informer
  services: Informer
}

export { MANAGER } from './objects.ts'

export interface ClusterOptions {
  client: KubeClient
  home: string
  /** The one namespace that is looked after; left out: all. */
  namespace?: string | undefined
  clock: Clock
  log: Logger
  /** Left out: `log`, with the name in the field `controller`. */
  logOf?: ((controller: string) => Logger) | undefined
  settings: () => Settings
  /** The registry, unless given. */
  load?: LoadSource | undefined
  /** By HTTP, unless given. */
  podMetrics?: ReadPodMetrics | undefined
  podReadiness?: ReadPodReadiness | undefined
  /** By HTTP, unless given. */
  readServer?: ReadServer | undefined
  readUsers?: ReadUsers | undefined
  /** By NATS, unless given. */
  prepareStream?: PrepareStream | undefined
}

export function createCluster(options: ClusterOptions): Cluster {
  const { client, home, namespace, clock, log, settings, load = loadSource } = options
  const { logOf = (controller: string) => log.child({ controller }) } = options
  const { podMetrics = readPodMetrics(clock), podReadiness = readPodReadiness(clock) } = options
  const { readServer: read = readServer(clock), readUsers: users = readUsers(clock) } = options
  const { prepareStream: prepare = prepareStream(clock) } = options
  const informer = (resource: Resource, options: { labelSelector?: string; index?: InformerOptions['index'] } = {}) =>
    createInformer({ client, resource, namespace, clock, log, ...options })
  const byNamespace = { index: ({ metadata }: KubeObject) => metadata.namespace }
  return {
    client,
    home,
    clock,
    log,
    logOf,
    settings,
    load,
    podMetrics,
    readServer: read,
    readUsers: users,
    prepareStream: prepare,
    podReadiness,
    recorder: createRecorder({ client, clock, log }),
    eventSources: informer(resources.eventsources, byNamespace),
    eventBuses: informer(resources.eventbus, byNamespace),
    sensors: informer(resources.sensors, byNamespace),
    deployments: informer(resources.deployments, {
      labelSelector: 'controller in (eventsource-controller,sensor-controller)',
      index: (object) => controllerOf(object)?.uid,
    }),
    statefulSets: informer(resources.statefulsets, { labelSelector: 'controller=eventbus-controller' }),
    services: informer(resources.services, {
      labelSelector: 'controller in (eventsource-controller,eventbus-controller)',
    }),
  }
}

export function informersOf(cluster: Cluster): Informer[] {
  const { eventSources, eventBuses, sensors, deployments, statefulSets, services } = cluster
  return [eventSources, eventBuses, sensors, deployments, statefulSets, services]
}

/** The object as a view has it; null: it is not there; undefined: its kind is not followed. */
export function seen(
  cluster: Cluster,
  { kind, metadata: { namespace, name } }: KubeObject,
): KubeObject | null | undefined {
  const views: Record<string, Informer> = {
    Deployment: cluster.deployments,
    StatefulSet: cluster.statefulSets,
    Service: cluster.services,
  }
  return views[kind] === undefined ? undefined : (views[kind].get(`${namespace}/${name}`) ?? null)
}

/** The owner that it was made for, by us or by upstream. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true)
}

/** Whether `object` was made for the owner with this uid. */
export function isOwnedBy(object: KubeObject, uid: string | undefined): boolean {
  return uid !== undefined && controllerOf(object)?.uid === uid
}
