import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomId } from '../src/core/event.ts'
import { queueManifest } from '../test/faults/queue.ts'
import { startRig, waitFor } from '../test/faults/rig.ts'
import { elasticmqJars, startElasticmq } from '../test/servers/elasticmq.ts'
import { makeQueue, type TestQueue } from '../test/servers/sqs-queue.ts'
import { withBus } from './bus.ts'
import { perSecond, table } from './measure.ts'

/**
 * Messages per second from a queue onto the bus: three replicas of `vedette run` against receive, publish, delete, one message
 * at a time. @returns both rates, and a table for docs/performance.md
 */
export async function sqsRates({
  messages,
  say,
}: {
  messages: number
  say: (line: string) => void
}): Promise<{ single: number; vedette: number; text: string }> {
  if (elasticmqJars() === null) return { single: Number.NaN, vedette: Number.NaN, text: 'ElasticMQ is not installed.' }
  const server = await startElasticmq()
  try {
    const single = await oneAtATime(await filled(server.url, 'single', Math.ceil(messages / 10)))
    say(`sqs: one at a time ${perSecond(single)}/s`)
    const vedette = await threeReplicas(server.url, await filled(server.url, 'many', messages), messages)
    say(`sqs: vedette run ${perSecond(vedette)}/s`)
    const rows = [
      ['one at a time', perSecond(single), '1.0×'],
      ['`vedette run`, 3 replicas', perSecond(vedette), `${(vedette / single).toFixed(1)}×`],
    ]
    return { single, vedette, text: table(['', 'messages per second', 'against one at a time'], rows) }
  } finally {
    await server.close()
  }
}

async function filled(url: string, name: string, messages: number): Promise<TestQueue> {
  const queue = await makeQueue(url, name)
  await queue.send(Array.from({ length: messages }, (_, i) => `m${i}`))
  return queue
}

async function oneAtATime(queue: TestQueue): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-bench-'))
  try {
    return await withBus(dir, async (bus) => {
      const startedMs = performance.now()
      let done = 0
      for (;;) {
        const message = await queue.receive()
        if (message === null) break
        const member = { entry: 'e', id: randomId(), event: Buffer.from(message.body) }
        const [outcome] = await bus.append({ namespace: 'bench', name: 'sqs' }, [member])
        if (outcome?.outcome !== 'stored') throw new Error(JSON.stringify(outcome))
        await message.delete()
        done++
      }
      return (done * 1000) / (performance.now() - startedMs)
    })
  } finally {
    queue.close()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function threeReplicas(url: string, queue: TestQueue, messages: number): Promise<number> {
  const rig = await startRig(queueManifest({ url, queue: queue.name, replicas: 3 }))
  try {
    await waitFor(
      async () => {
        const { visible, held } = await queue.sizes()
        return visible + held === 0
      },
      300_000,
      100,
    )
    const lines = await rig.lines()
    if (lines.length !== messages) throw new Error(`${lines.length} of ${messages} messages are on the log`)
    const [first, last] = [lines[0]!, lines.at(-1)!].map(({ time }) => Date.parse(time)) as [number, number]
    return (messages * 1000) / (last - first)
  } finally {
    queue.close()
    await rig.stop()
    await rig.close()
  }
}
