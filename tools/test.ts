/**
 * Runs the tests and ends with the line `N passed, N failed, N skipped`.
 *
 *   node tools/test.ts [--full] [--coverage] [--only TEXT] [FILE…]
 *
 * Tests beside the code and the contract suites run two files at a time; tests in test/faults run alone, because they
 * judge times. `--full` lets suites run their whole matrix (VEDETTE_FULL=1). With VEDETTE_REQUIRE=all a skipped test counts as a failure.
 */
import { globSync } from 'node:fs'
import { relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { parseArgs } from 'node:util'

interface Tally {
  passed: number
  failed: string[]
  skipped: string[]
}

const root = new URL('..', import.meta.url).pathname
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean' }, coverage: { type: 'boolean' }, only: { type: 'string' } },
})
if (values.full) process.env.VEDETTE_FULL = '1'
process.chdir(root)

const all =
  positionals.length > 0
    ? positionals
    : globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'sim/**/*.test.ts', 'tools/**/*.test.ts']).sort()
const alone = all.filter((file) => /(^|\/)test\/(faults|local|pod)\//.test(file))
const together = all.filter((file) => !alone.includes(file))
const tally: Tally = { passed: 0, failed: [], skipped: [] }
const startedMs = performance.now()
await runFiles(together, 2)
if (!values.coverage) await runFiles(alone, 1)
conclude()

async function runFiles(files: string[], concurrency: number): Promise<void> {
  if (files.length === 0) return
  const events = run({
    files,
    concurrency,
    cwd: root,
    // Of a file.
    timeout: values.full ? 2_700_000 : 900_000,
    ...(values.only === undefined ? {} : { testNamePatterns: [values.only] }),
    ...(values.coverage
      ? { coverage: true, coverageIncludeGlobs: ['src/**'], coverageExcludeGlobs: ['**/*.test.ts'] }
      : {}),
  })
  const count =
    (kind: 'pass' | 'fail') =>
    (event: {
      name: string
      file?: string
      skip?: string | boolean
      todo?: string | boolean
      details: { type?: string }
    }) => {
      if (event.details.type === 'suite') return
      const name = `${relative(root, event.file ?? '')}: ${event.name}${typeof event.skip === 'string' ? ` (${event.skip})` : ''}`
      if (event.skip !== undefined && event.skip !== false) tally.skipped.push(name)
      else if (kind === 'pass') tally.passed++
      else tally.failed.push(name)
    }
  events.on('test:pass', count('pass'))
  events.on('test:fail', count('fail'))
  const report = events.compose(new spec())
  report.pipe(process.stdout, { end: false })
  await new Promise((resolve) => report.on('end', resolve))
}

function conclude(): void {
  const required = process.env.VEDETTE_REQUIRE === 'all'
  for (const name of tally.skipped) console.log(`skipped: ${name}`)
  for (const name of tally.failed) console.log(`failed: ${name}`)
  const failed = tally.failed.length + (required ? tally.skipped.length : 0)
  if (required && tally.skipped.length > 0) console.log('VEDETTE_REQUIRE=all: skipped tests count as failed')
  console.log(`${Math.round((performance.now() - startedMs) / 1000)} s`)
  console.log(`${tally.passed} passed, ${failed} failed${required ? '' : `, ${tally.skipped.length} skipped`}`)
  process.exitCode = failed > 0 || tally.passed === 0 ? 1 : 0
}
