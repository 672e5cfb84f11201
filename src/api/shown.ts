/** A run as it is shown: what it says of itself, without what is secret in it. Events are no words of ours: they stay as they are on the bus. */
import { type Redact, redactedIn } from '../core/redact.ts'
import type { Run } from './run.ts'

export function shownRun(run: Run, redact: Redact): Run {
  return {
    ...run,
    status: async () => redactedIn(await run.status(), redact),
    readiness: async () => redactedIn(await run.readiness(), redact),
    delivery: () => redactedIn(run.delivery(), redact),
    metrics: async () => shownMetrics(await run.metrics(), redact),
  }
}

/** The values of labels; names and numbers are ours. @param text in Prometheus' format */
export function shownMetrics(text: string, redact: Redact): string {
  const seen = new Map<string, string>()
  return text.replace(/(?<==)"((?:[^"\\\n]|\\.)*)"/g, (quoted, value: string) => {
    const known = seen.get(value)
    if (known !== undefined) return known
    const shown = redact(value)
    const again = shown === value ? quoted : JSON.stringify(shown)
    seen.set(value, again)
    return again
  })
}
