import { suite } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { kubernetesLock, leaseName } from '../../src/ha/locks/kubernetes-lease.ts'
import { type PeerLink, peerLink } from '../../src/ha/peers/peer-link.ts'
import { listenForPeers } from '../../src/ha/peers/peer-listener.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { startKubernetes } from '../servers/kubernetes.ts'
import { lockContract } from './lock.ts'

suite('Kubernetes', { skip: without('Kubernetes', kubernetesBinaries(apiOnly)) }, () => {
  lockContract('Kubernetes Lease, with the three verbs that upstream needs', async () => {
    const cluster = await startKubernetes({ controllers: false })
    const namespace = await cluster.namespace('contract')
    const token = await cluster.account(namespace, 'eventsource', [
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
    ])
    const links: PeerLink[] = []
    return {
      async open(key) {
        const client = cluster.clientWith(token)
        const name = leaseName(key.split('/')[1] ?? '')
        const [lease, clock] = [`${namespace}/${name}`, systemClock]
        const listener = await listenForPeers({ host: '127.0.0.1', port: 0, lease, clock, log: silentLogger })
        const peer = () => listener.address
        const lock = kubernetesLock({ client, namespace, name, clock, timeoutMs: 2_000, peer })
        const link = peerLink({ lock, listener, lease, pollMs: 250, clock, log: silentLogger })
        links.push(link)
        return { lock: link.lock, suspicion: link, watches: () => link.linked, kill: async () => link.close() }
      },
      async close() {
        for (const link of links) link.close()
        await cluster.stop()
      },
    }
  })
})
