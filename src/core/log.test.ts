import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './log.ts'

test('a field that the logger has already is written once, however often it is given', () => {
  const lines: string[] = []
  const log = createLogger({ format: 'json', redact: (text) => text, write: (line) => lines.push(line) })
  const child = log.child({ eventSourceName: 'a' }).child({ eventSourceName: 'a', eventName: 'e' })
  child.info('hello', { eventSourceName: 'a', more: 1 })
  assert.deepEqual(
    lines.map((line) => [...line.matchAll(/"(\w+)":/g)].map(([, key]) => key)),
    [['level', 'ts', 'logger', 'eventSourceName', 'eventName', 'more', 'msg']],
  )
})
