/** The election of a Pod's EventSource by a Kubernetes Lease. */
import { networkInterfaces } from 'node:os'
import type { Election } from '../buses/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { LeaseTiming } from '../ha/lock.ts'
import { kubernetesLock, leaseName } from '../ha/locks/kubernetes-lease.ts'
import { leaseOutsiders } from '../ha/peers/lease-outsiders.ts'
import { peerLink } from '../ha/peers/peer-link.ts'
import { listenForPeers, PEER_PORT } from '../ha/peers/peer-listener.ts'
import { createKubeClient, type KubeClient } from '../kube/client.ts'
import { kubeConfiguration } from '../kube/configuration.ts'

export interface LeaseElectionOptions {
  source: { namespace: string; name: string }
  timing: LeaseTiming
  /** An address of this process that the other replicas can reach. */
  host: string
  /** Ports that this process wants for something else. */
  taken: ReadonlySet<number>
  clock: Clock
  log: Logger
}

/** Never throws for what waiting or an administrator can mend: that is told by the lock, again and again. */
export async function leaseElection({
  source,
  timing,
  host,
  taken,
  clock,
  log,
}: LeaseElectionOptions): Promise<Election> {
  const { namespace } = source
  const name = leaseName(source.name)
  const lease = `${namespace}/${name}`
  const client = connectedLater(clock)
  const listener = await listenForPeers({ host, port: taken.has(PEER_PORT) ? 0 : PEER_PORT, lease, clock, log })
  const peer = () => listener.address
  const lock = kubernetesLock({ client, namespace, name, clock, peer, timeoutMs: timing.renewDeadlineMs })
  const outsiders = leaseOutsiders({ lock, lease, clock })
  const link = peerLink({ lock: outsiders.lock, listener, lease, pollMs: timing.retryMs, clock, log })
  return {
    ...{ lock: link.lock, suspicions: [link], outsiders, timing },
    close() {
      link.close()
      outsiders.close()
      void client.close()
    },
  }
}

/** A client whose configuration is looked for at each call until there is one: a Pod that lacks its token does not end. */
function connectedLater(clock: Clock): Pick<KubeClient, 'get' | 'create' | 'update' | 'close'> {
  let client: KubeClient | null = null
  const connected = async (): Promise<KubeClient> => {
    client ??= createKubeClient(await kubeConfiguration({ clock }), clock)
    return client
  }
  return {
    get: async (...call) => (await connected()).get(...call),
    create: async (...call) => (await connected()).create(...call),
    update: async (...call) => (await connected()).update(...call),
    close: async () => client?.close(),
  }
}

/** The Pod's address: that it binds, if it binds one; else `POD_IP`; else the first that is not loopback. */
export function reachableAddress(bind: string, podIp: string | undefined): string {
  if (bind !== '::' && bind !== '0.0.0.0') return bind
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return podIp ?? all.find(({ internal }) => !internal)?.address ?? '127.0.0.1'
}
