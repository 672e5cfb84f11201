/** MinIO, built by Go. Later versions send no notifications to listeners (their response writer lacks Flush). */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'

export const MINIO_VERSION = 'v0.0.0-20250907161309-07c3a429bfed'
const DIR = `minio-${MINIO_VERSION.split('-')[1]}`

export const minioBinary = () => installed(DIR, 'minio')

/** @throws when Go is missing or the build fails */
export function installMinio(): void {
  const dir = join(serversDir(), DIR)
  mkdirSync(dir, { recursive: true })
  execFileSync('go', ['install', `github.com/minio/minio@${MINIO_VERSION}`], {
    env: { ...process.env, GOBIN: dir },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

export const MINIO_USER = 'testuser'
export const MINIO_PASSWORD = 'testpassword'

export interface MinioServer {
  /** `127.0.0.1:<port>` */
  readonly endpoint: string
  readonly server: ServerProcess
  /** Graceful stop and start on the same port and data. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function startMinio(): Promise<MinioServer> {
  const binary = minioBinary()
  if (binary === null) throw new Error('MinIO is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-minio-'))
  const [port] = (await freePorts(1)) as [number]
  const env = {
    MINIO_ROOT_USER: MINIO_USER,
    MINIO_ROOT_PASSWORD: MINIO_PASSWORD,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
    MINIO_CALLHOME_ENABLE: 'off',
    HOME: dir,
  }
  const args = [
    'server',
    '--address',
    `127.0.0.1:${port}`,
    '--console-address',
    '127.0.0.1:0',
    '--quiet',
    join(dir, 'data'),
  ]
  const ready = async () =>
    await fetch(`http://127.0.0.1:${port}/minio/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
  const start = () => startProcess(binary, args, { ready, env })
  let server = await start()
  return {
    endpoint: `127.0.0.1:${port}`,
    get server() {
      return server
    },
    async restart() {
      await server.stop()
      server = await start()
    },
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}
