/** nsqd and nsqlookupd, built by Go from a module of their own (its own `replace` lines keep `go install` from working). */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { accepts, directoryFor, freePorts, type LastingServer, startLasting, startProcess } from './process.ts'

export const NSQ_VERSION = '1.3.0'

export const nsqdBinary = () => installed(`nsq-${NSQ_VERSION}`, 'nsqd')
const lookupdBinary = () => installed(`nsq-${NSQ_VERSION}`, 'nsqlookupd')

/** @throws when Go is missing or the build fails */
export function installNsq(): void {
  const target = join(serversDir(), `nsq-${NSQ_VERSION}`)
  mkdirSync(target, { recursive: true })
  const module = mkdtempSync(join(tmpdir(), 'vedette-nsq-build-'))
  const go = (...args: string[]) => execFileSync('go', args, { cwd: module, stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    go('mod', 'init', 'nsqbuild')
    const service = 'github.com/mreiferson/go-svc@v1.2.2-0.20210815184239-7a96e00010f6'
    go('mod', 'edit', `-require=github.com/nsqio/nsq@v${NSQ_VERSION}`, `-replace=github.com/judwhite/go-svc=${service}`)
    const apps = ['nsqd', 'nsqlookupd'].map((app) => `github.com/nsqio/nsq/apps/${app}`)
    go('build', '-mod=mod', '-o', `${target}/`, ...apps)
  } finally {
    rmSync(module, { recursive: true, force: true })
  }
}

export interface NsqServer extends LastingServer {
  /** HTTP address of nsqlookupd, `127.0.0.1:<port>`. */
  readonly lookupd: string
  /** TCP port of nsqd. */
  readonly port: number
  /** `http://127.0.0.1:<port>` of nsqd. */
  readonly http: string
}

/** @param args further arguments of nsqd @param tls with `cert.pem` and `key.pem` among `files` @param via the port that consumers are told, for nsqd's own */
export async function startNsq({
  args = [],
  files = {},
  tls = false,
  via = (port) => port,
}: {
  args?: string[]
  files?: Record<string, string>
  tls?: boolean
  via?: (port: number) => number | Promise<number>
} = {}): Promise<NsqServer> {
  const [nsqd, nsqlookupd] = [nsqdBinary(), lookupdBinary()]
  if (nsqd === null || nsqlookupd === null) throw new Error('NSQ is not installed: npm run servers')
  const dir = directoryFor('nsq')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const certificate = tls ? ['-tls-cert', join(dir, 'cert.pem'), '-tls-key', join(dir, 'key.pem')] : []
  const [lookupTcp, lookupHttp, tcp, http] = (await freePorts(4)) as [number, number, number, number]
  const at = (port: number) => `127.0.0.1:${port}`
  const lookup = await startProcess(
    nsqlookupd,
    ['-tcp-address', at(lookupTcp), '-http-address', at(lookupHttp), '-broadcast-address', '127.0.0.1'],
    { ready: async () => (await accepts(lookupTcp)) && (await accepts(lookupHttp)) },
  )
  const addresses = ['-tcp-address', at(tcp), '-http-address', at(http), '-https-address', '']
  const told = ['-broadcast-address', '127.0.0.1', '-broadcast-tcp-port', String(await via(tcp))]
  const places = [...told, '-data-path', dir, '-lookupd-tcp-address', at(lookupTcp)]
  const start = () =>
    startProcess(nsqd, [...addresses, ...places, ...certificate, ...args], {
      ready: async () => (await accepts(tcp)) && (await accepts(http)),
    })
  return Object.assign(await startLasting(dir, start, { beside: () => lookup.kill() }), {
    lookupd: at(lookupHttp),
    port: tcp,
    http: `http://${at(http)}`,
  })
}
