import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Append, Bus } from '../src/bus/bus.ts'
import { randomId } from '../src/core/event.ts'
import { withBus } from './bus.ts'
import { ms, percentile, perSecond, table } from './measure.ts'

const source = { namespace: 'bench', name: 'append' }
const event = Buffer.alloc(300, 'x')

/** Acknowledged appends through the bus process against plain writes with a sync each. @returns a table for docs/performance.md */
export async function appendRates({ seconds, say }: { seconds: number; say: (line: string) => void }): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-bench-'))
  const disk = diskRate(dir, seconds)
  say(`append: the disk alone ${perSecond(disk)}/s`)
  try {
    const rows: string[][] = [['disk, one write and one sync each', '1', perSecond(disk), '1.0×', '']]
    await withBus(dir, async (bus) => {
      for (const inFlight of [1, 32, 256]) {
        const { rate, latencies } = await busRate(bus, inFlight, seconds)
        rows.push([
          'acknowledged appends',
          String(inFlight),
          perSecond(rate),
          `${(rate / disk).toFixed(1)}×`,
          ms(percentile(latencies, 0.99)),
        ])
        say(`append: ${inFlight} in flight ${perSecond(rate)}/s`)
      }
    })
    return table(['300-byte events', 'in flight', 'per second', 'against the disk', 'p99 ms'], rows)
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

function diskRate(dir: string, seconds: number): number {
  const file = openSync(join(dir, 'plain'), 'w')
  const startedMs = performance.now()
  let writes = 0
  while (performance.now() - startedMs < seconds * 1000) {
    writeSync(file, event)
    fdatasyncSync(file)
    writes++
  }
  closeSync(file)
  return (writes * 1000) / (performance.now() - startedMs)
}

async function busRate(bus: Bus, inFlight: number, seconds: number): Promise<{ rate: number; latencies: number[] }> {
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  const latencies: number[] = []
  const one = async () => {
    while (performance.now() < endMs) {
      const sentMs = performance.now()
      const member: Append = { entry: 'e', id: randomId(), event }
      const [outcome] = await bus.append(source, [member])
      if (outcome?.outcome !== 'stored') throw new Error(JSON.stringify(outcome))
      latencies.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  return { rate: (latencies.length * 1000) / (performance.now() - startedMs), latencies }
}
