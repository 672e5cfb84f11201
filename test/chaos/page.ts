/** docs/campaign.md from the records of runs. Pure. */
import { KINDS } from './kinds.ts'
import { BUSES } from './plan.ts'
import type { Recorded } from './record.ts'
import { TRAITS } from './traits.ts'

const number = (value: number) => value.toLocaleString('en')
const table = (head: string[], rows: unknown[][]) =>
  [head, head.map(() => '---'), ...rows].map((columns) => `| ${columns.join(' | ')} |`).join('\n')
const sum = (runs: readonly Recorded[], of: (run: Recorded) => number) =>
  runs.reduce((total, run) => total + of(run), 0)
const slowest = ({ backMs }: Recorded) => Math.max(0, ...Object.values(backMs))

/** The value below which this share of them lies. */
function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

export function pageOf(all: readonly Recorded[]): string {
  const judged = all.filter(({ broken }) => broken === undefined)
  const violated = judged.filter(({ violations }) => violations.length > 0)
  const broken = all.filter((run) => run.broken !== undefined)
  const commits = [...Map.groupBy(judged, ({ commit }) => commit)]
  return `# The campaign

<!-- Written by \`npm run chaos -- --page FILE\`: run it again instead of changing this page. -->

Faults that nobody drew by hand. Each run is drawn from a seed: the bus, two to five replicas, one or two origins beside a calendar and a webhook, in one EventSource or
one each, and two to nine faults at random times, of which most overlap. Processes, brokers, signals and disks are real; \`npm run chaos\` runs more of it, and CI some
minutes with fresh seeds. After the last fault is healed each entry must *be* served: what is done now at its origin, not what status says, has to arrive within 30 s (a minute on Kafka; three times that while the machine is overloaded).
Then the whole log is read from the bus and judged by the class of each type ([guarantees.md](guarantees.md)).

**${number(judged.length)} runs** with ${number(new Set(judged.map(({ seed }) => seed)).size)} seeds: ${number(sum(judged, ({ faults }) => faults.length))} faults,
${number(sum(judged, ({ ticks }) => ticks))} ticks, ${number(sum(judged, ({ acknowledged }) => acknowledged))} acknowledged requests and ${number(sum(judged, ({ messages }) => messages))} messages judged.
**${violated.length === 0 ? 'No run had a violation' : `${violated.length} ${violated.length === 1 ? 'run' : 'runs'} had violations`}.** ${broken.length} more could not be judged: what
the test itself had started did not come up, or did not come back.

${table(
  ['last commit to `src`', 'days', 'runs', 'with violations'],
  commits.map(([commit, runs]) => [
    commit,
    [...new Set(runs.map(({ date }) => date))].join(', '),
    runs.length,
    runs.filter(({ violations }) => violations.length > 0).length,
  ]),
)}

${violated.length === 0 ? '' : foundPart(violated)}## By bus

*Back* is the time from healing until the last entry was served again, milliseconds. *Terms* is how many wrote. The machine had two cores and other work.

${table(
  [
    'bus',
    'runs',
    'faults',
    'ticks',
    'answered 200',
    'messages',
    'terms',
    'back, median',
    '9 of 10',
    'slowest',
    'largest process, MiB',
    'violations',
  ],
  BUSES.map((bus) => [bus, ...countsOf(judged.filter((run) => run.bus === bus))]),
)}

Replicas: ${[2, 3, 4, 5].map((count) => `${count} in ${judged.filter(({ replicas }) => replicas === count).length} runs`).join(', ')}. All entries in one
EventSource: ${judged.filter(({ together }) => together).length} runs.

## By origin

${table(
  ['origin', 'guarantee', 'runs', ...BUSES, 'violations'],
  Object.entries(TRAITS).map(([name, { guarantee }]) => {
    const own = judged.filter(({ origins }) => origins.includes(name))
    const on = BUSES.map((bus) => own.filter((run) => run.bus === bus).length)
    return [name, guarantee, own.length, ...on, own.filter(({ violations }) => violations.length > 0).length]
  }),
)}

## By fault

${table(
  ['group', 'fault', 'times', 'in runs'],
  Object.entries(KINDS).map(([kind, { group }]) => [
    group,
    kind,
    sum(judged, ({ faults }) => faults.filter((one) => one === kind).length),
    judged.filter(({ faults }) => faults.includes(kind)).length,
  ]),
)}

Not drawn: power loss (a test of its own), two versions of the code at once, the disks of brokers.
`
}

function countsOf(runs: readonly Recorded[]): unknown[] {
  const back = runs.map(slowest)
  return [
    runs.length,
    number(sum(runs, ({ faults }) => faults.length)),
    number(sum(runs, ({ ticks }) => ticks)),
    number(sum(runs, ({ acknowledged }) => acknowledged)),
    number(sum(runs, ({ messages }) => messages)),
    number(sum(runs, ({ terms }) => terms)),
    number(quantile(back, 0.5)),
    number(quantile(back, 0.9)),
    number(Math.max(0, ...back)),
    Math.max(0, ...runs.map(({ largestMb }) => largestMb)),
    runs.filter(({ violations }) => violations.length > 0).length,
  ]
}

const foundPart = (violated: readonly Recorded[]): string => `## What it found

${table(
  ['seed', 'commit', 'bus', 'origins', 'violation', 'cause'],
  violated.map(({ seed, commit, bus, origins, violations, cause }) => [
    seed ?? '',
    commit,
    bus,
    origins.join(', '),
    violations[0]!.split('\n')[0]!.slice(0, 160).replaceAll('|', '\\|'),
    cause ?? 'not explained',
  ]),
)}

`
