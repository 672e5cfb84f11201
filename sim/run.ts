/**
 * Runs simulated worlds: `node sim/run.ts --seed N [--trace]` one, `node sim/run.ts --from N --count N` many; with `--json`
 * the sum as the last line. Exit code 1 when a world breaks a rule.
 */
import { parseArgs } from 'node:util'
import type { Mutation } from './client.ts'
import { simulate, type Verdict } from './world.ts'

/** What many worlds add up to. */
export interface Sum {
  worlds: number
  /** Seeds of worlds that broke a rule. */
  failed: number[]
  events: number
  claims: number
  steps: number
  /** How often each kind of fault befell. */
  faults: Record<string, number>
  /** From the end of the faults to the next event stored, milliseconds of virtual time. */
  recoveredMs: { median: number; p99: number; max: number }
  seconds: number
}

/** What a failing world prints: how to see it again. */
function report({ seed, violations }: Verdict, mutation: Mutation): string {
  const broken = mutation === 'none' ? '' : ` --mutation '${mutation}'`
  const more = violations.length > 5 ? `\n  … and ${violations.length - 5} more` : ''
  return `seed ${seed} breaks ${violations.length} rule(s):\n  ${violations.slice(0, 5).join('\n  ')}${more}\n  again: node sim/run.ts --seed ${seed} --trace${broken}`
}

async function runWorlds({
  first,
  count,
  trace,
  mutation,
}: {
  first: number
  count: number
  trace: boolean
  mutation: Mutation
}): Promise<Sum> {
  const startedMs = performance.now()
  const recovered: number[] = []
  const at = (share: number) => Math.round(recovered[Math.floor((recovered.length - 1) * share)] ?? 0)
  const sum: Sum = {
    ...{ worlds: count, failed: [], events: 0, claims: 0, steps: 0, faults: {}, seconds: 0 },
    recoveredMs: { median: 0, p99: 0, max: 0 },
  }
  for (let seed = first; seed < first + count; seed++) {
    const verdict = await simulate(seed, { trace, mutation })
    if (trace) process.stdout.write(`${verdict.trace.join('\n')}\n`)
    if (verdict.violations.length > 0) {
      sum.failed.push(seed)
      process.stdout.write(`${report(verdict, mutation)}\n`)
    }
    sum.events += verdict.events
    sum.claims += verdict.claims
    sum.steps += verdict.steps
    for (const [fault, times] of Object.entries(verdict.faults)) sum.faults[fault] = (sum.faults[fault] ?? 0) + times
    if (verdict.recoveredMs !== null) recovered.push(verdict.recoveredMs)
  }
  recovered.sort((a, b) => a - b)
  sum.recoveredMs = { median: at(0.5), p99: at(0.99), max: at(1) }
  sum.seconds = (performance.now() - startedMs) / 1000
  return sum
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
      from: { type: 'string', default: '1' },
      count: { type: 'string', default: '1000' },
      mutation: { type: 'string', default: 'none' },
      json: { type: 'boolean', default: false },
    },
  })
  // Many errors are made and few are looked at.
  if (!values.trace) Error.stackTraceLimit = 0
  const sum = await runWorlds({
    first: Number(values.seed ?? values.from),
    count: values.seed === undefined ? Number(values.count) : 1,
    trace: values.trace,
    mutation: values.mutation as Mutation,
  })
  const { worlds, failed, events, claims, steps, recoveredMs, seconds } = sum
  process.stdout.write(
    values.json
      ? `${JSON.stringify(sum)}\n`
      : `${worlds} worlds in ${seconds.toFixed(1)} s: ${failed.length} failed; ${events} events, ${claims} claims, ${steps} steps; ` +
          `serving again after the last fault: median ${recoveredMs.median} ms, 99 % ${recoveredMs.p99} ms, longest ${recoveredMs.max} ms\n`,
  )
  process.exitCode = failed.length > 0 ? 1 : 0
}
