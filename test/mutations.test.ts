/** The product broken on purpose: for each mutation its tests must fail. One that does not break them shows what no test looks at. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { mutations } from './mutations.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
/** A mutant that waits for ever is one that was noticed. */
const HANGS_AFTER_MS = 60_000

/** @returns true when the tests of the file pass with that mutation; one that fails is enough, and ends them */
async function survives(index: number, file: string, only?: string): Promise<boolean> {
  const named = only === undefined ? [] : [`--test-name-pattern=${only}`]
  const options = ['--import', './test/mutate.ts', '--test-timeout=20000', '--test-reporter=tap', ...named]
  const child = spawn(process.execPath, [...options, file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HANGS_AFTER_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, VEDETTE_MUTATION: `${index}`, NODE_V8_COVERAGE: '', NODE_TEST_CONTEXT: '' },
  })
  createInterface(child.stdout).on('line', (line) => {
    if (/^\s*not ok /.test(line)) child.kill('SIGTERM')
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  assert.notEqual(code, 99, said)
  return code === 0
}

// Most of the time is waited for mutants that hang.
suite('mutations', { concurrency: 4, timeout: 900_000 }, () => {
  for (const [index, { file, breaks, tests, only, skip = false }] of mutations.entries()) {
    test(`${file}: ${breaks}`, { skip }, async () => {
      for (const one of tests) if (!(await survives(index, one, only))) return
      assert.fail(`nothing in ${tests.join(', ')} notices`)
    })
  }
})
