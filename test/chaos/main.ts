/**
 * `npm run chaos`: runs of the campaign with fresh seeds, or one that is done again. Ends with 1 when one has failed, with 2 when nothing
 * could be judged.
 */
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { campaign } from './campaign.ts'
import { availability } from './origins.ts'
import { writePage } from './pages.ts'
import { BUSES, type BusName, type Plan } from './plan.ts'

interface Values {
  seed?: string
  minutes?: string
  runs?: string
  jobs: string
  bus?: string[]
  origin?: string[]
  shorten: string
  out?: string
  keep?: string
  replay?: string
  page?: string
  verbose: boolean
}

const each = (text: string, before: string[] = []): string[] => [...before, text]
const values = new Command('npm run chaos --')
  .description(
    'Draws faults that nobody has drawn by hand, lets them happen to real processes, brokers and disks, and judges the whole log.\n' +
      'Prints the seed of each run. Of one that fails it keeps schedule and log, shortens the schedule, and says how to do it again.',
  )
  .option('--seed <n>', 'of the first run; the next ones count up (default: drawn)')
  .option('--minutes <m>', 'begin no run after so many minutes')
  .option('--runs <k>', 'how many (default 10, or as many as the minutes allow)')
  .option('--jobs <j>', 'so many side by side', '1')
  .option('--bus <name>', `only this bus, repeatable: ${BUSES.join(', ')}`, each)
  .option('--origin <name>', 'only this origin, as a type or in full, repeatable: redis, "mqtt (QoS 1)"', each)
  .option('--shorten <tries>', 'so many tries to shorten a schedule that fails', '6')
  .option('--out <file>', 'a line of JSON of each run is added here')
  .option('--keep <dir>', 'where schedule and log of failed runs go')
  .option('--replay <file>', 'a kept schedule, again')
  .option('--page <file>', 'add the runs of a former --out to docs/campaign.jsonl, and write docs/campaign.md')
  .option('--verbose', 'what happens in each run', false)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run chaos -- --minutes 5\n  npm run chaos -- --bus kafka-3 --origin mqtt --origin sqs --runs 3 --verbose\n' +
      '  npm run chaos -- --replay vedette-chaos/312.json --runs 5',
  )
  .parse()
  .opts<Values>()

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
