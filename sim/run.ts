/**
 * Runs simulated worlds: `node sim/run.ts --seed N [--trace]` one, `node sim/run.ts --from N --count N` many.
 * Exit code 1 when a world breaks a rule.
 */
import { parseArgs } from 'node:util'
import type { Mutation } from './replica.ts'
import { simulate, type Verdict } from './world.ts'

/** What a failing world prints: how to see it again. */
export function report({ seed, violations }: Verdict, mutation: Mutation = 'none'): string {
  const broken = mutation === 'none' ? '' : ` --mutation '${mutation}'`
  const more = violations.length > 5 ? `\n  … and ${violations.length - 5} more` : ''
  return `seed ${seed} breaks ${violations.length} rule(s):\n  ${violations.slice(0, 5).join('\n  ')}${more}\n  again: node sim/run.ts --seed ${seed} --trace${broken}`
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
      from: { type: 'string', default: '1' },
      count: { type: 'string', default: '1000' },
      mutation: { type: 'string', default: 'none' },
    },
  })
  const { trace } = values
  // Many errors are made and few are looked at.
  if (!trace) Error.stackTraceLimit = 0
  const mutation = values.mutation as Mutation
  const first = Number(values.seed ?? values.from)
  const count = values.seed === undefined ? Number(values.count) : 1
  const startedMs = performance.now()
  const sum = { failed: 0, events: 0, claims: 0, steps: 0 }
  const recovered: number[] = []
  for (let seed = first; seed < first + count; seed++) {
    const verdict = await simulate(seed, { trace, mutation })
    if (trace) process.stdout.write(`${verdict.trace.join('\n')}\n`)
    if (verdict.violations.length > 0) {
      sum.failed++
      process.stdout.write(`${report(verdict, mutation)}\n`)
    }
    sum.events += verdict.events
    sum.claims += verdict.claims
    sum.steps += verdict.steps
    if (verdict.recoveredMs !== null) recovered.push(verdict.recoveredMs)
  }
  recovered.sort((a, b) => a - b)
  const at = (share: number) => Math.round(recovered[Math.floor((recovered.length - 1) * share)] ?? Number.NaN)
  const seconds = (performance.now() - startedMs) / 1000
  process.stdout.write(
    `${count} worlds in ${seconds.toFixed(1)} s: ${sum.failed} failed; ${sum.events} events, ${sum.claims} claims, ${sum.steps} steps; ` +
      `serving again after the last fault: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms\n`,
  )
  process.exitCode = sum.failed > 0 ? 1 : 0
}
