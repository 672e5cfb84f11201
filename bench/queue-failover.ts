/** The pause that messages of a broker see when the serving process is killed. */
import { setTimeout as pause } from 'node:timers/promises'
import { everyoneBack, median, nextLeader, startRig, waitFor } from '../test/faults/rig.ts'
import { startNats } from '../test/servers/nats.ts'
import type { FailoverOptions } from './failover.ts'
import { eventBus } from './jetstream/contestants.ts'
import { prepareStream } from './jetstream/stream.ts'
import { ms, percentile, table } from './measure.ts'
import { type Origin, originTypes } from './origins.ts'

/** One message in so many milliseconds. */
const EVERY_MS = 10
/** What was on its way when the process died may still arrive after that. */
const ON_ITS_WAY_MS = 500

/** @returns a table for docs/performance.md */
export async function queueFailoverGaps(options: FailoverOptions): Promise<string> {
  const nats = await startNats({ nodes: 3 })
  try {
    await prepareStream(nats.urls)
    const rows: string[][] = []
    for (const { type, present, open } of originTypes) {
      if (!present) continue
      for (const [bus, document] of [
        ['embedded', ''],
        ['JetStream', eventBus(nats.urls.join(','))],
      ] as const) {
        const gaps = await gapsOf(type, open, document, options)
        options.say(`${type}, ${bus}: median ${ms(median(gaps))} ms, at most ${ms(Math.max(...gaps))} ms`)
        rows.push([type, bus, ...[0.5, 0.9].map((share) => ms(percentile(gaps, share))), ms(Math.max(...gaps))])
      }
    }
    return table([`${options.kills} kills, ms`, 'bus', 'median', 'p90', 'max'], rows)
  } finally {
    await nats.close()
  }
}

async function gapsOf(
  type: string,
  open: () => Promise<Origin>,
  bus: string,
  { kills }: FailoverOptions,
): Promise<number[]> {
  const origin = await open()
  const name = `${type}-failover`
  const rig = await startRig(
    () => `${bus}apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ${name} }
spec:
  replicas: 3
  ${type}:
    numbers:
${origin.spec.replace(/^/gm, '      ')}
`,
  )
  const sender = startSender(origin)
  const killed: number[] = []
  try {
    let leader = await nextLeader(rig, name, null)
    for (let i = 0; i < kills; i++) {
      await everyoneBack(rig)
      // At no fixed place within a second, and after the standbys have connected.
      await pause(1_500 + Math.random() * 1_000)
      process.kill(leader.pid, 'SIGKILL')
      killed.push(Date.now())
      leader = await nextLeader(rig, name, leader)
    }
    const sent = await sender.stop()
    const events = async () => (await rig.lines()).filter(({ subject }) => subject === `default.${name}.numbers`)
    await waitFor(async () => (await events()).length >= sent, 60_000, 500)
    const times = (await events()).map(({ time }) => Date.parse(time))
    if (times.length !== sent) throw new Error(`${times.length} events of ${sent} messages`)
    return killed.map((at) => longestPause(times, at))
  } finally {
    await sender.stop()
    await rig.close()
    await origin.close()
  }
}

/** Between two events, of which the first came before the process was gone or with what it had on its way. */
function longestPause(times: number[], killedMs: number): number {
  const pauses = times
    .slice(1)
    .map((time, i) => (time > killedMs && times[i]! < killedMs + ON_ITS_WAY_MS ? time - times[i]! : 0))
  return Math.max(...pauses)
}

/** @returns what ends it, and says how many messages the broker has */
function startSender(origin: Origin): { stop(): Promise<number> } {
  let wanted = true
  let sent = 0
  const run = async () => {
    const startedMs = performance.now()
    while (wanted) {
      const due = Math.floor((performance.now() - startedMs) / EVERY_MS) + 1 - sent
      if (due > 0) {
        await origin.send(Array.from({ length: due }, (_, i) => JSON.stringify({ n: sent + i })))
        sent += due
      }
      await pause(1)
    }
    return sent
  }
  const done = run()
  done.catch(() => {})
  return {
    stop() {
      wanted = false
      return done
    },
  }
}
