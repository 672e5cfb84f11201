/** What is kept of a run: a line of JSON, small enough for hundreds. */
import type { Outcome } from './run.ts'

/** A run as docs/campaign.md counts it. */
export interface Recorded extends Omit<Outcome, 'plan' | 'said' | 'log'> {
  seed: number | null
  /** The last that changed `src`. */
  commit: string
  /** Day. */
  date: string
  bus: string
  replicas: number
  together: boolean
  origins: string[]
  /** Kinds, in their order. */
  faults: string[]
  /** Why, once somebody has found out. */
  cause?: string
  /** The file with all of it; where it was run only. */
  kept?: string
}

const inShort = (text: string): string => text.split('\n')[0]!.slice(0, 300)

export function recordOf(outcome: Outcome, commit: string, date: string): Recorded {
  const { plan, said: _, log: __, broken, violations, ...counts } = outcome
  const { seed, bus, replicas, together, origins, faults } = plan
  return {
    ...{ seed, commit, date, bus, replicas, together, origins, faults: faults.map(({ kind }) => kind) },
    ...counts,
    // The rest is in the file that is kept.
    violations: violations.map(inShort),
    ...(broken === undefined ? {} : { broken: inShort(broken) }),
  }
}
