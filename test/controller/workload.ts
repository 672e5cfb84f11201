/** On a cluster that runs nothing: what the controllers of Deployments and the kubelet would write, told by a test. */
import type { KubeClient } from '../../src/kube/client.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import type { Plain } from './rig.ts'

const owner = ({ apiVersion, kind, metadata: { name, uid } }: KubeObject) => ({
  ...{ apiVersion, kind, name, uid: uid! },
  ...{ controller: true, blockOwnerDeletion: true },
})

export interface Workload {
  /** The ReplicaSet of the Deployment's template as it is, and a Pod for each status. @returns the names of the Pods */
  rollOut(namespace: string, deployment: string, hash: string, statuses: object[]): Promise<string[]>
  /** What the Deployment says of itself; its generation counts as seen unless `status` says otherwise. */
  report(namespace: string, deployment: string, status: object): Promise<void>
}

export const PodReady = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

export function workloadOf(admin: KubeClient): Workload {
  const deploymentOf = async (namespace: string, name: string) =>
    (await admin.get(resources.deployments, { namespace, name })) as Plain as KubeObject & Plain
  return {
    async rollOut(namespace, name, hash, statuses) {
      const deployment = await deploymentOf(namespace, name)
      const { selector, template } = deployment.spec
      const labels = { ...template.metadata.labels, 'pod-template-hash': hash }
      const metadata = { ...template.metadata, labels }
      const set = await admin.create(resources.replicasets, {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name: `${name}-${hash}`, namespace, labels, ownerReferences: [owner(deployment)] },
        spec: {
          replicas: statuses.length,
          selector: { matchLabels: { ...selector.matchLabels, 'pod-template-hash': hash } },
          template: { ...template, metadata },
        },
      })
      const names: string[] = []
      for (const [i, status] of statuses.entries()) {
        const podName = `${name}-${hash}-${i}`
        const head = { name: podName, namespace, labels, ownerReferences: [owner(set)] }
        const containers = [{ name: 'main', image: 'x' }]
        const pod = { apiVersion: 'v1', kind: 'Pod', metadata: head, spec: { containers } }
        await admin.create(resources.pods, pod as KubeObject)
        const place = { name: podName, namespace }
        const told = { apiVersion: 'v1', kind: 'Pod', metadata: place, status }
        await admin.applyStatus(resources.pods, told, { manager: 'kubelet' })
        names.push(podName)
      }
      return names
    },
    async report(namespace, name, status) {
      const { metadata } = await deploymentOf(namespace, name)
      const told = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace },
        status: { observedGeneration: metadata.generation, ...status },
      }
      await admin.applyStatus(resources.deployments, told, { manager: 'deployments' })
    },
  }
}
