import assert from 'node:assert/strict'
import test from 'node:test'
import { parseBind } from './bind.ts'
import { parseListen, parseReaders } from './run.ts'

test('an address without a host is this machine alone', () => {
  for (const [text, host, port] of [
    [':7780', '127.0.0.1', 7780],
    ['7780', '127.0.0.1', 7780],
    [':0', '127.0.0.1', 0],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['[::]:80', '::', 80],
    ['vedette.example:80', 'vedette.example', 80],
  ] as const) {
    assert.deepEqual(parseListen(text), { host, port }, text)
  }
  for (const wrong of ['', ':', 'x', 'host:', '::1:80', '[]:80', '[x]:80', 'a b:80', ':65536', '123456', '*', '-1']) {
    assert.throws(() => parseListen(wrong), { code: 'USAGE', message: /^--listen ".*127\.0\.0\.1:7780/ }, wrong)
  }
})

test('an address to bind to is never empty, and has no port', () => {
  for (const right of ['0.0.0.0', '::', '::1', '10.1.2.3', 'localhost', 'a.b-c.example'])
    assert.equal(parseBind(right), right)
  assert.equal(parseBind('[::1]'), '::1')
  for (const wrong of ['', ' ', ':', ':80', '0.0.0.0:80', '[]', 'a b', '-x', '*'])
    assert.throws(() => parseBind(wrong), { code: 'USAGE', message: /^--bind ".*0\.0\.0\.0 for every one/ }, wrong)
})

test('a number of readers is 1 or more', () => {
  assert.equal(parseReaders('200'), 200)
  for (const wrong of ['0', '-1', '', 'many', '1.5', '1e3']) assert.throws(() => parseReaders(wrong), { code: 'USAGE' })
})
