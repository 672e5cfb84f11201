/** What a Pod says itself, for the status of its EventSource: who leads, by its metrics, and why it is not ready. */
import type { Clock } from '../core/clock.ts'
import { METRICS_PORT } from './template.ts'

export interface PodLead {
  leads: boolean
  /** How often it took over, since it started. */
  failovers: number
  /** Of the lead, as last seen. */
  term: number
}

/** The text of a Pod's `/metrics`, or null when it does not answer in time. */
export type ReadPodMetrics = (podIp: string) => Promise<string | null>

const PATIENCE_MS = 1_000

export function readPodMetrics(clock: Clock): ReadPodMetrics {
  return async (podIp) => await answerOf(clock, podIp, '/metrics', (answer) => answer.ok)
}

/** Why a Pod is not ready, in its own words and on one line; null: it does not answer in time, or is ready. */
export type ReadPodReadiness = (podIp: string) => Promise<string | null>

/** A status is no log. */
const LONGEST = 1_000

export function readPodReadiness(clock: Clock): ReadPodReadiness {
  return async (podIp) => {
    const text = await answerOf(clock, podIp, '/readyz', (answer) => answer.status === 503)
    return (
      text
        ?.trim()
        .replaceAll(/\s*\n\s*/g, '; ')
        .slice(0, LONGEST) || null
    )
  }
}

async function answerOf(
  clock: Clock,
  podIp: string,
  path: string,
  counts: (answer: Response) => boolean,
): Promise<string | null> {
  const patience = new AbortController()
  const cancel = clock.after(PATIENCE_MS, () => patience.abort())
  try {
    const host = podIp.includes(':') ? `[${podIp}]` : podIp
    const answer = await fetch(`http://${host}:${METRICS_PORT}${path}`, { signal: patience.signal })
    return counts(answer) ? await answer.text() : null
  } catch {
    // A network policy may be in the way: then the status does not say it.
    return null
  } finally {
    cancel()
  }
}

/** Adds up over its series: one per EventSource, of which a Pod has one. */
export function leadIn(metrics: string): PodLead {
  const sum = (name: string): number =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((total, line) => total + (Number(line.slice(line.lastIndexOf(' ') + 1)) || 0), 0)
  return { leads: sum('vedette_leading') > 0, failovers: sum('vedette_failovers_total'), term: sum('vedette_term') }
}
