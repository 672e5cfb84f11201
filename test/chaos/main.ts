/**
 * `npm run chaos`: runs of the campaign with fresh seeds, or one that is done again.
 *
 *   npm run chaos -- [--seed N] [--minutes M] [--runs K] [--jobs J] [--bus NAME…] [--origin NAME…] [--shorten TRIES] [--out FILE] [--keep DIR] [--verbose]
 *   npm run chaos -- --replay FILE [--runs K]
 *   npm run chaos -- --page FILE    adds the runs of a former --out to docs/campaign.jsonl, and writes docs/campaign.md
 *
 * Prints the seed before each run, with --verbose also what happened in it. Of a run that fails it keeps schedule and log in DIR, shortens the schedule, and says how to do it again. Ends with 1
 * when one has failed, with 2 when nothing could be judged.
 */
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { campaign } from './campaign.ts'
import { availability } from './origins.ts'
import { writePage } from './pages.ts'
import { BUSES, type BusName, type Plan } from './plan.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    runs: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    bus: { type: 'string', multiple: true },
    origin: { type: 'string', multiple: true },
    shorten: { type: 'string', default: '6' },
    out: { type: 'string' },
    keep: { type: 'string' },
    replay: { type: 'string' },
    page: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})

if (values.page !== undefined) {
  console.log(writePage(values.page))
  process.exit(0)
}

const whole = (text: string, name: string): number => {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: a whole number is wanted`)
  return Number(text)
}
const seed = values.seed === undefined ? randomInt(2 ** 31) : whole(values.seed, 'seed')
const buses = (values.bus ?? BUSES) as BusName[]
for (const bus of buses) if (!BUSES.includes(bus)) throw new Error(`--bus ${bus}: one of ${BUSES.join(', ')}`)
const missing = [...availability()].filter(([, why]) => why !== false)
const had = [...availability().keys()].filter((name) => !missing.some(([other]) => other === name))
const wanted = values.origin?.flatMap((text) => had.filter((name) => name === text || name.startsWith(`${text} (`)))
if (wanted?.length === 0) throw new Error(`--origin ${values.origin}: one of ${had.join(', ')}`)
for (const [name, why] of missing) console.log(`not drawn: ${name}: ${why}`)

const replay = values.replay === undefined ? null : planIn(values.replay)
const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes)
const runs =
  values.runs === undefined
    ? replay !== null
      ? 1
      : values.minutes === undefined
        ? 10
        : Number.POSITIVE_INFINITY
    : whole(values.runs, 'runs')
/** The last that changed the product: what is changed around it is no other product. */
const commit = execFileSync('git', ['log', '-1', '--format=%h', '--', 'src'], {
  encoding: 'utf8',
  cwd: join(import.meta.dirname, '../..'),
}).trim()

console.log(`seed ${seed}${replay === null ? '' : `, replaying ${values.replay}`}, commit ${commit}`)
const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    console.log(`${name}: what was started is ended`)
    ending.abort()
  })
}
const failed = await campaign({
  ...{ seed, runs, replay, commit, forMs: minutes * 60_000 },
  ...{ buses, origins: wanted ?? had, jobs: whole(values.jobs, 'jobs'), tries: whole(values.shorten, 'shorten') },
  out: values.out ?? null,
  verbose: values.verbose,
  signal: ending.signal,
  keep: values.keep ?? join(tmpdir(), 'vedette-chaos'),
  say: (line) => console.log(line),
})
process.exit(failed.violated > 0 ? 1 : failed.judged === 0 ? 2 : 0)

/** A plan by itself, or that of a kept run. */
function planIn(file: string): Plan {
  const content = JSON.parse(readFileSync(file, 'utf8')) as Plan | { shortest?: Plan; plan: Plan }
  return 'faults' in content ? content : (content.shortest ?? content.plan)
}
