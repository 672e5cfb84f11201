import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { createLogger } from './log.ts'
import { ratedLogger } from './rated-log.ts'

test('a line per kind and minute, with how many were left out; what follows a colon makes no other kind', async () => {
  const clock = fakeClock()
  const lines: Record<string, unknown>[] = []
  const log = ratedLogger(
    createLogger({
      format: 'json',
      level: 'debug',
      redact: (text) => text,
      write: (line) => lines.push(JSON.parse(line)),
    }),
    clock,
  )
  for (let n = 0; n < 1_000; n++) log.warn(`refused: ${n}`, { n })
  log.info('refused')
  log.warn('another')
  assert.deepEqual(
    lines.splice(0).map(({ msg, n, leftOut }) => [msg, n, leftOut]),
    [
      ['refused: 0', 0, undefined],
      ['refused', undefined, undefined],
      ['another', undefined, undefined],
    ],
  )
  await clock.advance(60_000)
  log.warn('refused: x', { n: 7 })
  assert.deepEqual(
    lines.splice(0).map(({ msg, n, leftOut }) => [msg, n, leftOut]),
    [['refused: x', 7, 999]],
  )
  for (let n = 0; n < 10_000; n++) log.error(`kind ${n}`)
  assert.ok(lines.length <= 110, `${lines.length} lines`)
  for (let n = 0; n < 5; n++) log.debug('seen')
  assert.equal(lines.filter(({ msg }) => msg === 'seen').length, 5)
})
