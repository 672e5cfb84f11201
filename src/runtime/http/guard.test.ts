import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../test/http-routes.ts'
import { systemClock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { silentLogger } from '../../core/log.ts'
import { createGuard } from './guard.ts'

test('while the Secret cannot be read senders are told to come back, and a condition names it until it can', async () => {
  const ends = new AbortController()
  let value = ''
  const conditions: (string | null)[] = []
  const guard = createGuard(
    { name: 'orders', key: 'token' },
    {
      secret: async () => {
        if (value === '') throw fail('SECRET_MISSING', 'Secret orders has no key token here')
        return value
      },
      clock: systemClock,
      log: silentLogger,
      signal: ends.signal,
      condition: (text) => conditions.push(text),
    },
  )
  await until(() => conditions.length === 1, 'said from the start')
  assert.match(conditions[0]!, /Secret orders/)
  const answer = await guard('Bearer t')
  assert.deepEqual([answer?.status, answer?.headers?.['Retry-After']], [503, '10'])
  value = 't'
  await until(() => conditions.length === 2, 'it can be read again')
  assert.equal(conditions[1], null)
  assert.equal(await guard('Bearer t'), null)
  assert.equal((await guard('Bearer x'))?.status, 401)
  ends.abort()
})
