/** What is attacked: a run with twenty HTTP entries on one port, one of them signed; and listeners whose handler is slow. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { makeCertificate } from '../../certificate.ts'
import { type Rig, startRig } from '../../faults/rig.ts'

export interface Target {
  port: number
  /** It speaks TLS. */
  secure?: boolean
  /** Of the process that listens. */
  pid: number
  close(): Promise<void>
}

export const SECRET = 'it is known to GitHub'
const OTHERS = 18

/** `/github` is signed, `/open` and `/open-1`… are not. */
export async function run(args: string[] = [], { secure = false } = {}): Promise<Target & { rig: Rig }> {
  // Ready is waited for as long as a busy machine takes.
  const rig = await startRig((ports) => manifest(ports, secure), { args, readyWithinMs: 240_000 })
  const [pid] = await rig.hostPids()
  return { rig, secure, port: rig.ports[0]!, pid: pid!, close: () => rig.close() }
}

/** The same by TLS. */
export const secureRun = () => run([], { secure: true })

const manifest = ([port]: number[], secure: boolean): string => {
  const values = { secret: SECRET, ...(secure ? makeCertificate() : {}) }
  const of = (key: string) => JSON.stringify({ name: 'github', key })
  const tls = secure ? `serverCertSecret: ${of('cert')}, serverKeySecret: ${of('key')}, ` : ''
  return `apiVersion: v1
kind: Secret
metadata: { name: github }
stringData: ${JSON.stringify(values)}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: hooks }
spec:
  replicas: 1
  github:
    shop:
      organizations: [acme]
      webhookSecret: { name: github, key: secret }
      webhook: { ${tls}port: "${port}", endpoint: /github, method: POST }
  webhook:
    open: { ${tls}port: "${port}", endpoint: /open, method: POST }
${Array.from({ length: OTHERS }, (_, i) => `    open-${i}: { ${tls}port: "${port}", endpoint: /open-${i}, method: POST }`).join('\n')}
`
}

/**
 * Listeners in a process of their own, whose `/open` takes two seconds for each request, as with a bus that is slow.
 * @param proxies addresses of those that are trusted
 */
export async function slowBus(proxies: readonly string[] = []): Promise<Target> {
  const child: ChildProcess = spawn(process.execPath, [new URL('./slow.ts', import.meta.url).pathname, ...proxies], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    port,
    pid: child.pid!,
    async close() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
