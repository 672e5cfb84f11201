/** Whether the serving process grows under load. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../../test/faults/rig.ts'
import { startNats } from '../../test/servers/nats.ts'
import { body, fire } from '../fire.ts'
import { perSecond, table } from '../measure.ts'
import { startVedette } from './contestants.ts'
import { prepareStream } from './stream.ts'

const sampler = new URL('./sample.ts', import.meta.url).href

/** Load every other second for `minutes`, with the memory sampled after each garbage collection asked for. @returns a table for docs/performance.md */
export async function steadyMemory({
  minutes,
  say,
}: {
  minutes: number
  say: (line: string) => void
}): Promise<string> {
  const nats = await startNats()
  const samples = mkdtempSync(join(tmpdir(), 'vedette-samples-'))
  const vedette = await startVedette(await prepareStream(nats.urls), {
    NODE_OPTIONS: `--import=${sampler}`,
    VEDETTE_BENCH_SAMPLES: samples,
  })
  try {
    const file = join(samples, String(vedette.pid))
    const sample = async () => {
      rmSync(file, { force: true })
      process.kill(vedette.pid, 'SIGUSR2')
      let found: NodeJS.MemoryUsage | undefined
      await waitFor(async () => {
        found = readIfThere(file)
        return found !== undefined
      })
      return found!
    }
    let events = 0
    const row = async (minute: number) => {
      const { rss, heapUsed, external } = await sample()
      const cells = [
        minute.toFixed(1),
        perSecond(events),
        ...[rss, heapUsed, external].map((bytes) => (bytes / 2 ** 20).toFixed(1)),
      ]
      say(`memory: ${cells.join(', ')}`)
      return cells
    }
    const rows = [await row(0)]
    const startedMs = performance.now()
    const minute = () => (performance.now() - startedMs) / 60_000
    for (const step of Array.from({ length: 10 }, (_, i) => ((i + 1) * minutes) / 10)) {
      while (minute() < step) {
        events += (await fire(vedette.url, { body, connections: 32, seconds: 1 })).acknowledged
        await pause(1000)
      }
      rows.push(await row(minute()))
    }
    return table(['minute', 'events so far', 'resident MB', 'heap MB after collection', 'external MB'], rows)
  } finally {
    await vedette.close()
    await nats.close()
    rmSync(samples, { recursive: true, force: true })
  }
}

function readIfThere(file: string): NodeJS.MemoryUsage | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as NodeJS.MemoryUsage
  } catch {
    return undefined
  }
}
