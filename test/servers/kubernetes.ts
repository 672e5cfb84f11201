/** A Kubernetes cluster of this machine's own: the real binaries, alone (no nodes) or with nodes that really run Pods. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts'
import type { KubeConfiguration } from '../../src/kube/configuration.ts'
import { resources } from '../../src/kube/resources.ts'
import { kubeTransport } from '../../src/kube/transport.ts'
import {
  type ControlPlane,
  type ControlPlaneOptions,
  kubeconfig,
  startControlPlane,
} from './kubernetes/controlPlane.ts'

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
}

export interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
  resourceNames?: string[]
}

/** For tests of objects and Leases alone; nothing runs. @throws when Kubernetes is not installed */
export async function startKubernetes(options: ControlPlaneOptions = {}): Promise<Kubernetes> {
  const plane = await startControlPlane(options)
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
      await client.apply(resources.roles, { apiVersion: rbac, kind: 'Role', metadata, rules }, manager)
      await client.apply(
        resources.rolebindings,
        {
          apiVersion: rbac,
          kind: 'RoleBinding',
          metadata,
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
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
    async stop() {
      await Promise.all([...clients, admin].map((each) => each.close()))
      await plane.stop()
    },
  }
}
