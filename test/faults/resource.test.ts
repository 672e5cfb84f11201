/** A kube-apiserver, an object per message: see delivery.ts. */
import { resources } from '../../src/kube/resources.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { startKubernetes } from '../servers/kubernetes.ts'
import { deliveryContract } from './delivery.ts'
import { dataOf } from './rig.ts'

deliveryContract({
  type: 'resource',
  guarantee: 'exactly-once',
  skip: without('Kubernetes', kubernetesBinaries(apiOnly)),
  numberOf: (line) => Number(dataOf(line).body.metadata.name.slice('n'.length)),
  async start() {
    const cluster = await startKubernetes({ controllers: false })
    process.env.KUBECONFIG = cluster.kubeconfig
    const namespace = await cluster.namespace('numbers')
    const make = (n: number) =>
      cluster.client.apply(
        resources.configmaps,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `n${n}`, namespace } },
        { manager: 'test' },
      )
    return {
      spec: `version: v1\nresource: configmaps\nnamespace: ${namespace}\neventTypes: [ADD]`,
      async send(texts) {
        // What is there already stays as it is.
        for (const text of texts) await make(JSON.parse(text).n)
      },
      restart: () => cluster.restartApiServer(),
      async close() {
        delete process.env.KUBECONFIG
        await cluster.stop()
      },
    }
  },
})
