/** Messages that wait in a broker, onto the embedded bus: how many a second, at what price. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomId } from '../src/core/event.ts'
import { nextLeader, startRig, waitFor } from '../test/faults/rig.ts'
import { withBus } from './bus.ts'
import { perSecond, table } from './measure.ts'
import { numbered, originTypes } from './origins.ts'
import { cpuMs, residentMb } from './process.ts'

/** @returns a table for docs/performance.md */
export async function queueRates({
  messages,
  say,
}: {
  messages: number
  say: (line: string) => void
}): Promise<string> {
  const bodies = numbered(messages)
  const rows: (string | number)[][] = []
  for (const { type, present, open } of originTypes) {
    if (!present) continue
    const single = await oneAtATime(bodies.slice(0, Math.max(500, messages / 25)))
    const origin = await open()
    try {
      await origin.send(bodies)
      const { rate, cpuUs, startMb, mostMb } = await drained({ type, spec: origin.spec, messages })
      const ratio = `${(rate / single).toFixed(1)}×`
      say(`${type}: ${perSecond(rate)}/s, ${ratio} of ${perSecond(single)}/s awaited one at a time`)
      rows.push([
        type,
        perSecond(single),
        perSecond(rate),
        ratio,
        cpuUs.toFixed(0),
        startMb.toFixed(0),
        mostMb.toFixed(0),
      ])
    } finally {
      await origin.close()
    }
  }
  return table(
    ['type', 'awaited one at a time/s', 'messages/s', 'ratio', 'CPU µs/event', 'resident MB before', 'at most'],
    rows,
  )
}

/** The same bytes appended to the same kind of bus, each awaited, with no broker to ask: faster than any source of that design. */
async function oneAtATime(bodies: string[]): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-bench-'))
  try {
    return await withBus(dir, async (bus) => {
      const startedMs = performance.now()
      for (const body of bodies) {
        const [outcome] = await bus.append({ namespace: 'bench', name: 'queue' }, [
          { entry: 'e', id: randomId(), event: Buffer.from(body) },
        ])
        if (outcome?.outcome !== 'stored') throw new Error(JSON.stringify(outcome))
      }
      return (bodies.length * 1000) / (performance.now() - startedMs)
    })
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** One replica, told of the entry when it is up: so its start does not count. @param bus documents of an EventBus, when it is not the embedded one */
export async function drained({
  type,
  spec,
  messages,
  bus = '',
}: {
  type: string
  spec: string
  messages: number
  bus?: string
}) {
  const head = `${bus}apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: { name: ${type} }\nspec:\n  replicas: 1\n`
  const idle = `${head}  calendar: { idle: { interval: 24h } }\n`
  const rig = await startRig(() => idle)
  try {
    const { pid } = await nextLeader(rig, type, null)
    const [cpu, startMb] = [cpuMs(pid), residentMb(pid)]
    let mostMb = startMb
    rig.write(`${idle}  ${type}:\n    numbers:\n${spec.trim().replace(/^/gm, '      ')}\n`)
    await waitFor(
      async () => {
        mostMb = Math.max(mostMb, residentMb(pid))
        const [source] = (await rig.status()).eventSources
        return (source?.entries.find(({ name }) => name === 'numbers')?.published ?? 0) >= messages
      },
      600_000,
      100,
    )
    const usedMs = cpuMs(pid) - cpu
    const times = (await rig.lines())
      .filter(({ subject }) => subject === `default.${type}.numbers`)
      .map(({ time }) => Date.parse(time))
    if (times.length !== messages) throw new Error(`${times.length} of ${messages} messages are on the log`)
    const rate = (messages * 1000) / (times.at(-1)! - times[0]!)
    return { rate, cpuUs: (usedMs * 1000) / messages, startMb, mostMb }
  } finally {
    await rig.stop()
    await rig.close()
  }
}
