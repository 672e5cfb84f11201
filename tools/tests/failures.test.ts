import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectFailures, flakyEntry } from './failures.ts'

const file = 'test/a.test.ts'
const test_ = (name: string, nesting: number, error: unknown = new Error(`${name} is wrong`)) => ({
  ...{ file, name, nesting },
  details: { type: 'test', error },
})
const suite_ = (name: string, nesting: number) => ({ file, name, nesting, details: { type: 'suite' } })
const subtests = Object.assign(new Error('1 subtest failed'), { failureType: 'subtestsFailed' })
const names = (failures: { name: string; count: number }[]) => failures.map(({ name, count }) => [name, count])

test('a test in a suite is run alone by its own name', () => {
  const failures = collectFailures()
  failures.failed(test_('one', 1))
  failures.passed(test_('two', 1))
  failures.failed(suite_('all', 0))
  assert.deepEqual(names(failures.all()), [['one', 1]])
})

test('a test inside of another is run with that one', () => {
  const failures = collectFailures()
  failures.failed(test_('inner', 2))
  failures.failed(test_('other inner', 2))
  failures.failed(test_('outer', 1, subtests))
  failures.failed(suite_('all', 0))
  assert.deepEqual(names(failures.all()), [['outer', 3]])
})

test('what failed in a suite is not taken for what is inside of a later test', () => {
  const failures = collectFailures()
  failures.failed(test_('one', 1))
  failures.failed(suite_('all', 0))
  failures.failed(test_('inner', 1))
  failures.failed(test_('outer', 0, subtests))
  failures.failed({ ...test_('elsewhere', 0), file: 'test/b.test.ts' })
  assert.deepEqual(names(failures.all()), [
    ['one', 1],
    ['outer', 2],
    ['elsewhere', 1],
  ])
})

test('what had to be there before a suite and is not is one failure, of the file', () => {
  const cancelled = Object.assign(new Error('cancelled'), { failureType: 'cancelledByParent' })
  const hook = Object.assign(new Error('hook failed'), { failureType: 'hookFailed', cause: new Error('no broker') })
  const failures = collectFailures()
  failures.failed(test_('one', 2, cancelled))
  failures.failed(test_('two', 2, cancelled))
  failures.failed({ ...suite_('inner', 1), details: { type: 'suite', error: hook } })
  failures.failed({ ...suite_('outer', 0), details: { type: 'suite', error: subtests } })
  assert.deepEqual(names(failures.all()), [[file, 2]])
  assert.match(failures.all()[0]!.log, /no broker/)
})

test('an entry shows the error, and what its file has said', () => {
  const failures = collectFailures()
  failures.said({ file, message: 'the log ends: ```' })
  failures.failed(test_('one', 0, Object.assign(new Error('test failed'), { cause: new Error('7 are lost') })))
  const entry = flakyEntry(failures.all()[0]!, '2026-11-30')
  assert.match(entry, /^## `test\/a\.test\.ts`: one\n\n2026-11-30\n\n```\nError: 7 are lost/)
  assert.match(entry, /the log ends: '''\n```\n$/)
})
