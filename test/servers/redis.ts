/** redis-server of Debian, without persistence. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed } from './cache.ts'
import { debianLibraries, unpackDebian } from './debian.ts'
import { answers, freePorts, type ServerProcess, startProcess } from './process.ts'

const DIR = 'redis-debian'

export const redisBinary = () => installed(DIR, 'usr', 'bin', 'redis-server')
export const installRedis = () => unpackDebian(DIR, 'redis-server')

export interface RedisServer {
  readonly port: number
  readonly server: ServerProcess
  /** Graceful stop and start on the same port. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** @param args further arguments, such as `--requirepass` and its value; with TLS the port that is used is `tls.port` */
export async function startRedis({ args = [] }: { args?: string[] } = {}): Promise<RedisServer> {
  const binary = redisBinary()
  if (binary === null) throw new Error('redis-server is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-redis-'))
  const [port] = (await freePorts(1)) as [number]
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  const start = () =>
    startProcess(binary, [...fixed, ...args], {
      // Without a password an error is an answer too.
      ready: () => answers(port, 'PING\r\n', () => true),
      env: debianLibraries(DIR),
    })
  let server = await start()
  return {
    port,
    get server() {
      return server
    },
    async restart() {
      await server.stop()
      server = await start()
    },
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
