/** LocalStack 4.4 in host mode: SNS that confirms and signs, and SQS. No Docker, no account, no token. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'

/** Newer versions need an account's token or a newer Python. */
export const LOCALSTACK_VERSION = '4.4.0'
const folder = `localstack-${LOCALSTACK_VERSION}`
const requirements = join(import.meta.dirname, 'localstack', 'requirements.txt')

export function localstackPython(): string | null {
  return installed(folder, 'installed') === null ? null : installed(folder, 'bin', 'python')
}

/** A virtual environment with the versions of `localstack/requirements.txt`. @throws when Python or a package is missing */
export function installLocalstack(): void {
  const dir = join(serversDir(), folder)
  const stdio: ['ignore', 'inherit', 'inherit'] = ['ignore', 'inherit', 'inherit']
  execFileSync('python3', ['-m', 'venv', dir], { stdio })
  execFileSync(join(dir, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements], { stdio })
  // An installation that was cut off has no such mark, and is done again.
  execFileSync('touch', [join(dir, 'installed')])
}

export interface AwsServer extends ServerProcess {
  /** The endpoint of every AWS service it has. */
  readonly url: string
  readonly port: number
  /** Kills it and removes its data. */
  close(): Promise<void>
}

/** In memory: a restart has lost everything. @param port the port to take; any free one by default */
export async function startLocalstack(port?: number): Promise<AwsServer> {
  const python = localstackPython()
  if (python === null) throw new Error('LocalStack is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-localstack-'))
  port ??= (await freePorts(1))[0]!
  const address = `127.0.0.1:${port}`
  const url = `http://${address}`
  const server = await startProcess(python, ['-m', 'localstack.runtime.main'], {
    cwd: dir,
    env: {
      LOCALSTACK_HOST: address,
      GATEWAY_LISTEN: address,
      // The default gateway listens on every address.
      GATEWAY_SERVER: 'hypercorn',
      SERVICES: 'sns,sqs',
      STRICT_SERVICE_LOADING: '1',
      EAGER_SERVICE_LOADING: '0',
      SQS_ENDPOINT_STRATEGY: 'path',
      USE_SSL: '0',
      LOCALSTACK_VOLUME_DIR: dir,
      FILESYSTEM_ROOT: join(dir, 'fs'),
      DISABLE_EVENTS: '1',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DNS_ADDRESS: '0',
      OVERRIDE_IN_DOCKER: '0',
      DEBUG: '0',
      XDG_CACHE_HOME: join(dir, 'cache'),
      HOME: dir,
    },
    ready: async () => (await fetch(`${url}/_localstack/health`, { signal: AbortSignal.timeout(5000) })).ok,
    timeoutMs: 180_000,
  })
  return {
    ...server,
    url,
    port,
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}
