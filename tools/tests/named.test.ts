import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('the list names what only the full length has, suites before tests, and runs none', () => {
  const list = (...more: string[]): { file: string; name: string; length: string }[] =>
    JSON.parse(
      execFileSync(
        process.execPath,
        ['tools/list-tests.ts', '--json', ...more, 'test/faults/exchange.test.ts', 'tools/tests/failures.test.ts'],
        { cwd: root, encoding: 'utf8' },
      ),
    )
  const full = list()
  assert.ok(full.length > 0)
  for (const { file, name, length } of full) {
    assert.deepEqual([file, length], ['test/faults/exchange.test.ts', 'full'])
    assert.match(name, /^the exchange on nodes: .+ > there and back, /)
  }
  const short = list('--all').filter(({ length }) => length === 'short')
  assert.ok(short.length > 0)
  for (const { file } of short) assert.equal(file, 'tools/tests/failures.test.ts')
})
