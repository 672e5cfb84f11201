/** MinIO, built by Go. Later versions send no notifications to listeners (their response writer lacks Flush). */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { installed, serversDir } from './cache.ts'
import { directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

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

export interface MinioServer extends LastingServer {
  /** `127.0.0.1:<port>` */
  readonly endpoint: string
}

/** @param tls speaks HTTPS with this certificate */
export async function startMinio({ tls }: { tls?: { cert: string; key: string } } = {}): Promise<MinioServer> {
  const binary = minioBinary()
  if (binary === null) throw new Error('MinIO is not installed: npm run servers')
  const dir = directoryFor('minio')
  const [port] = (await freePorts(1)) as [number]
  const certs = join(dir, 'certs')
  mkdirSync(certs)
  if (tls !== undefined) {
    writeFileSync(join(certs, 'public.crt'), tls.cert)
    writeFileSync(join(certs, 'private.key'), tls.key, { mode: 0o600 })
  }
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
    '--certs-dir',
    certs,
    join(dir, 'data'),
  ]
  const trusting = new Agent({ connect: { rejectUnauthorized: false } })
  // A bucket that is not there: 503 while it still gets ready, however healthy it says it is.
  const url = `http${tls === undefined ? '' : 's'}://127.0.0.1:${port}/vedette-ready`
  const ready = async () => {
    try {
      const { statusCode, body } = await request(url, { dispatcher: trusting })
      await body.dump()
      return statusCode === 403 || statusCode === 404
    } catch {
      return false
    }
  }
  const start = () => startProcess(binary, args, { ready, env })
  return Object.assign(await startLasting(dir, start, { beside: () => trusting.destroy() }), {
    endpoint: `127.0.0.1:${port}`,
  })
}
