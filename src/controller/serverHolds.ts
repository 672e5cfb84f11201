/** What a nats-server of a native bus holds, as its monitoring port tells (docs.nats.io/running-a-nats-service/nats_admin/monitoring). */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Holding } from './eventBus/resize.ts'

/** Never throws: that it cannot be asked is an answer too. */
export type ReadServer = (podIp: string) => Promise<Holding>

const MONITOR_PORT = 8222
const PATIENCE_MS = 2_000

export function readServer(clock: Clock, port = MONITOR_PORT): ReadServer {
  return async (podIp) => {
    const patience = new AbortController()
    const cancel = clock.after(PATIENCE_MS, () => patience.abort(new Error(`no answer within ${PATIENCE_MS} ms`)))
    const host = podIp.includes(':') ? `[${podIp}]` : podIp
    try {
      const url = `http://${host}:${port}/jsz?accounts=true&streams=true&config=true`
      const answer = await fetch(url, { signal: patience.signal })
      return answer.ok ? holdingIn(await answer.json()) : `its monitoring port answers ${answer.status}`
    } catch (error) {
      const { cause } = error as { cause?: unknown }
      return `its monitoring port ${port} cannot be read: ${messageOf(cause ?? error)}`
    } finally {
      cancel()
    }
  }
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
