import { orders, ordersUrl } from '../test/faults/orders.ts'
import { type Rig, startRig } from '../test/faults/rig.ts'
import { body, type Fired, fire } from './fire.ts'
import { ms, percentile, perSecond, schedulerDelay, table } from './measure.ts'
import { residentMb } from './process.ts'

const load = (rig: Rig, connections: number, seconds: number): Promise<Fired> =>
  fire(ordersUrl(rig), { body, connections, seconds })

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
      await load(rig, 32, Math.min(2, seconds))
      for (const connections of [1, 32, 256]) {
        const noise = schedulerDelay()
        const { rate, latencies, others } = await load(rig, connections, seconds)
        const delay = noise.stop()
        const [p50, p99] = [0.5, 0.99].map((share) => ms(percentile(latencies, share))) as [string, string]
        rows.push([String(replicas), String(connections), perSecond(rate), p50, p99, String(others), ms(delay.p99)])
        say(`webhook: ${replicas} replicas, ${connections} connections: ${perSecond(rate)}/s, p99 ${p99} ms`)
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
    const resident = () => pids.map(([, pid]) => residentMb(pid).toFixed(0))
    const idle = resident()
    await load(rig, 32, 5)
    const loaded = resident()
    say('memory: measured')
    return table(
      ['process', 'idle, MB', 'after 5 s of load, MB'],
      pids.map(([name], i) => [name, idle[i]!, loaded[i]!]),
    )
  } finally {
    await rig.close()
  }
}
