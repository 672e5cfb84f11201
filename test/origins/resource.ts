/** A kube-apiserver for tests of delivery, an object per message. */

import { resources } from '../../src/kube/resources.ts'
import { dataOf } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { startKubernetes } from '../servers/kubernetes.ts'
import type { DeliveryAdapter } from './broker.ts'
import type { ContractAdapter, Share } from './suites.ts'
import { looked } from './suites.ts'

export const resourceAdapter = (): DeliveryAdapter => ({
  type: 'resource',
  guarantee: 'exactly-once',
  skip: without('Kubernetes', kubernetesBinaries(apiOnly)),
  numberOf: (line) => Number(dataOf(line).body.metadata.name.slice('n'.length)),
  async start() {
    const cluster = await startKubernetes({ controllers: false })
    const namespace = await cluster.namespace('numbers')
    const make = (n: number) =>
      cluster.client.apply(
        resources.configmaps,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `n${n}`, namespace } },
        { manager: 'test' },
      )
    return {
      spec: `version: v1\nresource: configmaps\nnamespace: ${namespace}\neventTypes: [ADD]`,
      env: { KUBECONFIG: cluster.kubeconfig },
      async send(texts) {
        // What is there already stays as it is.
        for (const text of texts) await make(JSON.parse(text).n)
      },
      restart: () => cluster.restartApiServer(),
      close: () => cluster.stop(),
    }
  },
})

export const delivery = () => [resourceAdapter()]

/** One control plane for the tests of a file. */
async function apiServer() {
  const cluster = await startKubernetes({ controllers: false })
  return Object.assign(cluster, { close: () => cluster.stop() })
}

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(apiServer)
  return [
    {
      skip: without('Kubernetes', kubernetesBinaries(apiOnly)),
      async setUp(_, name) {
        const { client, kubeconfig, namespace: make } = await server()
        process.env.KUBECONFIG = kubeconfig
        const namespace = await make(name.toLowerCase())
        let n = 0
        return {
          spec: { version: 'v1', resource: 'configmaps', namespace, eventTypes: ['ADD'], filter: { prefix: 'n' } },
          ready: looked,
          provoke: () =>
            client.apply(
              resources.configmaps,
              { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `n${n++}`, namespace } },
              { manager: 'test' },
            ),
        }
      },
    },
  ]
}
