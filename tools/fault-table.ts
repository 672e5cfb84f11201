/**
 * `npm run fault-table [FILE…]`: runs the whole fault table, or those test files of it, keeps the rows that the tests
 * report in docs/fault-table.json, and writes docs/fault-table.md from them. Nobody types a figure there. Rows of files that did not
 * run stay as they were, with their own date and commit. Ends with exit code 1 when a row failed; the page then says so.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Heading, Row } from '../test/faults/table.ts'
import { KAFKA_VERSION } from '../test/servers/kafka.ts'
import { KUBERNETES_VERSION } from '../test/servers/kubernetes/build.ts'
import { NATS_VERSION } from '../test/servers/nats.ts'

/** What is to be known of the rows of a section, beyond the head of the page; in the order of the page. */
const about: Record<Row['section'], string> = {
  'NATS JetStream': `Three nats-server ${NATS_VERSION}, a stream of three replicas on file storage. The stream is read with a stock NATS client. Fenced means here: every event of
a term lies between that term's record and the next term's. A request that a sender repeated is on the log once, too. Where a NATS server dies or is frozen it is mostly NATS
itself that elects a new leader of the stream, which takes it seconds. The tests are \`test/faults/jetstream-*.test.ts\`.`,
  Kafka: `Apache Kafka ${KAFKA_VERSION} (KRaft), one broker or three; topics have as many copies as there are brokers, and most of them must be in sync. The topic is read as a reader of what is
committed sees it (\`read_committed\`). Kafka knows no ids: what a sender of the webhook repeated may be there twice, what the calendar ticked may not. A broker that is killed
takes seconds to start, and with three of them Kafka takes about ten to elect others. The tests are \`test/faults/kafka-bus*.test.ts\`.`,
  Kubernetes: `Kubernetes ${KUBERNETES_VERSION} with two nodes whose kubelets and containerd run real Pods; the controller, its rights and its admission webhook as
installed by \`vedette manifests\`; one nats-server ${NATS_VERSION} beside it. The EventSource is elected by a Lease with the default times (5 s, 2 s, 1 s) and holds calendar and webhook
in one object; senders go through its Service. The stream is judged as above. Beside that, no container may end other than with exit code 0 but those that were killed.
A Pod that is deleted goes on serving for 5 s, until nobody sends to it any more, and then hands over. The tests are \`test/faults/kubernetes.test.ts\`.`,
}

/** The rows of one heading, measured in one run. */
interface Group extends Heading {
  date: string
  commit: string
  cores: number
  rows: Omit<Row, keyof Heading>[]
}

const page = 'docs/fault-table.md'
const data = 'docs/fault-table.json'
process.chdir(new URL('..', import.meta.url).pathname)

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const files =
  process.argv.length > 2
    ? process.argv.slice(2)
    : globSync('test/faults/{jetstream-*,kafka-bus*,kubernetes}.test.ts').sort()
const dir = mkdtempSync(join(tmpdir(), 'vedette-fault-table-'))
try {
  const reported = join(dir, 'rows.jsonl')
  await run(files, { VEDETTE_FULL: '1', VEDETTE_FAULT_ROWS: reported })
  if (!existsSync(reported)) throw new Error('no row was reported: are the servers installed? npm run servers')
  const measured = groupsOf(readFileSync(reported, 'utf8'))
  const kept = existsSync(data) ? (JSON.parse(readFileSync(data, 'utf8')) as Group[]) : []
  const groups = [...kept.filter((one) => !measured.some((other) => nameOf(other) === nameOf(one))), ...measured]
  groups.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  writeFileSync(data, `${JSON.stringify(groups, null, 1)}\n`)
  writeFileSync(page, pageOf(groups))
  const failed = failedOf(measured)
  const counts = measured.map((group) => `${nameOf(group)} ${group.rows.length} rows`)
  console.log(`${page}: ${counts.join(', ')}; ${failed} failed`)
  if (failed > 0) process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}

/** A test that fails says so in its row; what it printed is for people. */
async function run(tests: string[], env: Record<string, string>): Promise<void> {
  const child = spawn(process.execPath, ['--test', '--test-concurrency=1', ...tests], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  await new Promise((resolve) => child.once('exit', resolve))
}

function groupsOf(lines: string): Group[] {
  const rows = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row)
  const run = { date: new Date().toISOString().slice(0, 10), commit, cores: cpus().length }
  return [...Map.groupBy(rows, nameOf).values()].map((of) => ({
    ...{ section: of[0]!.section, group: of[0]!.group },
    ...run,
    rows: of.map(({ section: _, group: __, ...row }) => row),
  }))
}

function nameOf({ section, group }: Heading): string {
  return `${section}: ${group}`
}

function failedOf(groups: Pick<Group, 'rows'>[]): number {
  return groups.flatMap(({ rows }) => rows).filter(({ passed }) => !passed).length
}

function pageOf(groups: Group[]): string {
  const all = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  const failed = failedOf(groups)
  const sections = (Object.keys(about) as Row['section'][])
    .map((name) => ({ name, groups: groups.filter(({ section }) => section === name) }))
    .filter((section) => section.groups.length > 0)
  return `# The fault table

<!-- Written by \`npm run fault-table\`: run it again instead of changing this page. -->

${all} rows, ${failed === 0 ? 'all passed' : `**${failed} failed**`}. \`vedette run\` with the replicas in the table, or real Pods: real processes, real servers, real signals, a TCP proxy where the
network is at fault. The machines were not quiet: times say what is possible, not what is usual.

Eight calendar entries tick ten times a second (active-passive; their events travel in one atomic batch), and senders post to a webhook
(active-active) with an \`Idempotency-Key\` and repeat until they are answered 200. Afterwards the log is read from the bus. A row passes only if

- **lost: 0, doubled: 0**. The ticks of every entry are an unbroken row, each once and in order, and every request answered 200 is there;
- **fenced**. No event of an older term was stored after a newer one had begun;
- the run ends with exit code 0 when it is told to, and no process ended but those that were killed.

*Terms* is how many of them wrote. *Longest pause* is the longest time in which no tick was stored; ticks of a pause are made up.

${sections.map((section) => `## ${section.name}\n\n${about[section.name]}\n\n${section.groups.map(groupPage).join('\n')}`).join('\n')}`
}

function groupPage({ group, date, commit, cores, rows }: Group): string {
  const cells = rows.map(({ fault, replicas, passed, ticks, acknowledged, terms, longestPauseMs, note }) => [
    fault,
    replicas,
    passed ? 'passed' : '**failed**',
    counted(ticks),
    counted(acknowledged),
    terms ?? '',
    counted(longestPauseMs),
    note ?? '',
  ])
  const head = ['fault', 'replicas', 'verdict', 'ticks', 'answered 200', 'terms', 'longest pause, ms', '']
  const line = (columns: unknown[]) => `| ${columns.join(' | ')} |`
  return `### ${group}

Measured ${date} at commit ${commit}, on ${cores} cores.

${[head, head.map(() => '---'), ...cells].map(line).join('\n')}
`
}

function counted(value: number | undefined): string {
  return value?.toLocaleString('en') ?? ''
}
