/** What is attacked: a run with twenty HTTP entries on one port, one of them signed; and listeners whose handler is slow. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Rig, startRig } from '../../faults/rig.ts'

export interface Target {
  port: number
  /** Of the process that listens. */
  pid: number
  close(): Promise<void>
}

export const SECRET = 'it is known to GitHub'
const OTHERS = 18

/** `/github` is signed, `/open` and `/open-1`… are not. */
export async function run(args: string[] = []): Promise<Target & { rig: Rig }> {
  // Ready is waited for as long as a busy machine takes.
  const rig = await startRig(manifest, { args, readyWithinMs: 240_000 })
  const [pid] = await rig.hostPids()
  return { rig, port: rig.ports[0]!, pid: pid!, close: () => rig.close() }
}

const manifest = ([port]: number[]): string => `apiVersion: v1
kind: Secret
metadata: { name: github }
stringData: { secret: ${SECRET} }
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
      webhook: { port: "${port}", endpoint: /github, method: POST }
  webhook:
    open: { port: "${port}", endpoint: /open, method: POST }
${Array.from({ length: OTHERS }, (_, i) => `    open-${i}: { port: "${port}", endpoint: /open-${i}, method: POST }`).join('\n')}
`

/** Listeners in a process of their own, whose `/open` takes two seconds for each request, as with a bus that is slow. */
export async function slowBus(): Promise<Target> {
  const child: ChildProcess = spawn(process.execPath, [new URL('./slow.ts', import.meta.url).pathname], {
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
