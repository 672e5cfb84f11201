/** nats-server: the newest (built by Go) and Debian's 2.9, alone or as a cluster. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { unpackDebian } from './debian.ts'
import { answers, freePorts, type ServerProcess, startProcess } from './process.ts'

export const NATS_VERSION = '2.15.2'

export function natsBinary(line: 'newest' | 'debian'): string | null {
  return line === 'newest'
    ? installed(`nats-${NATS_VERSION}`, 'nats-server')
    : installed('nats-debian', 'usr', 'sbin', 'nats-server')
}

/** Builds the newest with Go. @throws when Go is missing or the build fails */
export function installNats(): void {
  const dir = join(serversDir(), `nats-${NATS_VERSION}`)
  mkdirSync(dir, { recursive: true })
  execFileSync('go', ['install', `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`], {
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
  /** Starts it again on the same port and data after a kill or stop. @param config other further lines from now on */
  restart(config?: string): Promise<NatsServer>
}

export interface NatsOptions {
  line?: 'newest' | 'debian'
  /** Nodes of the cluster; 1: no cluster. */
  nodes?: number
  /** Further lines of server configuration, the same for all; `$DIR` is the place of `files`. */
  config?: string
  files?: Record<string, string>
  /** A free port for the first node; any by default. */
  port?: number
}

/** Starts one server or a cluster, with JetStream on file storage. `close` removes everything. */
export async function startNats({
  line = 'newest',
  nodes = 1,
  config = '',
  files = {},
  port,
}: NatsOptions = {}): Promise<{
  servers: NatsServer[]
  urls: string[]
  close(): Promise<void>
}> {
  const binary = natsBinary(line)
  if (binary === null) throw new Error('nats-server is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-nats-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const ports = await freePorts(nodes * 2)
  const clients = ports.slice(0, nodes)
  if (port !== undefined) clients[0] = port
  const routes = ports.slice(nodes).map((port) => `nats://127.0.0.1:${port}`)

  const start = async (index: number, lines: string): Promise<NatsServer> => {
    const file = join(dir, `n${index}.conf`)
    const cluster = `cluster { name: C, listen: "127.0.0.1:${ports[nodes + index]}", routes: [${routes.map((route) => `"${route}"`).join(', ')}] }`
    writeFileSync(
      file,
      `server_name: n${index}\nlisten: "127.0.0.1:${clients[index]}"\njetstream { store_dir: "${join(dir, `n${index}`)}" }\n${nodes > 1 ? cluster : ''}\n${lines.replaceAll('$DIR', dir)}\n`,
    )
    const server = await startProcess(binary, ['-c', file], { ready: () => answers(clients[index]!, '', () => true) })
    return {
      ...server,
      index,
      port: clients[index]!,
      url: `nats://127.0.0.1:${clients[index]}`,
      restart: (changed = lines) => restart(index, changed),
    }
  }
  const servers: NatsServer[] = []
  const restart = async (index: number, lines = config): Promise<NatsServer> => {
    const server = await start(index, lines)
    servers[index] = server
    return server
  }
  await Promise.all(clients.map((_, index) => restart(index)))
  return {
    servers,
    urls: clients.map((port) => `nats://127.0.0.1:${port}`),
    async close() {
      await Promise.all(servers.map((server) => server.kill()))
      if (existsSync(dir)) rmSync(dir, { recursive: true, force: true })
    },
  }
}
