/** redis-server of Debian, without persistence. */
import { installed } from './cache.ts'
import { debianLibraries, unpackDebian } from './debian.ts'
import { answers, directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

const DIR = 'redis-debian'

export const redisBinary = () => installed(DIR, 'usr', 'bin', 'redis-server')
export const installRedis = () => unpackDebian(DIR, 'redis-server')

export interface RedisServer extends LastingServer {
  readonly port: number
}

/** @param args further arguments, such as `--requirepass` and its value; with TLS the port that is used is `tls.port` */
export async function startRedis({ args = [] }: { args?: string[] } = {}): Promise<RedisServer> {
  const binary = redisBinary()
  if (binary === null) throw new Error('redis-server is not installed: npm run servers')
  const dir = directoryFor('redis')
  const [port] = (await freePorts(1)) as [number]
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  const start = () =>
    startProcess(binary, [...fixed, ...args], {
      // Without a password an error is an answer too.
      ready: () => answers(port, 'PING\r\n', () => true),
      env: debianLibraries(DIR),
    })
  return Object.assign(await startLasting(dir, start), {
    port,
  })
}
