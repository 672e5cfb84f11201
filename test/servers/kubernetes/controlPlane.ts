/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine, on free loopback ports. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '../../certificate.ts'
import { freePorts, type ServerProcess, startProcess } from '../process.ts'
import { apiOnly, controlPlane, kubernetesBinaries } from './build.ts'

/** Where nodes and Pods reach it; without: loopback only. */
export interface Network {
  /** The address that the API server listens at. */
  host: string
  /** Addresses of Services; the first is the API server's own. */
  services: string
  apiService: string
}

export interface ControlPlane {
  readonly dir: string
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** The token of a user by name, to be written into a kubeconfig. */
  tokenOf(user: keyof typeof users | `node${number}`): string
  readonly apiServer: ServerProcess
  /** kill -9. */
  killApiServer(): Promise<void>
  startApiServer(): Promise<void>
  killEtcd(): Promise<void>
  startEtcd(): Promise<void>
  stop(): Promise<void>
}

const users = {
  admin: 'system:masters',
  'system:kube-controller-manager': '',
  'system:kube-scheduler': '',
  'system:kube-proxy': '',
} as const

export interface ControlPlaneOptions {
  /** False: without controller-manager and scheduler: objects are kept, and nothing is done about them. */
  controllers?: boolean
  network?: Network
  /** How many node users there are. */
  nodes?: number
  apiServerFlags?: string[]
  controllerManagerFlags?: string[]
}

const LOOPBACK: Network = { host: '127.0.0.1', services: '10.96.0.0/16', apiService: '10.96.0.1' }

export async function startControlPlane({
  controllers = true,
  network = LOOPBACK,
  nodes = 0,
  apiServerFlags = [],
  controllerManagerFlags = [],
}: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const bin = kubernetesBinaries(controllers ? controlPlane : apiOnly)
  if (bin === null) throw new Error('Kubernetes is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-kubernetes-'))
  const [api = 0, etcdClient, etcdPeer, managerPort, schedulerPort] = await freePorts(5)
  const { host } = network
  const url = `https://${host}:${api}`
  const file = (name: string, text: string): string => {
    const path = join(dir, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  // One certificate, its own authority; who is who is said by tokens.
  const { cert, key } = makeCertificate('kube-apiserver', { addresses: [host, network.apiService] })
  const [certFile, keyFile] = [file('apiserver.crt', cert), file('apiserver.key', key)]
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const accountKey = file('sa.key', privateKey.export({ type: 'sec1', format: 'pem' }).toString())
  const accountPublic = file('sa.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString())
  const tokens = new Map<string, string>()
  const nodeUsers = Array.from({ length: nodes }, (_, i) => [`node${i + 1}`, 'system:nodes'] as const)
  for (const [user] of [...Object.entries(users), ...nodeUsers]) tokens.set(user, randomBytes(16).toString('hex'))
  const tokenOf = (user: string) => tokens.get(user) as string
  const tokenFile = file(
    'tokens.csv',
    [...Object.entries(users), ...nodeUsers]
      .map(([user, groups]) => {
        const name = user.startsWith('node') ? `system:node:${user}` : user
        return `${tokenOf(user)},${name},${name}${groups === '' ? '' : `,"${groups}"`}\n`
      })
      .join(''),
  )
  const kubeconfigOf = (user: string) =>
    file(`${user.replace('system:', '')}.kubeconfig`, kubeconfig({ url, ca: cert, token: tokenOf(user) }))

  const startEtcd = () => {
    const [client, peer] = [`http://127.0.0.1:${etcdClient}`, `http://127.0.0.1:${etcdPeer}`]
    return startProcess(
      join(bin, 'etcd'),
      [
        ...['--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
      ],
      { ready: () => fetch(`${client}/health`).then(({ ok }) => ok) },
    )
  }
  const startApiServer = () =>
    startProcess(
      join(bin, 'kube-apiserver'),
      [
        ...['--etcd-servers', `http://127.0.0.1:${etcdClient}`],
        ...['--bind-address', host, '--secure-port', `${api}`],
        // It may not advertise loopback; without nodes nobody uses this address.
        ...['--advertise-address', host === '127.0.0.1' ? '192.0.2.254' : host],
        ...['--tls-cert-file', certFile, '--tls-private-key-file', keyFile],
        ...['--token-auth-file', tokenFile, '--authorization-mode', 'Node,RBAC', '--allow-privileged'],
        ...['--enable-admission-plugins', 'NodeRestriction'],
        ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local'],
        ...['--service-account-key-file', accountPublic, '--service-account-signing-key-file', accountKey],
        ...['--service-cluster-ip-range', network.services, '--kubelet-preferred-address-types', 'InternalIP'],
        ...apiServerFlags,
      ],
      { ready: () => isReady(url, cert, tokenOf('admin')) },
    )

  let etcd = await startEtcd()
  let apiServer = await startApiServer()
  const others: ServerProcess[] = []
  const stop = async () => {
    await Promise.all(others.map((process) => process.kill()))
    await Promise.all([apiServer.kill(), etcd.kill()])
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    if (controllers) {
      const flags = (user: string, port: number | undefined) => {
        const path = kubeconfigOf(user)
        mkdirSync(join(dir, user.replace('system:', '')))
        return [
          ...['--kubeconfig', path, '--authentication-kubeconfig', path, '--authorization-kubeconfig', path],
          ...['--bind-address', '127.0.0.1', '--secure-port', `${port}`, '--leader-elect=false'],
          ...['--cert-dir', join(dir, user.replace('system:', '')), '--authentication-tolerate-lookup-failure'],
          // With the defaults the first ServiceAccounts take six seconds.
          ...['--kube-api-qps', '500', '--kube-api-burst', '1000'],
        ]
      }
      const up = (port: number | undefined) => () => reachable(`https://127.0.0.1:${port}/healthz`)
      others.push(
        await startProcess(
          join(bin, 'kube-controller-manager'),
          [
            ...flags('system:kube-controller-manager', managerPort),
            ...['--use-service-account-credentials', '--service-account-private-key-file', accountKey],
            ...['--root-ca-file', certFile, ...controllerManagerFlags],
          ],
          { ready: up(managerPort) },
        ),
      )
      others.push(
        await startProcess(join(bin, 'kube-scheduler'), flags('system:kube-scheduler', schedulerPort), {
          ready: up(schedulerPort),
        }),
      )
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    dir,
    url,
    ca: cert,
    tokenOf,
    get apiServer() {
      return apiServer
    },
    killApiServer: () => apiServer.kill(),
    async startApiServer() {
      apiServer = await startApiServer()
    },
    killEtcd: () => etcd.kill(),
    async startEtcd() {
      etcd = await startEtcd()
    },
    stop,
  }
}

/** The text of a kubeconfig with one user. */
export function kubeconfig({
  url,
  ca,
  token,
  namespace = 'default',
}: {
  url: string
  ca: string
  token: string
  namespace?: string
}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace } }],
    'current-context': 'test',
  })
}

function isReady(url: string, ca: string, token: string): Promise<boolean> {
  return reachable(`${url}/readyz`, { ca, headers: { authorization: `Bearer ${token}` } })
}

function reachable(url: string, options: { ca?: string; headers?: Record<string, string> } = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const { ca } = options
    const call = request(url, { ...options, rejectUnauthorized: ca !== undefined, timeout: 2_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('error', () => resolve(false))
    call.on('timeout', () => call.destroy())
    call.end()
  })
}
