import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'
import { type Rig, startRig } from '../test/faults/rig.ts'
import { ms, perSecond, schedulerDelay, table } from './measure.ts'

const orders =
  (replicas: number) =>
  ([port]: number[]) =>
    `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders }
spec:
  replicas: ${replicas}
  webhook:
    order: { port: "${port}", endpoint: /orders, method: POST }
`

const body = JSON.stringify({ id: 4711, item: 'tea', notes: 'x'.repeat(177) })

/** Fires as many requests as are acknowledged. @returns a table for docs/performance.md */
export async function webhookRates({
  seconds,
  say,
}: {
  seconds: number
  say: (line: string) => void
}): Promise<string> {
  const rows: string[][] = []
  for (const replicas of [1, 3]) {
    const rig = await startRig(orders(replicas))
    try {
      await fire(rig, 32, Math.min(2, seconds))
      for (const connections of [1, 32, 256]) {
        const noise = schedulerDelay()
        const { requests, latency, non2xx } = await fire(rig, connections, seconds)
        const delay = noise.stop()
        rows.push([
          String(replicas),
          String(connections),
          perSecond(requests.average),
          ms(latency.p50),
          ms(latency.p99),
          String(non2xx),
          ms(delay.p99),
        ])
        say(
          `webhook: ${replicas} replicas, ${connections} connections: ${perSecond(requests.average)}/s, p99 ${ms(latency.p99)} ms`,
        )
      }
    } finally {
      await rig.close()
    }
  }
  return table(
    ['replicas', 'connections', 'acknowledged/s', 'p50 ms', 'p99 ms', 'not 200', 'scheduler delay p99 ms'],
    rows,
  )
}

/** Resident memory after a load. @returns a table for docs/performance.md */
export async function hostMemory({ say }: { say: (line: string) => void }): Promise<string> {
  const rig = await startRig(orders(3))
  try {
    const pids: [string, number][] = [
      ['supervisor', rig.supervisor.pid!],
      ['bus', await rig.busPid()],
      ...(await rig.hostPids()).map((pid, i): [string, number] => [`host ${i}`, pid]),
    ]
    const idle = pids.map(([, pid]) => residentMb(pid))
    await fire(rig, 32, 5)
    say('memory: measured')
    return table(
      ['process', 'idle, MB', 'after 5 s of load, MB'],
      pids.map(([name, pid], i) => [name, idle[i]!, residentMb(pid)]),
    )
  } finally {
    await rig.close()
  }
}

function fire(rig: Rig, connections: number, duration: number) {
  return autocannon({
    url: `http://127.0.0.1:${rig.ports[0]}/orders`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    connections,
    duration,
  })
}

/** Linux only: the figure is left out elsewhere. */
function residentMb(pid: number): string {
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kb === undefined ? '?' : String(Math.round(Number(kb) / 1024))
  } catch {
    return '?'
  }
}
