/** A Kubernetes cluster of this machine's own: the real binaries, alone (no nodes) or with nodes that really run Pods. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts'
import type { KubeConfiguration } from '../../src/kube/configuration.ts'
import { resources } from '../../src/kube/resources.ts'
import { kubeTransport } from '../../src/kube/transport.ts'
import { until } from '../contract/bus.ts'
import { installed } from './cache.ts'
import { DIR } from './kubernetes/build.ts'
import {
  type ControlPlane,
  type ControlPlaneOptions,
  kubeconfig,
  startControlPlane,
} from './kubernetes/controlPlane.ts'
import { startDns } from './kubernetes/dns.ts'
import { pauseImage } from './kubernetes/images.ts'
import {
  type KubeNode,
  makeNodeNetwork,
  type NodeNetwork,
  removeNodeNetwork,
  routeServices,
  startNode,
} from './kubernetes/node.ts'

export interface Kubernetes extends ControlPlane {
  /** The administrator's kubeconfig, a file. */
  readonly kubeconfig: string
  /** The administrator. */
  readonly client: KubeClient
  /** A client that is nobody but this token's owner. */
  clientWith(token: string): KubeClient
  /** Makes a namespace and returns its name. */
  namespace(name: string): Promise<string>
  /** A token of a ServiceAccount, which is made unless it is there, with these rules of a Role of its own. */
  account(namespace: string, name: string, rules: PolicyRule[]): Promise<string>
  /** The text of a kubeconfig file for a token. @returns its path */
  kubeconfigFor(token: string, namespace: string): string
  /** kill -9, and started again `downMs` milliseconds later. */
  restartApiServer(options?: { downMs?: number }): Promise<void>
  /** What really runs Pods. */
  readonly nodes: readonly KubeNode[]
}

export interface KubernetesOptions extends Omit<ControlPlaneOptions, 'network'> {
  /** Docker archives that every node knows from the start. */
  images?: string[]
}

export interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
  resourceNames?: string[]
}

/** Without `nodes` nothing runs: for tests of objects and Leases. @throws when Kubernetes is not installed, or nodes cannot be started */
export async function startKubernetes({ images = [], ...options }: KubernetesOptions = {}): Promise<Kubernetes> {
  const count = options.nodes ?? 0
  const undo: (() => unknown)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const network = count > 0 ? makeNodeNetwork() : undefined
    if (network !== undefined) undo.push(() => removeNodeNetwork(network))
    const plane = await startControlPlane({ ...options, ...(network === undefined ? {} : { network }) })
    undo.push(() => plane.stop())
    const nodes = network === undefined ? [] : await startNodes(plane, network, { count, images, undo })
    const cluster = clusterOf(plane, nodes, stop, undo)
    await until('every node is ready', async () => (await readyNodes(cluster.client)) === count, 60_000)
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

async function startNodes(
  plane: ControlPlane,
  network: NodeNetwork,
  { count, images, undo }: { count: number; images: string[]; undo: (() => unknown)[] },
): Promise<KubeNode[]> {
  const pause = await pauseImage(installed(DIR, 'pause')!, plane.dir)
  const dns = await startDns(plane, network)
  undo.push(() => dns.kill())
  const started = await Promise.allSettled(
    Array.from({ length: count }, (_, i) =>
      startNode(plane, network, { index: i + 1, nodes: count, images: [pause, ...images] }),
    ),
  )
  const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  undo.push(() => Promise.all(nodes.map((node) => node.stop())))
  for (const one of started) if (one.status === 'rejected') throw one.reason
  routeServices(network)
  return nodes
}

async function readyNodes(client: KubeClient): Promise<number> {
  const { items } = await client.list(resources.nodes)
  const conditions = items.map(
    ({ status }) => (status as { conditions?: { type: string; status: string }[] }).conditions,
  )
  return conditions.filter((each) => each?.some(({ type, status }) => type === 'Ready' && status === 'True')).length
}

function clusterOf(
  plane: ControlPlane,
  nodes: KubeNode[],
  stop: () => Promise<void>,
  undo: (() => unknown)[],
): Kubernetes {
  const { url, ca, dir } = plane
  const configurationOf = (token: string): KubeConfiguration => ({
    server: url,
    namespace: 'default',
    tls: { ca: Buffer.from(ca) },
    authorization: async () => `Bearer ${token}`,
  })
  const clients: KubeClient[] = []
  const clientWith = (token: string): KubeClient => {
    const client = createKubeClient(configurationOf(token))
    clients.push(client)
    return client
  }
  const client = clientWith(plane.tokenOf('admin'))
  const admin = kubeTransport(configurationOf(plane.tokenOf('admin')), systemClock)
  let files = 0
  const kubeconfigFor = (token: string, namespace: string): string => {
    const file = join(dir, `kubeconfig-${files++}`)
    writeFileSync(file, kubeconfig({ url, ca, token, namespace }), { mode: 0o600 })
    return file
  }
  undo.push(() => Promise.all([...clients, admin].map((each) => each.close())))
  const manager = { manager: 'test' }
  return {
    ...plane,
    get apiServer() {
      return plane.apiServer
    },
    client,
    clientWith,
    kubeconfig: kubeconfigFor(plane.tokenOf('admin'), 'default'),
    kubeconfigFor,
    async namespace(name) {
      await client.apply(resources.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, manager)
      return name
    },
    async account(namespace, name, rules) {
      const metadata = { name, namespace }
      const rbac = 'rbac.authorization.k8s.io/v1'
      await client.apply(resources.serviceaccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata }, manager)
      // Beside a Role of the account's name that an install may have.
      const own = { name: `${name}-rights`, namespace }
      await client.apply(resources.roles, { apiVersion: rbac, kind: 'Role', metadata: own, rules }, manager)
      await client.apply(
        resources.rolebindings,
        {
          apiVersion: rbac,
          kind: 'RoleBinding',
          metadata: own,
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: own.name },
          subjects: [{ kind: 'ServiceAccount', name, namespace }],
        },
        manager,
      )
      const { status } = await admin.call(
        { verb: 'create', resource: resources.serviceaccounts, namespace, name, subresource: 'token' },
        { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } } },
      )
      return status.token
    },
    async restartApiServer({ downMs = 0 } = {}) {
      await plane.killApiServer()
      await systemClock.sleep(downMs)
      await plane.startApiServer()
    },
    nodes,
    stop,
  }
}
