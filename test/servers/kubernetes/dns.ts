/** The cluster's DNS: CoreDNS on the host's end of the nodes' bridge. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed } from '../cache.ts'
import { type ServerProcess, startProcess } from '../process.ts'
import { DIR } from './build.ts'
import { type ControlPlane, kubeconfig, type Network } from './controlPlane.ts'

export async function startDns(plane: ControlPlane, { host }: Network): Promise<ServerProcess> {
  const binary = installed(DIR, 'coredns')
  if (binary === null) throw new Error('CoreDNS is not installed: npm run servers')
  const [config, file] = [join(plane.dir, 'dns.kubeconfig'), join(plane.dir, 'Corefile')]
  writeFileSync(config, kubeconfig({ url: plane.url, ca: plane.ca, token: plane.tokenOf('admin') }), { mode: 0o600 })
  // Names of outside do not exist: the Pods have no way out anyhow.
  writeFileSync(
    file,
    `cluster.local in-addr.arpa {
  bind ${host}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${config}
    ttl 1
  }
}
. {
  bind ${host}
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`,
  )
  return await startProcess(binary, ['-conf', file], { ready: async (dns) => dns.output().includes('CoreDNS-') })
}
