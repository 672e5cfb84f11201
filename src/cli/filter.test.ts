import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(path.join(tmpdir(), 'vedette-filter-'))
after(() => rmSync(folder, { recursive: true }))
const file = path.join(folder, 'event.json')
writeFileSync(file, '{"body":{"id":4,"name":"Jöhn"}}')

/** The command alone, with main.ts's way of reporting what is thrown. */
const program = `
import { Command } from 'commander'
import { exitCodeOf, messageOf } from './src/core/errors.ts'
const program = new Command('vedette')
;(await import('./src/cli/filter.ts')).default(program)
try {
  await program.parseAsync(process.argv.slice(1), { from: 'user' })
} catch (error) {
  process.stderr.write('vedette: ' + messageOf(error) + '\\n')
  process.exitCode = exitCodeOf(error)
}`

function filter(args: string[], input?: string | Buffer) {
  const cwd = path.resolve(import.meta.dirname, '../..')
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program, '--', 'filter', ...args],
    { cwd, input: input ?? '', encoding: 'utf8' },
  )
  return { stdout, stderr, status }
}

test('prints true or false and exits 0', () => {
  assert.deepEqual(filter(['body.id == 4', '--data', file]), { stdout: 'true\n', stderr: '', status: 0 })
  assert.deepEqual(filter(['body.name == "John"', '--data', file]), { stdout: 'false\n', stderr: '', status: 0 })
})

test('without data the event is empty; - reads standard input', () => {
  assert.deepEqual(filter(['body == nil']), { stdout: 'true\n', stderr: '', status: 0 })
  assert.deepEqual(filter(['a == "é"', '--data', '-'], '{"a":"é"}'), { stdout: 'true\n', stderr: '', status: 0 })
  assert.deepEqual(filter(['--', '-1 < 0']), { stdout: 'true\n', stderr: '', status: 0 })
})

test('anything else goes to stderr with exit 1', () => {
  for (const [args, wanted, input] of [
    [['body.id ='], /^vedette: filter "body\.id =" at 1:9: unexpected operator "="\n$/],
    [['body.id', '--data', file], /cast expression result '4' to bool/],
    [['missing.a'], /at 1:9: cannot fetch "a" from nil/],
    [['true', '--data', path.join(folder, 'none.json')], /cannot read the event's data from .*none\.json: ENOENT/],
    [['true', '--data', '-'], /not JSON/, '{"a":'],
    [['true', '--data', '-'], /must be a JSON object, not \[\]interface/, '[1]'],
  ] as const) {
    const { stdout, stderr, status } = filter([...args], input)
    assert.equal(stdout, '')
    assert.match(stderr, wanted)
    assert.equal(status, 1)
  }
})
