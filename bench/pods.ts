import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Cluster, judgePods, startCluster, startPodsWorld } from '../test/faults/pods-world.ts'
import type { FailoverOptions } from './failover.ts'
import { ms, percentile, schedulerDelay, table } from './measure.ts'

/** Kills the process in the serving Pod again and again, with two replicas and with three. @returns a table for docs/performance.md */
export async function podsFailoverGaps(options: FailoverOptions): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-images-'))
  try {
    const cluster = await startCluster(dir)
    try {
      const rows = [await gaps(cluster, 2, options), await gaps(cluster, 3, options)]
      const header = [`${options.kills} kills, ms`, 'median', 'p90', 'max', 'ticks', 'scheduler delay p99']
      return table(header, rows)
    } finally {
      await cluster.stop()
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function gaps(cluster: Cluster, replicas: number, { kills, say }: FailoverOptions): Promise<(string | number)[]> {
  const ends: (() => unknown)[] = []
  const context = { passed: true, after: (end: () => unknown) => void ends.push(end) }
  try {
    const world = await startPodsWorld(context, cluster, `bench-${replicas}`, { replicas, senders: 1 })
    const tookMs: number[] = []
    const noise = schedulerDelay()
    for (let i = 0; i < kills; i++) {
      // At no fixed place within a second, and when standbys have found the leader and trust their connections.
      await pause(2_100 + Math.random() * 900)
      const leader = await world.leader()
      const killedMs = performance.now()
      world.signal(leader, 'SIGKILL')
      tookMs.push((await world.firstAfter(leader.term)) - killedMs)
      say(`failover of Pods, ${replicas} replicas, ${i + 1}/${kills}: ${ms(tookMs.at(-1)!)} ms`)
      await world.kubectl('delete', 'pod', leader.name, '--force', '--grace-period=0')
      await world.settled(replicas)
    }
    const delay = noise.stop()
    const { ticks } = await judgePods(world)
    const figures = [percentile(tookMs, 0.5), percentile(tookMs, 0.9), Math.max(...tookMs)].map(ms)
    return [`${replicas} replicas`, ...figures, ticks, ms(delay.p99)]
  } finally {
    for (const end of ends.reverse()) await end()
  }
}
