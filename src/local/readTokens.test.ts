import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { directory } from '../../test/local/program.ts'
import { type Logger, silentLogger } from '../core/log.ts'
import { isLoopback, readingBy } from './reading.ts'
import { readTokens } from './readTokens.ts'

const [old, fresh] = ['0123456789abcdef-old', '0123456789abcdef-new']

test('tokens are those of the file as it is now, one a line', async (t) => {
  const file = join(directory(t), 'token')
  const clock = fakeClock()
  const lines: string[] = []
  const log: Logger = { ...silentLogger, error: (line) => void lines.push(line) }
  writeFileSync(file, `${old}\n`)
  const tokens = readTokens(file, { clock, log })
  assert.deepEqual(tokens(), [old])
  writeFileSync(file, `  ${fresh}\r\n\n${old}`)
  assert.deepEqual(tokens(), [old], 'looked at once a second')
  await clock.advance(1000)
  assert.deepEqual(tokens(), [fresh, old])
  rmSync(file)
  await clock.advance(1000)
  assert.deepEqual(tokens(), [])
  await clock.advance(5000)
  assert.deepEqual(tokens(), [])
  assert.equal(lines.length, 1, 'said once')
  writeFileSync(file, fresh)
  await clock.advance(1000)
  assert.deepEqual(tokens(), [fresh])
})

test('a file that gives no token is refused, without what is in it', (t) => {
  const dir = directory(t)
  const at = { clock: fakeClock(), log: silentLogger }
  assert.throws(() => readTokens(join(dir, 'none'), at), { code: 'USAGE', message: /none cannot be read \(ENOENT\)/ })
  for (const [text, why] of [
    [' \n', /is empty/],
    ['short', /at least 16 characters/],
    ['two words of a line', /without spaces/],
  ] as const) {
    const file = join(dir, 'wrong')
    writeFileSync(file, text)
    assert.throws(
      () => readTokens(file, at),
      (error: Error) => why.test(error.message) && (text.trim() === '' || !error.message.includes(text)),
    )
  }
})

test('reading is free on this machine alone, unless it is said', (t) => {
  for (const own of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(own), own)
  for (const other of ['0.0.0.0', '::', '10.0.0.1', '1.127.0.0', '::ffff:10.0.0.1', 'fe80::1'])
    assert.ok(!isLoopback(other), other)
  const lines: string[] = []
  const note = (level: string) => (line: string) => void lines.push(`${level} ${line}`)
  const at = { clock: fakeClock(), log: { ...silentLogger, info: note('info'), warn: note('warn') }, data: '/data' }
  const by = (address: string, open = false, tokenFile?: string) =>
    readingBy({ tokenFile, open }, { address, port: 1 }, at)
  assert.equal(by('127.0.0.1'), null)
  assert.deepEqual(lines, [])
  assert.deepEqual(by('0.0.0.0')?.(), [])
  assert.match(lines.pop()!, /^info .*0\.0\.0\.0:1 .*run\.json; --read-token-file/)
  assert.equal(by('::', true), null)
  assert.match(lines.pop()!, /^warn .*everybody.*--open-reading/)
  const file = join(directory(t), 'token')
  writeFileSync(file, old)
  assert.deepEqual(by('127.0.0.1', false, file)?.(), [old])
})
