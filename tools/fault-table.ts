/**
 * `npm run fault-table [FILE…]`: runs the whole fault table on NATS JetStream, or those test files of it, keeps the rows that the tests
 * report in docs/fault-table.json, and writes docs/fault-table.md from them. Nobody types a figure there. Rows of files that did not
 * run stay as they were, with their own date and commit. Ends with exit code 1 when a row failed; the page then says so.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Row } from '../test/faults/table.ts'
import { KUBERNETES_VERSION } from '../test/servers/kubernetes/build.ts'
import { NATS_VERSION } from '../test/servers/nats.ts'

/** What is to be known of the rows of a heading, beyond the head of the page. */
const about: Record<string, string> = {
  Kubernetes: `Kubernetes ${KUBERNETES_VERSION} with two nodes whose kubelets and containerd run real Pods; the controller, its rights and its admission webhook as
installed by \`vedette manifests\`; one nats-server beside it. The EventSource is elected by a Lease with the default times (5 s, 2 s, 1 s) and holds calendar and webhook
in one object; senders go through its Service. Beside what every row is judged by, no container may end other than with exit code 0 but those that were killed.
A Pod that is deleted goes on serving for 5 s, until nobody sends to it any more, and then hands over.`,
}

/** The rows of one heading, measured in one run. */
interface Group {
  name: string
  date: string
  commit: string
  cores: number
  rows: Row[]
}

const page = 'docs/fault-table.md'
const data = 'docs/fault-table.json'
process.chdir(new URL('..', import.meta.url).pathname)

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
const files =
  process.argv.length > 2 ? process.argv.slice(2) : globSync('test/faults/{jetstream-*,kubernetes}.test.ts').sort()
const dir = mkdtempSync(join(tmpdir(), 'vedette-fault-table-'))
try {
  const reported = join(dir, 'rows.jsonl')
  await run(files, { VEDETTE_FULL: '1', VEDETTE_FAULT_ROWS: reported })
  if (!existsSync(reported)) throw new Error('no row was reported: are the servers installed? npm run servers')
  const measured = groupsOf(readFileSync(reported, 'utf8'))
  const kept = existsSync(data) ? (JSON.parse(readFileSync(data, 'utf8')) as Group[]) : []
  const groups = [...kept.filter(({ name }) => !measured.some((group) => group.name === name)), ...measured]
  groups.sort((a, b) => (a.name < b.name ? -1 : 1))
  writeFileSync(data, `${JSON.stringify(groups, null, 1)}\n`)
  writeFileSync(page, pageOf(groups))
  const failed = failedOf(measured)
  console.log(
    `${page}: ${measured.map(({ name, rows }) => `${name} ${rows.length} rows`).join(', ')}; ${failed} failed`,
  )
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
  const date = new Date().toISOString().slice(0, 10)
  return [...new Set(rows.map(({ group }) => group))].map((name) => ({
    ...{ name, date, commit, cores: cpus().length },
    rows: rows.filter(({ group }) => group === name),
  }))
}

function failedOf(groups: Group[]): number {
  return groups.flatMap(({ rows }) => rows).filter(({ passed }) => !passed).length
}

function pageOf(groups: Group[]): string {
  const all = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  const failed = failedOf(groups)
  return `# The fault table on NATS JetStream

<!-- Written by \`npm run fault-table\`: run it again instead of changing this page. -->

${all} rows, ${failed === 0 ? 'all passed' : `**${failed} failed**`}. Three nats-server ${NATS_VERSION}, a stream of three replicas on file storage, and
\`vedette run\` with the replicas in the table: real processes, real signals, a TCP proxy where the network is at fault; on Kubernetes real
Pods. The tests are \`test/faults/jetstream-*.test.ts\` and \`test/faults/kubernetes.test.ts\`. The machines were not quiet: times say what is possible, not what is usual.

Eight calendar entries tick ten times a second (active-passive; their events travel in one atomic batch), and senders post to a webhook
(active-active) with an \`Idempotency-Key\` and repeat until they are answered 200. Afterwards the stream is read with a stock NATS
client. A row passes only if

- **lost: 0, doubled: 0**. The ticks of every entry are an unbroken row, each once and in order, and every request answered 200 is there once;
- **fenced**. Every event of a term lies between that term's record and the next term's: none of an older term was stored after a
  newer one had begun;
- the run ends with exit code 0 when it is told to, and no process ended but those that were killed.

*Terms* is how many of them wrote. *Longest pause* is the longest time in which no tick was stored. Where a NATS server dies or is frozen it is
mostly NATS itself that elects a new leader of the stream, which takes it seconds; ticks of a pause are made up.

${groups.map(groupPage).join('\n')}`
}

function groupPage({ name, date, commit, cores, rows }: Group): string {
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
  return `## ${name}
${name in about ? `\n${about[name]}\n` : ''}
Measured ${date} at commit ${commit}, on ${cores} cores.

${[head, head.map(() => '---'), ...cells].map(line).join('\n')}
`
}

function counted(value: number | undefined): string {
  return value?.toLocaleString('en') ?? ''
}
