/**
 * A node that really runs Pods: a network namespace with a containerd, kubelet and kube-proxy of its own, joined to the host by a bridge. Pods,
 * Services and nodes can be reached from the host. It needs Linux and root; the host's firewall and settings are left alone.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ServerProcess, startProcess } from '../process.ts'
import { debianParts, kubernetesBinaries } from './build.ts'
import { type ControlPlane, kubeconfig, type Network } from './controlPlane.ts'

/** Addresses that no other cluster of this machine has. */
export interface NodeNetwork extends Network {
  /** Distinguishes the names of what is made on the machine. */
  id: string
  /** Third number of every address. */
  octet: number
}

export interface KubeNode {
  readonly name: string
  readonly kubelet: ServerProcess
  /** Makes an image known, from a docker archive. */
  load(archive: string): void
  /** What a process in it would see of the network. @returns the command's output */
  inNetwork(command: string, ...args: string[]): string
  stop(): Promise<void>
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const attempt = (command: string, ...args: string[]): string => {
  try {
    return run(command, ...args)
  } catch {
    return ''
  }
}

/** Makes the bridge that nodes join. @throws when every address is taken */
export function makeNodeNetwork(): NodeNetwork {
  for (let tries = 0; tries < 50; tries++) {
    const octet = 1 + Math.floor(Math.random() * 250)
    const id = `v8s${octet}`
    if (attempt('ip', 'link', 'show', `${id}br`) !== '') continue
    const host = `172.30.${octet}.1`
    if (
      attempt('ip', 'link', 'add', `${id}br`, 'type', 'bridge') === '' &&
      attempt('ip', 'link', 'show', `${id}br`) === ''
    ) {
      throw new Error('a bridge cannot be made: nodes need root and CAP_NET_ADMIN')
    }
    run('ip', 'address', 'add', `${host}/24`, 'dev', `${id}br`)
    run('ip', 'link', 'set', `${id}br`, 'up')
    return { id, octet, host, services: `10.250.${octet}.0/24`, apiService: `10.250.${octet}.1` }
  }
  throw new Error('no free addresses for another cluster with nodes')
}

/** The host reaches Services by way of the first node. */
export function routeServices({ services, octet }: NodeNetwork): void {
  run('ip', 'route', 'replace', services, 'via', addressOf(octet, 1))
}

export function removeNodeNetwork({ id, services }: NodeNetwork): void {
  attempt('ip', 'route', 'del', services)
  attempt('ip', 'link', 'del', `${id}br`)
}

const podsOf = (octet: number, index: number) => `10.240.${octet}.${(index - 1) * 64}/26`
const addressOf = (octet: number, index: number) => `172.30.${octet}.${10 + index}`

/** @param index from 1 */
export async function startNode(
  plane: ControlPlane,
  network: NodeNetwork,
  { index, nodes, images }: { index: number; nodes: number; images: string[] },
): Promise<KubeNode> {
  const bin = kubernetesBinaries()
  const debian = debianParts()
  if (bin === null || debian === null) throw new Error('Kubernetes nodes are not installed: npm run servers')
  const { id, octet, host } = network
  const name = `node${index}`
  const own = `${id}n${index}`
  const dir = join(plane.dir, name)
  const address = addressOf(octet, index)
  const socket = `/run/${own}.sock`
  const netns = `/run/netns/${own}`
  for (const each of ['cni', 'kubelet', 'pods']) mkdirSync(join(dir, each), { recursive: true })
  const file = (path: string, content: unknown): string => {
    const at = join(dir, path)
    writeFileSync(at, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
    return at
  }
  const inside = (...command: string[]) => [`--net=${netns}`, ...command]
  const inNetwork = (command: string, ...args: string[]) => run('nsenter', ...inside(command, ...args))
  const libraries = readdirSync(join(debian, 'usr/lib'))
    .filter((each) => each.endsWith('-linux-gnu'))
    .map((each) => join(debian, 'usr/lib', each))
  const env = { PATH: `${join(debian, 'usr/bin')}:${join(debian, 'usr/sbin')}:${bin}:${process.env.PATH}` }

  run('ip', 'netns', 'add', own)
  run('ip', 'link', 'add', `${own}v`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', own)
  run('ip', 'link', 'set', `${own}v`, 'master', `${id}br`, 'up')
  inNetwork('ip', 'link', 'set', 'lo', 'up')
  inNetwork('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0')
  inNetwork('ip', 'link', 'set', 'eth0', 'up')
  inNetwork('ip', 'route', 'add', 'default', 'via', host)
  inNetwork('sysctl', '-qw', 'net.ipv4.ip_forward=1')
  for (let other = 1; other <= nodes; other++) {
    if (other !== index) inNetwork('ip', 'route', 'add', podsOf(octet, other), 'via', addressOf(octet, other))
  }
  run('ip', 'route', 'replace', podsOf(octet, index), 'via', address)

  const ctrArgs = [join(debian, 'usr/bin/ctr'), '--address', socket, '--namespace', 'k8s.io'] as const
  const ctr = (...args: string[]) => run(...ctrArgs, ...args)
  const attemptCtr = (...args: string[]) => attempt(...ctrArgs, ...args)
  file('cni/10-bridge.conflist', {
    cniVersion: '1.0.0',
    name: own,
    plugins: [
      {
        ...{ type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true },
        ipam: {
          ...{ type: 'host-local', dataDir: join(dir, 'cni-addresses') },
          ...{ ranges: [[{ subnet: podsOf(octet, index) }]], routes: [{ dst: '0.0.0.0/0' }] },
        },
      },
    ],
  })
  const containerd = await startProcess(
    'nsenter',
    inside(
      join(debian, 'usr/bin/containerd'),
      '--config',
      file('containerd.toml', containerdConfig({ dir, debian, own, socket })),
    ),
    { env, ready: async () => ctr('version') !== '' },
  )
  for (const image of images) ctr('images', 'import', image)

  makeCgroups(own)
  const config = file('kubelet.yaml', kubeletConfig({ own, dir, address, socket, host }))
  const kubeconfigFile = (user: string, token: string) =>
    file(`${user}.kubeconfig`, kubeconfig({ url: plane.url, ca: plane.ca, token }))
  const kubelet = await startProcess(
    'nsenter',
    inside(
      ...[
        join(bin, 'kubelet'),
        '--config',
        config,
        '--kubeconfig',
        kubeconfigFile('kubelet', plane.tokenOf(`node${index}`)),
      ],
      ...['--root-dir', join(dir, 'kubelet'), '--cert-dir', join(dir, 'kubelet/pki')],
      ...['--hostname-override', name, '--node-ip', address],
    ),
    { env, ready: async () => inNetwork('curl', '-sf', 'http://127.0.0.1:10248/healthz') === 'ok' },
  )
  const proxy = await startProcess(
    'nsenter',
    inside(
      join(bin, 'kube-proxy'),
      '--config',
      file('proxy.yaml', {
        ...{ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'nftables' },
        clientConnection: { kubeconfig: kubeconfigFile('proxy', plane.tokenOf('system:kube-proxy')) },
        ...{ hostnameOverride: name, clusterCIDR: `10.240.${octet}.0/24`, oomScoreAdj: 0 },
        ...{
          healthzBindAddress: '127.0.0.1:10256',
          metricsBindAddress: '127.0.0.1:10249',
          conntrack: { maxPerCore: 0 },
        },
      }),
    ),
    {
      env: { ...env, LD_LIBRARY_PATH: libraries.join(':') },
      ready: async () => inNetwork('curl', '-sf', 'http://127.0.0.1:10256/healthz') !== '',
    },
  )

  return {
    name,
    kubelet,
    load: (archive) => void ctr('images', 'import', archive),
    inNetwork,
    async stop() {
      await Promise.all([kubelet.kill(), proxy.kill()])
      for (const task of attemptCtr('tasks', 'ls', '-q').split('\n').filter(Boolean)) {
        attemptCtr('tasks', 'kill', '-s', 'KILL', task)
      }
      await containerd.kill()
      killShims(socket)
      unmount([dir, `/run/${own}`])
      forgetPods(own)
      attempt('ip', 'netns', 'del', own)
      attempt('ip', 'link', 'del', `${own}v`)
      attempt('ip', 'route', 'del', podsOf(octet, index))
      removeCgroups(own)
      for (const path of [`/run/${own}`, socket, `${socket}.ttrpc`]) rmSync(path, { recursive: true, force: true })
    },
  }
}

function containerdConfig({
  dir,
  debian,
  own,
  socket,
}: {
  dir: string
  debian: string
  own: string
  socket: string
}): string {
  return `version = 2
root = "${dir}/containerd"
state = "/run/${own}"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:local"
  stream_server_address = "127.0.0.1"
  # Lowering oom_score_adj needs CAP_SYS_RESOURCE, which not every root has.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${debian}/usr/lib/cni"
    conf_dir = "${dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`
}

function kubeletConfig({
  own,
  dir,
  address,
  socket,
  host,
}: {
  own: string
  dir: string
  address: string
  socket: string
  host: string
}): object {
  const most = {
    'memory.available': '100Mi',
    'nodefs.available': '1%',
    'imagefs.available': '1%',
    'nodefs.inodesFree': '1%',
  }
  return {
    ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
    ...{ failCgroupV1: false, failSwapOn: false, oomScoreAdj: 0, enforceNodeAllocatable: [] },
    ...{ cgroupDriver: 'cgroupfs', cgroupRoot: `/${own}`, cgroupsPerQOS: true },
    containerRuntimeEndpoint: `unix://${socket}`,
    ...{ address, healthzBindAddress: '127.0.0.1', readOnlyPort: 0 },
    // Only this cluster's own network reaches it.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    ...{ clusterDNS: [host], clusterDomain: 'cluster.local', resolvConf: '' },
    ...{ podLogsDir: join(dir, 'pods'), imageGCHighThresholdPercent: 100, evictionHard: most },
    nodeStatusUpdateFrequency: '4s',
  }
}

const CGROUPS = '/sys/fs/cgroup'
const unified = () => existsSync(join(CGROUPS, 'cgroup.controllers'))

/** The group that all Pods of the node are below, in every hierarchy that there is. */
function makeCgroups(own: string): void {
  if (unified()) {
    mkdirSync(join(CGROUPS, own), { recursive: true })
    return
  }
  for (const hierarchy of readdirSync(CGROUPS)) {
    if (hierarchy !== 'unified') mkdirSync(join(CGROUPS, hierarchy, own), { recursive: true })
  }
  // A new group of cpuset may use nothing until it is told.
  for (const each of ['cpuset.cpus', 'cpuset.mems']) {
    writeFileSync(join(CGROUPS, 'cpuset', own, each), readFileSync(join(CGROUPS, 'cpuset', each)))
  }
}

function removeCgroups(own: string): void {
  const remove = (dir: string): void => {
    if (!existsSync(dir)) return
    for (const each of readdirSync(dir, { withFileTypes: true })) if (each.isDirectory()) remove(join(dir, each.name))
    try {
      rmdirSync(dir)
    } catch {
      // A process that has just been killed is still in it; an empty group does no harm.
    }
  }
  const roots = unified() ? [CGROUPS] : readdirSync(CGROUPS).map((hierarchy) => join(CGROUPS, hierarchy))
  for (const root of roots) remove(join(root, own))
}

/** The shims of this node's containers: their command line names its socket. */
function killShims(socket: string): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (command[0]?.includes('containerd-shim') && command.includes(socket)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Everything mounted below `roots`, the innermost first. */
function unmount(roots: string[]): void {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => roots.some((root) => mount.startsWith(`${root}/`)))
  for (const mount of mounts.sort().reverse()) attempt('umount', '--lazy', mount)
}

/** Where the CNI library notes what it gave to whom; the network namespaces of Pods that were killed stand there. */
const CNI_RESULTS = '/var/lib/cni/results'

function forgetPods(own: string): void {
  for (const file of existsSync(CNI_RESULTS) ? readdirSync(CNI_RESULTS) : []) {
    if (!file.startsWith(`${own}-`)) continue
    const { result } = JSON.parse(readFileSync(join(CNI_RESULTS, file), 'utf8')) as {
      result?: { interfaces?: { sandbox?: string }[] }
    }
    for (const { sandbox } of result?.interfaces ?? []) {
      if (sandbox) attempt('ip', 'netns', 'del', sandbox.slice(sandbox.lastIndexOf('/') + 1))
    }
    rmSync(join(CNI_RESULTS, file))
  }
}
