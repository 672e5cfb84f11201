import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { types } from '../sources/index.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'vedette-validate-'))
after(() => rmSync(folder, { recursive: true }))

/** The three commands alone, with main.ts's way of reporting what is thrown. */
const program = `
import { Command } from 'commander'
import { exitCodeOf, messageOf } from './src/core/errors.ts'
import { createRedactor } from './src/core/redact.ts'
const program = new Command('vedette')
for (const name of ['validate', 'explain', 'types']) (await import('./src/cli/' + name + '.ts')).default(program, createRedactor())
try {
  await program.parseAsync(process.argv.slice(1), { from: 'user' })
} catch (error) {
  process.stderr.write('vedette: ' + messageOf(error) + '\\n')
  process.exitCode = exitCodeOf(error)
}`

function vedette(args: string[], input = ''): { stdout: string; stderr: string; status: number | null } {
  const cwd = path.resolve(import.meta.dirname, '../..')
  return spawnSync(process.execPath, ['--input-type=module', '-e', program, '--', ...args], {
    cwd,
    input,
    encoding: 'utf8',
  })
}

function write(name: string, text: string): string {
  const file = path.join(folder, name)
  writeFileSync(file, text)
  return file
}

const head = 'apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: a}\nspec:\n'
const good = write('good.yaml', `${head}  calendar: {tick: {interval: 10s}}\n`)
const doubtful = write('doubtful.yaml', `${head.replace('name: a', 'name: b')}  gerrit: {k: {}}\n`)
const bad = write(
  'bad.yaml',
  `${head.replace('name: a', 'name: c')}  calendar: {tick: {interval: 10}}\n---\nkind: EventBus\n`,
)

test('nothing wrong: nothing on stdout, exit 0', () => {
  const { stdout, stderr, status } = vedette(['validate', '--strict', good])
  assert.deepEqual([stdout, stderr, status], ['', '1 file: 0 errors, 0 warnings\n', 0])
})

test('warnings: exit 0, and 1 with --strict', () => {
  const { stdout, status } = vedette(['validate', doubtful])
  const line = `${doubtful}:5:12: warning: spec.gerrit.k: the type gerrit is not yet in this version (it has ${types.join(', ')})\n`
  assert.deepEqual([stdout, status], [line, 0])
  assert.equal(vedette(['validate', '--strict', doubtful]).status, 1)
})

test('errors of all files in one run: exit 1', () => {
  const { stdout, stderr, status } = vedette(['validate', bad, good, doubtful])
  assert.equal(status, 1)
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(`${folder}/`, '').replace(/\(.*$/, '').trim()),
    [
      'bad.yaml:5:31: error: spec.calendar.tick.interval: must be a string, is a number',
      'bad.yaml:7:1: error: apiVersion: is missing',
      'doubtful.yaml:5:12: warning: spec.gerrit.k: the type gerrit is not yet in this version',
    ],
  )
  assert.match(stderr, /^3 files: 2 errors, 1 warning$/m)
})

test('standard input, JSON, kinds that are skipped', () => {
  const sensor = 'apiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: s}\n---\n'
  const { stdout, stderr, status } = vedette(['validate', '--json', '-'], `${sensor}${head}  calendar: {tick: {}}\n`)
  assert.equal(status, 1)
  const [finding] = JSON.parse(stdout)
  assert.deepEqual(
    [finding.file, finding.line, finding.column, finding.severity, finding.path, finding.message],
    ['<stdin>', 9, 14, 'error', 'spec.calendar.tick', 'must have either schedule or interval'],
  )
  assert.match(stderr, /<stdin>:3: "Sensor\/s" is skipped/)
})

test('a file that is not there: exit 1, named', () => {
  const { stderr, status } = vedette(['validate', good, '/nonexistent.yaml'])
  assert.equal(status, 1)
  assert.match(stderr, /\/nonexistent\.yaml: no such file or directory/)
})

test('types: JSON with exactly three keys, a table for people', () => {
  const rows = JSON.parse(vedette(['types', '--json']).stdout) as { type: string }[]
  const calendar = rows.find(({ type }) => type === 'calendar')
  assert.deepEqual(calendar, { type: 'calendar', strategy: 'active-passive', guarantee: 'exactly-once' })
  for (const row of rows) assert.deepEqual(Object.keys(row), ['type', 'strategy', 'guarantee'])
  assert.match(vedette(['types']).stdout, /^webhook +active-active /m)
})

test('explain: a type, a field, unknown ones', () => {
  assert.match(vedette(['explain']).stdout, /^calendar +active-passive/m)
  assert.match(vedette(['explain', 'webhook']).stdout, /^ {2}endpoint {2}<string, required>\n/m)
  assert.match(vedette(['explain', 'webhook']).stdout, /^IDENTITY\n {2}`Idempotency-Key`/m)
  assert.match(
    vedette(['explain', 'file.watchPathConfig.directory']).stdout,
    /^file\.watchPathConfig\.directory {2}<string/,
  )
  const json = JSON.parse(vedette(['explain', 'webhook', '--json']).stdout)
  assert.equal(json.strategy, 'active-active')
  assert.equal(json.fields.authSecret.fields.key.fieldType, 'string')
  for (const [wanted, message] of [
    ['gerrit', `the type gerrit is not yet in this version; this version has ${types.join(', ')}`],
    ['webhok', 'there is no type "webhok", did you mean "webhook"?'],
    ['webhook.prt', 'webhook has no field "prt", did you mean "port"?'],
    ['webhook.authSecret.nam', 'webhook.authSecret has no field "nam", did you mean "name"?'],
    ['constructor', 'there is no type "constructor"'],
  ]) {
    const { stderr, status } = vedette(['explain', wanted!])
    assert.equal(status, 1)
    assert.ok(stderr.includes(message!), stderr)
  }
})
