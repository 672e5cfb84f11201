/** nats-server: the newest, the last and the first of those that Argo Events has used (built by Go), and Debian's 2.9, alone or as a cluster. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installed, serversDir } from './cache.ts'
import { unpackDebian } from './debian.ts'
import { answers, freePorts, type ServerProcess, startProcess } from './process.ts'

export const NATS_VERSION = '2.15.2'

/** `argo`: what Argo Events' `latest` is; `oldest`: the oldest that its `version` may name. */
export type NatsLine = 'newest' | 'argo' | 'oldest' | 'debian'
export const natsBuilt = { newest: NATS_VERSION, argo: '2.10.29', oldest: '2.8.1' } as const

export function natsBinary(line: NatsLine): string | null {
  return line === 'debian'
    ? installed('nats-debian', 'usr', 'sbin', 'nats-server')
    : installed(`nats-${natsBuilt[line]}`, 'nats-server')
}

/** Builds one with Go. @throws when Go is missing or the build fails */
export function installNats(line: keyof typeof natsBuilt): void {
  const dir = join(serversDir(), `nats-${natsBuilt[line]}`)
  mkdirSync(dir, { recursive: true })
  execFileSync('go', ['install', `github.com/nats-io/nats-server/v2@v${natsBuilt[line]}`], {
    env: { ...process.env, GOBIN: dir },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** Unpacks Debian's package into the cache: nothing is installed on the machine. */
export const installDebianNats = () => unpackDebian('nats-debian', 'nats-server')

export interface NatsServer extends ServerProcess {
  readonly url: string
  readonly port: number
  readonly index: number
  /** Starts it again on the same port and data after a kill or stop, from now on with what is given. */
  restart(config?: string, other?: { line?: NatsLine; jetstream?: string }): Promise<NatsServer>
  /** `nats-server --signal`: `ldm` lets clients go, then ends; `reload` reads the configuration anew. */
  signal(command: 'ldm' | 'reload'): Promise<void>
}

export interface NatsServers {
  /** By index; each as it was started last. */
  readonly servers: NatsServer[]
  readonly urls: string[]
  /** Other further lines of configuration for all, from now on and after a restart too. */
  configure(config: string): Promise<void>
  close(): Promise<void>
}

export interface NatsOptions {
  line?: NatsLine
  /** Nodes of the cluster; 1: no cluster. */
  nodes?: number
  /** Further lines of server configuration, the same for all; `$DIR` is the place of `files`. */
  config?: string
  /** Further lines of the block `jetstream`. */
  jetstream?: string
  files?: Record<string, string>
  /** A free port for the first node; any by default. */
  port?: number
  /** The address that clients use; loopback by default. */
  host?: string
  /** Whether clients learn the addresses of the other servers; not when they are to come through proxies. */
  advertise?: boolean
}

/** Starts one server or a cluster, with JetStream on file storage. `close` removes everything. */
export async function startNats({
  line = 'newest',
  nodes = 1,
  config = '',
  jetstream = '',
  files = {},
  port,
  host = '127.0.0.1',
  advertise = true,
}: NatsOptions = {}): Promise<NatsServers> {
  const binaryOf = (line: NatsLine): string => {
    const binary = natsBinary(line)
    if (binary === null) throw new Error(`nats-server (${line}) is not installed: npm run servers`)
    return binary
  }
  const first = binaryOf(line)
  const dir = mkdtempSync(join(tmpdir(), 'vedette-nats-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const ports = await freePorts(nodes * 2)
  const clients = ports.slice(0, nodes)
  if (port !== undefined) clients[0] = port
  const routes = ports.slice(nodes).map((port) => `nats://127.0.0.1:${port}`)
  const urls = clients.map((port) => `nats://${host}:${port}`)
  const further = clients.map(() => config)
  const block = clients.map(() => jetstream)

  const fileOf = (index: number) => join(dir, `n${index}.conf`)
  const writeConfig = (index: number) => {
    const cluster = `cluster { name: C, listen: "127.0.0.1:${ports[nodes + index]}", no_advertise: ${!advertise}, routes: [${routes.map((route) => `"${route}"`).join(', ')}] }`
    writeFileSync(
      fileOf(index),
      `server_name: n${index}\nlisten: "${host}:${clients[index]}"\njetstream { store_dir: "${join(dir, `n${index}`)}"\n${block[index]}\n}\n${nodes > 1 ? cluster : ''}\n${further[index]!.replaceAll('$DIR', dir)}\n`,
    )
  }
  const start = async (index: number, binary = first): Promise<NatsServer> => {
    writeConfig(index)
    const server = await startProcess(binary, ['-c', fileOf(index)], {
      ready: () => answers(clients[index]!, '', () => true, host),
    })
    return {
      ...server,
      index,
      port: clients[index]!,
      url: urls[index]!,
      async restart(changed, { line, jetstream = block[index]! } = {}) {
        if (changed !== undefined) further[index] = changed
        block[index] = jetstream
        servers[index] = await start(index, line === undefined ? binary : binaryOf(line))
        return servers[index]
      },
      async signal(command) {
        await promisify(execFile)(binary, ['--signal', `${command}=${server.pid}`])
      },
    }
  }
  const servers = await Promise.all(clients.map((_, index) => start(index)))
  return {
    servers,
    urls,
    async configure(changed) {
      further.fill(changed)
      for (const { index, signal } of servers) {
        writeConfig(index)
        await signal('reload')
      }
    },
    async close() {
      await Promise.all(servers.map((server) => server.kill()))
      if (existsSync(dir)) rmSync(dir, { recursive: true, force: true })
    },
  }
}
