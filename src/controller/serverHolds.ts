/** What a nats-server of a native bus holds, as its monitoring port tells. */
import type { Clock } from '../core/clock.ts'
import type { Holding } from './eventBus/resize.ts'
import { askMonitor } from './monitor.ts'

/** Never throws: that it cannot be asked is an answer too. */
export type ReadServer = (podIp: string) => Promise<Holding>

export function readServer(clock: Clock, port?: number): ReadServer {
  const ask = askMonitor(clock, port)
  return (podIp) => ask(podIp, '/jsz?accounts=true&streams=true&config=true', holdingIn)
}

interface Jsz {
  disabled?: boolean
  streams?: number
  meta_cluster?: { cluster_size?: number }
  account_details?: { stream_detail?: { name: string; config?: { num_replicas?: number } }[] }[]
}

/** @param jsz the answer of `/jsz?accounts=true&streams=true&config=true` */
export function holdingIn(jsz: unknown): Holding {
  const { disabled, streams: count = 0, meta_cluster, account_details = [] } = (jsz ?? {}) as Jsz
  // So it is after it was removed from its cluster; nobody can ask it for a stream any more.
  if (disabled === true) return { streams: [], removed: true }
  const details = account_details.flatMap(({ stream_detail = [] }) => stream_detail)
  if (details.length < count) return `it says that it has ${count} streams and names ${details.length}`
  const streams = details.map(({ name, config }) => ({ name, copies: config?.num_replicas ?? 1 }))
  return meta_cluster?.cluster_size === undefined ? { streams } : { streams, members: meta_cluster.cluster_size }
}
