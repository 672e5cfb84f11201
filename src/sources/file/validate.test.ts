import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import file from '../file.ts'
import { cleanDirectory, matcherOf } from '../states/watch-path.ts'

const findings = (raw: unknown) => file.validate!(file.spec.parse(raw))
const first = (raw: unknown) => findings(raw).find(({ severity }) => severity === 'error')?.message ?? null
const config = (watchPathConfig: unknown, eventType = 'CREATE') => ({ eventType, watchPathConfig })

interface Vector {
  error: string | null
  spec: { file?: Record<string, unknown> }
}

suite('validate', () => {
  const path = new URL('../../../test/golden/validation-vectors.jsonl', import.meta.url)
  const vectors = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"spec":{"file":'))
    .map((line) => JSON.parse(line) as Vector)

  test('there are vectors of upstream’s validator', () => assert.ok(vectors.length >= 7))
  for (const { error, spec } of vectors) {
    const [entry] = Object.values(spec.file!)
    test(`${error ?? 'accepted'}: ${JSON.stringify(entry)}`, () => assert.equal(first(entry), error))
  }

  test('a relative directory', () => {
    assert.equal(first(config({ directory: 'd', path: 'x' })), 'directory must be an absolute file path')
  })

  test('what can never match is a fatal warning, not an error', () => {
    for (const raw of [
      config({ directory: '/d', path: 'x' }, 'anything'),
      config({ directory: '/d', path: 'x' }, 'MOVE'),
      config({ directory: '/d', path: 'x' }, 'create'),
      config({ directory: '/d', path: 'x' }, 'constructor'),
      config({ directory: '/d', path: '../x' }),
      config({ directory: '/d', path: 'sub/x' }),
      config({ directory: '/d', path: '..' }),
    ]) {
      const [only, ...more] = findings(raw)
      assert.equal(more.length, 0)
      assert.equal(only?.severity, 'warning')
      assert.equal(only?.fatal, true)
    }
    assert.deepEqual(findings(config({ directory: '/d', path: 'x..y' })), [])
  })

  test('the examples of the type are fine', () => {
    assert.deepEqual(findings(config({ directory: '/tmp/a', pathRegexp: '\\.csv$' })), [])
  })

  test('the identity is what is watched, not what is told of it', () => {
    const of = (raw: unknown) => JSON.stringify(file.identity!(file.spec.parse(raw)))
    const base = config({ directory: '/d', path: 'x' })
    assert.equal(of(base), of({ ...base, eventType: 'REMOVE', metadata: { a: 'b' } }))
    assert.equal(of(base), of(config({ directory: '/d/', path: 'x' })))
    assert.notEqual(of(base), of({ ...base, polling: true }))
    assert.notEqual(of(base), of(config({ directory: '/e', path: 'x' })))
  })
})

suite('matching', () => {
  test('directories are cleaned', () => {
    assert.equal(cleanDirectory('/a//b/../c/'), '/a/c')
    assert.equal(cleanDirectory('/'), '/')
  })

  test('an expression of exponential cost for others takes no time', () => {
    const matches = matcherOf({ directory: '/d/', pathRegexp: '^(a+)+$' })
    assert.equal(matches(`${'a'.repeat(250)}!`), false)
  })
})
