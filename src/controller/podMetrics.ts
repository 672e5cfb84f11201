/** What a Pod's metrics say of its lead, for the status of its EventSource. */
import type { Clock } from '../core/clock.ts'
import { METRICS_PORT } from './template.ts'

export interface PodLead {
  leads: boolean
  /** How often it took over, since it started. */
  failovers: number
}

/** The text of a Pod's `/metrics`, or null when it does not answer in time. */
export type ReadPodMetrics = (podIp: string) => Promise<string | null>

const PATIENCE_MS = 1_000

export function readPodMetrics(clock: Clock): ReadPodMetrics {
  return async (podIp) => {
    const patience = new AbortController()
    const cancel = clock.after(PATIENCE_MS, () => patience.abort())
    try {
      const host = podIp.includes(':') ? `[${podIp}]` : podIp
      const answer = await fetch(`http://${host}:${METRICS_PORT}/metrics`, { signal: patience.signal })
      return answer.ok ? await answer.text() : null
    } catch {
      // A network policy may be in the way: then the status does not say who leads.
      return null
    } finally {
      cancel()
    }
  }
}

/** Adds up over its series: one per EventSource, of which a Pod has one. */
export function leadIn(metrics: string): PodLead {
  const sum = (name: string): number =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((total, line) => total + (Number(line.slice(line.lastIndexOf(' ') + 1)) || 0), 0)
  return { leads: sum('vedette_leading') > 0, failovers: sum('vedette_failovers_total') }
}
