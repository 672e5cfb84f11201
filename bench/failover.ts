import { setTimeout as pause } from 'node:timers/promises'
import { nextLeader, startRig, waitFor } from '../test/faults/rig.ts'
import { ticking } from '../test/faults/ticks.ts'
import { ms, percentile, schedulerDelay, table } from './measure.ts'

/** Kills the leader again and again. @returns a table for docs/performance.md */
export async function failoverGaps({ kills, say }: { kills: number; say: (line: string) => void }): Promise<string> {
  const rig = await startRig(ticking(3))
  try {
    const outside: number[] = []
    const noise = schedulerDelay()
    let leader = await nextLeader(rig, 'clock', null)
    for (let i = 0; i < kills; i++) {
      await waitFor(async () =>
        (await rig.status()).eventSources[0]!.replicas.every(({ state }) => state !== 'down' && state !== 'starting'),
      )
      await pause(200 + Math.random() * 800)
      process.kill(leader.pid, 'SIGKILL')
      const killedMs = performance.now()
      leader = await nextLeader(rig, 'clock', leader)
      outside.push(performance.now() - killedMs)
      say(`failover ${i + 1}/${kills}: ${ms(outside.at(-1)!)} ms from outside`)
    }
    const delay = noise.stop()
    const gaps = (await rig.status()).failovers.map(({ gapMs }) => gapMs ?? Number.NaN)
    const row = (what: string, values: number[]) => [
      what,
      ...[0.5, 0.9, 0.99].map((share) => ms(percentile(values, share))),
      ms(Math.max(...values)),
    ]
    return table(
      [`${kills} kills, ms`, 'median', 'p90', 'p99', 'max'],
      [row('gap', gaps), row('from outside', outside), ['scheduler delay', ms(delay.p50), '', ms(delay.p99), '']],
    )
  } finally {
    await rig.close()
  }
}
