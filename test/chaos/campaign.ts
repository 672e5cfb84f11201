/** Runs one after the other, some at once; failures are kept and shortened. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draw } from './draw.ts'
import { type BusName, type Plan, shown, shownPlan } from './plan.ts'
import { newPool } from './pool.ts'
import { recordOf } from './record.ts'
import { isSlow, type Outcome, runPlan } from './run.ts'
import { newScope, type Scope } from './scope.ts'
import { shorten } from './shorten.ts'

export interface CampaignOptions {
  /** Of the first run; each further one has the next. */
  seed: number
  runs: number
  /** No run begins after so long, unless none could be judged yet. */
  forMs: number
  /** Does this again instead of drawing. */
  replay: Plan | null
  buses: readonly BusName[]
  origins: readonly string[]
  /** At once. */
  jobs: number
  /** Runs that shortening may take. */
  tries: number
  /** Where lines of JSON go, one for each run. */
  out: string | null
  /** Folder for what has failed. */
  keep: string
  commit: string
  /** Says what happened in runs that held, too. */
  verbose?: boolean
  /** Aborted: no further run, and what was started is ended. */
  signal?: AbortSignal
  say(line: string): void
}

export interface Tally {
  judged: number
  violated: number
  /** Could not be started or read. */
  broken: number
}

export async function campaign(options: CampaignOptions): Promise<Tally> {
  const { seed, runs, forMs, jobs, replay, buses, origins, signal, say } = options
  const pool = newPool()
  const scopes = new Set<Scope>()
  const startedMs = performance.now()
  const tally: Tally = { judged: 0, violated: 0, broken: 0 }
  let begun = 0
  const run = async (plan: Plan, name: string): Promise<Outcome> => {
    const scope = newScope()
    scopes.add(scope)
    try {
      return await runPlan(plan, { pool, name, scope })
    } finally {
      scopes.delete(scope)
    }
  }
  const job = async () => {
    const wanted = () => performance.now() - startedMs < forMs || (tally.judged === 0 && tally.broken < MOST_BROKEN)
    while (begun < runs && wanted()) {
      const number = begun++
      const plan = replay ?? draw(seed + number, { buses, origins })
      const name = nameOf(seed, number)
      say(`run ${number + 1}: seed ${plan.seed ?? 'none'}: ${shownPlan(plan)}; ${plan.faults.length} faults`)
      const outcome = await run(plan, name)
      if (signal?.aborted) return
      if (outcome.broken !== undefined) tally.broken++
      else tally.judged++
      if (outcome.violations.length > 0) tally.violated++
      await conclude(outcome, { ...options, run, number, name })
    }
  }
  const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
  try {
    await Promise.race([Promise.all(Array.from({ length: jobs }, job)), aborted])
  } finally {
    await Promise.all([...scopes].map((scope) => scope.end()))
    await pool.close()
  }
  say(`${tally.judged} runs judged, ${tally.violated} with violations, ${tally.broken} broken`)
  return tally
}

/** A machine on which so many cannot even be started is not what is judged here. */
const MOST_BROKEN = 3

const nameOf = (seed: number, number: number) => `chaos-${seed}-${number}`

type Run = (plan: Plan, name: string) => Promise<Outcome>

async function conclude(
  outcome: Outcome,
  {
    run,
    number,
    name,
    commit,
    out,
    keep,
    tries,
    verbose = false,
    say,
  }: CampaignOptions & { run: Run; number: number; name: string },
): Promise<void> {
  const head = `run ${number + 1}: seed ${outcome.plan.seed ?? 'none'}`
  const record = recordOf(outcome, commit, new Date().toISOString().slice(0, 10))
  const file = join(keep, `${name}.json`)
  const write = (more: object = {}) => {
    mkdirSync(keep, { recursive: true })
    record.kept = file
    writeFileSync(file, JSON.stringify({ commit, ...outcome, ...more }, null, 1))
  }
  if (outcome.broken === undefined && outcome.violations.length === 0) {
    say(`${head}: held: ${counted(outcome)}`)
    if (verbose) for (const line of outcome.said) say(`  ${line}`)
    if (isSlow(outcome)) {
      write()
      say(`${head}: slow: see ${file}`)
    }
  } else {
    write()
    const what = outcome.broken === undefined ? 'VIOLATED' : 'broken'
    say(`${head}: ${what}: ${outcome.broken ?? outcome.violations.join('\n  ')}`)
    for (const line of outcome.said) say(`  ${line}`)
    if (outcome.broken === undefined) {
      const shortest = await shortestOf(outcome.plan, run, name, tries)
      write({ shortest })
      say(`${head}: the shortest schedule that has failed:`)
      for (const fault of shortest.faults) say(`  ${shown(fault)}`)
    }
    say(`${head}: again: npm run chaos -- --replay ${file}`)
  }
  if (out !== null) appendFileSync(out, `${JSON.stringify(record)}\n`)
}

function counted({ ticks, acknowledged, messages, backMs, largestMb, tookMs, startMs }: Outcome): string {
  const slowest = Math.max(0, ...Object.values(backMs))
  const seconds = (ms: number) => Math.round(ms / 1_000)
  return `${ticks} ticks, ${acknowledged} acknowledged, ${messages} messages, all back after ${slowest} ms, ${largestMb} MiB, ${seconds(tookMs)} s of which ${seconds(startMs)} to start`
}

async function shortestOf(plan: Plan, run: Run, name: string, tries: number): Promise<Plan> {
  let attempt = 0
  const fails = async (faults: Plan['faults']) => {
    const { violations } = await run({ ...plan, faults }, `${name}-s${attempt++}`)
    return violations.length > 0
  }
  const { faults } = await shorten(plan.faults, fails, tries)
  return faults.length === plan.faults.length ? plan : { ...plan, seed: null, faults }
}
