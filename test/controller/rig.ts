/** A real API server with Vedette installed as shipped, and the controller in it, with the rights of its ServiceAccount and no more. */

import type { PrepareStream } from '../../src/controller/busStream.ts'
import type { LoadSource } from '../../src/controller/cluster.ts'
import { runController } from '../../src/controller/controller.ts'
import { install } from '../../src/controller/install/install.ts'
import type { ReadPodMetrics, ReadPodReadiness } from '../../src/controller/podMetrics.ts'
import type { ReadServer } from '../../src/controller/serverHolds.ts'
import type { ReadUsers } from '../../src/controller/serverUsers.ts'
import { type Settings, settingsFrom } from '../../src/controller/settings.ts'
import { systemClock } from '../../src/core/clock.ts'
import { type Logger, silentLogger } from '../../src/core/log.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { type KubeObject, type Resource, resourceOf, resources } from '../../src/kube/resources.ts'
import { plainValue } from '../../src/manifest/tree.ts'
import { parseYaml } from '../../src/manifest/yaml.ts'
import { loadSource, types } from '../../src/sources/index.ts'
import { until } from '../contract/bus.ts'
import { type Kubernetes, type KubernetesOptions, type PolicyRule, startKubernetes } from '../servers/kubernetes.ts'
import { freePorts } from '../servers/process.ts'

export type Plain = Record<string, any>

/** What the controller never touches itself. */
const priorityClasses: Resource = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  plural: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
}

export const resourceFor = (object: KubeObject): Resource =>
  resourceOf(object) ?? (object.kind === 'PriorityClass' ? priorityClasses : fail(object.kind))

function fail(kind: string): never {
  throw new Error(`no resource for ${kind}`)
}

export async function definitions() {
  return (await Promise.all(types.map(loadSource))).filter((one) => one !== null)
}

export const objectsOf = (yaml: string): KubeObject[] => parseYaml(yaml).documents.map(plainValue) as KubeObject[]

export interface Rig {
  kubernetes: Kubernetes
  admin: KubeClient
  /** Applies as a user does. */
  apply(yaml: string): Promise<void>
  get(resource: Resource, namespace: string, name: string): Promise<Plain | null>
  /** The condition of an object's status. */
  condition(resource: Resource, namespace: string, name: string, type: string): Promise<Plain | undefined>
  /** @returns how to stop it, and where its ports are */
  startController(options?: ControllerOptions): Promise<Controller>
  stop(): Promise<void>
}

export interface ControllerOptions {
  namespaced?: string
  settings?: Partial<Settings>
  identity?: string
  /** Default true. */
  election?: boolean
  webhook?: boolean
  /** Rights other than the shipped ones, in the namespace `namespaced`. */
  rules?: PolicyRule[]
  load?: LoadSource
  ports?: { webhookPort?: number }
  podMetrics?: ReadPodMetrics
  readServer?: ReadServer
  readUsers?: ReadUsers
  prepareStream?: PrepareStream
  podReadiness?: ReadPodReadiness
  log?: Logger
}

export interface Controller {
  healthPort: number
  metricsPort: number
  webhookPort: number
  stop(): Promise<void>
}

const HOME = 'argo-events'

export async function startRig(options: Pick<KubernetesOptions, 'apiServerFlags' | 'controllers'> = {}): Promise<Rig> {
  const kubernetes = await startKubernetes({ controllers: false, ...options })
  const { client: admin } = kubernetes
  const put = async (objects: readonly KubeObject[]) => {
    for (const object of objects) await admin.apply(resourceFor(object), object, { manager: 'installer' })
  }
  await put(install({ definitions: await definitions() }))
  const listed = (resource: Resource) =>
    admin.list(resource).then(
      () => true,
      () => false,
    )
  for (const resource of [resources.eventsources, resources.eventbus, resources.sensors]) {
    await until(`${resource.plural} are served`, () => listed(resource), 30_000)
  }
  // Rights of its own: none beside what is shipped.
  const token = await kubernetes.account(HOME, 'vedette-controller', [])
  const running: (() => Promise<void>)[] = []

  /** A token with the rights that are shipped. */
  const shipped = async (namespace: string | undefined): Promise<string> => {
    if (namespace === undefined) return token
    await put(install({ definitions: await definitions(), namespace, namespaced: true }))
    return await kubernetes.account(namespace, 'vedette-controller', [])
  }

  const startController = async ({
    namespaced,
    settings,
    identity = 'one',
    election = true,
    webhook = false,
    rules,
    load,
    ports = {},
    podMetrics,
    readServer,
    readUsers,
    prepareStream,
    podReadiness,
    log = silentLogger,
  }: ControllerOptions = {}) => {
    const [healthPort, metricsPort, freePort] = (await freePorts(3)) as [number, number, number]
    const { webhookPort = freePort } = ports
    const home = namespaced ?? HOME
    const ownToken = rules === undefined ? await shipped(namespaced) : await kubernetes.account(home, 'limited', rules)
    const stop = new AbortController()
    const run = runController(
      {
        client: kubernetes.clientWith(ownToken),
        home,
        namespace: namespaced,
        identity,
        election,
        host: '127.0.0.1',
        healthPort,
        metricsPort,
        webhookPort: webhook ? webhookPort : undefined,
        settings: () => ({ ...settingsFrom({ VEDETTE_IMAGE: 'img:1' }), ...settings }),
        load,
        podMetrics,
        readServer,
        readUsers,
        prepareStream,
        podReadiness,
        clock: systemClock,
        log,
      },
      stop.signal,
    )
    const stopped = async () => {
      stop.abort()
      await run
    }
    running.push(stopped)
    run.catch(() => {})
    return { healthPort, metricsPort, webhookPort, stop: stopped }
  }

  return {
    kubernetes,
    admin,
    startController,
    async apply(yaml) {
      for (const object of objectsOf(yaml)) await admin.apply(resourceFor(object), object, { manager: 'user' })
    },
    get: (resource, namespace, name) => admin.get(resource, { namespace, name }) as Promise<Plain | null>,
    async condition(resource, namespace, name, type) {
      const object = (await admin.get(resource, { namespace, name })) as Plain | null
      return object?.status?.conditions?.find((one: Plain) => one.type === type)
    },
    async stop() {
      await Promise.all(running.map((stop) => stop().catch(() => {})))
      await kubernetes.stop()
    },
  }
}

export { resources }
