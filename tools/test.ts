/**
 * Runs the tests and ends with the line `N passed, N failed, N skipped`.
 *
 *   node tools/test.ts [--length short|whole|full] [--limit SECONDS] [--coverage] [--only TEXT] [FILE…]
 *
 * Without files, those of the length: `short`, with CI=true `whole`; `full` lets suites run their whole matrix too (VEDETTE_FULL=1).
 *
 * Three lanes, a file at a time each. One runs test/faults and test/security, which judge times, with wide bounds; two the tests beside the code
 * and the contract suites. When those are through, both go on with test/local and test/pod, and one of them with what is left of the
 * faults. A file that has not ended within the limit is ended, and has failed. With VEDETTE_REQUIRE=all a skipped test counts as a failure.
 * With CI=true a test that failed is run once more alone: one that passes then counts as passed, is named in a line `flaky: …` and gets an
 * entry with its log in test/flaky.md. When more than two have failed none is.
 */
import { appendFileSync, globSync } from 'node:fs'
import { relative } from 'node:path'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { parseArgs } from 'node:util'
import { collectFailures, type Failure, flakyEntry } from './tests/failures.ts'
import { filesOf, lengthOf } from './tests/lengths.ts'

interface Tally {
  passed: number
  skipped: string[]
  failures: Failure[]
  flaky: Failure[]
}

/** More are no bad luck. */
const MOST_FLAKY = 2

const root = new URL('..', import.meta.url).pathname
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    length: { type: 'string' },
    limit: { type: 'string' },
    coverage: { type: 'boolean' },
    only: { type: 'string' },
  },
})
const length = lengthOf(values.length, process.env)
if (length === 'full') process.env.VEDETTE_FULL = '1'
process.chdir(root)
/** Of a file, milliseconds. */
const FILE_LIMIT_MS = 1000 * Number(values.limit ?? (length === 'full' ? 2_700 : 600))

const all =
  positionals.length > 0
    ? positionals
    : filesOf(length, globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'tools/**/*.test.ts'])).sort()
const inFolders = (...folders: string[]): string[] =>
  all.filter((file) => folders.some((folder) => new RegExp(`(^|/)test/${folder}/`).test(file)))
const faults = inFolders('faults', 'security')
const processes = inFolders('local', 'pod')
const together = all.filter((file) => !faults.includes(file) && !processes.includes(file))
const tally: Tally = { passed: 0, skipped: [], failures: [], flaky: [] }
const durations = new Map<string, number>()
const startedMs = performance.now()
if (values.coverage) await runFiles(together, 2)
// More than two lanes of faults at a time, and times say nothing any more.
else await Promise.all([lane(faults, together), lane(together, processes, faults), lane(together, processes)])
if (process.env.CI === 'true' && tally.failures.length <= MOST_FLAKY) await runFailuresAgain()
conclude()

/** Runs what is left of these, one file after another. */
async function lane(...queues: string[][]): Promise<void> {
  for (const queue of queues) {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const fromMs = performance.now()
      await runFiles([file], 1)
      durations.set(file, performance.now() - fromMs)
    }
  }
}

/** @param only the name of one test, of all files; left out: those that were asked for */
async function runFiles(files: string[], concurrency: number, only?: RegExp): Promise<void> {
  if (files.length === 0) return
  const pattern = only ?? values.only
  const events = run({
    files,
    concurrency,
    cwd: root,
    timeout: FILE_LIMIT_MS,
    // A process that goes on after its last test has no time-out of its own.
    signal: AbortSignal.timeout(FILE_LIMIT_MS * 1.05),
    ...(pattern === undefined ? {} : { testNamePatterns: [pattern] }),
    ...(values.coverage
      ? { coverage: true, coverageIncludeGlobs: ['src/**'], coverageExcludeGlobs: ['**/*.test.ts'] }
      : {}),
  })
  const failures = collectFailures()
  // A report names the file in which `test()` stands, which need not be the one that was run and can be run again.
  const [alone] = files.length === 1 ? files : []
  const fileOf = ({ file = '' }: { file?: string }) => relative(root, alone ?? file)
  const local = <E extends { file?: string }>(event: E): E => ({ ...event, file: fileOf(event) })
  events.on('test:pass', (event) => {
    failures.passed(local(event))
    if (event.details.type === 'suite') return
    const name = `${fileOf(event)}: ${event.name}${typeof event.skip === 'string' ? ` (${event.skip})` : ''}`
    if (event.skip === undefined || event.skip === false) tally.passed++
    else tally.skipped.push(name)
  })
  events.on('test:fail', (event) => failures.failed(local(event)))
  events.on('test:diagnostic', (event) => failures.said(local(event)))
  // A file's report is printed at once: the lanes' would mix.
  let report = ''
  for await (const chunk of events.compose(ofTests).compose(new spec())) report += chunk
  process.stdout.write(`${report.trimEnd()}\n`)
  tally.failures.push(...failures.all())
}

/** Without the counts at the end: they are of a file only. */
async function* ofTests(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of events)
    if (event.type !== 'test:summary' && (event.type !== 'test:diagnostic' || event.data.file !== undefined))
      yield event
}

/** Each alone, now that nothing else runs. */
async function runFailuresAgain(): Promise<void> {
  const first = tally.failures
  for (const failure of first) {
    const { file, name } = failure
    const before = tally.passed
    tally.failures = []
    const whole = name === file || name.endsWith(file)
    console.log(`once more, alone: ${file}: ${name}`)
    await runFiles([file], 1, whole ? undefined : new RegExp(`${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`))
    // It was run and passed, whatever else bore its name.
    const passed = tally.failures.length === 0 && tally.passed > before
    tally.passed = before + (passed ? failure.count : 0)
    if (passed) tally.flaky.push(failure)
  }
  tally.failures = first.filter((failure) => !tally.flaky.includes(failure))
}

function conclude(): void {
  const required = process.env.VEDETTE_REQUIRE === 'all'
  const at = new Date().toISOString()
  for (const failure of tally.flaky) appendFileSync('test/flaky.md', `\n${flakyEntry(failure, at)}`)
  const longest = [...durations].sort(([, a], [, b]) => b - a).slice(0, 20)
  for (const [file, ms] of longest) console.log(`${Math.round(ms / 1000)} s: ${file}`)
  for (const name of tally.skipped) console.log(`skipped: ${name}`)
  for (const { file, name } of tally.flaky) console.log(`flaky: ${file}: ${name}`)
  for (const { file, name } of tally.failures) console.log(`failed: ${file}: ${name}`)
  const failed = tally.failures.reduce((sum, { count }) => sum + count, 0) + (required ? tally.skipped.length : 0)
  if (required && tally.skipped.length > 0) console.log('VEDETTE_REQUIRE=all: skipped tests count as failed')
  console.log(`${Math.round((performance.now() - startedMs) / 1000)} s`)
  console.log(`${tally.passed} passed, ${failed} failed${required ? '' : `, ${tally.skipped.length} skipped`}`)
  process.exitCode = failed > 0 || tally.passed === 0 ? 1 : 0
}
