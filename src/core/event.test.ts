import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeEvent, encodeEvent, eventData, eventEncoder, randomId, rfc3339Nano } from './event.ts'

test('times are as Go writes them: up to microseconds, no zeros at the end, before and after the epoch', () => {
  for (const [timeMs, text] of [
    [0, '1970-01-01T00:00:00Z'],
    [1, '1970-01-01T00:00:00.001Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [1_763_963_999_999.5, '2025-11-24T05:59:59.9995Z'],
    [1_763_964_000_000, '2025-11-24T06:00:00Z'],
    [1_763_964_000_120.25, '2025-11-24T06:00:00.12025Z'],
    [1_763_964_000_100, '2025-11-24T06:00:00.1Z'],
  ] as const)
    assert.equal(rfc3339Nano(timeMs), text)
})

test('an encoder gives each event the bytes it would have alone, also when the second changes and when the clock goes back', () => {
  const common = { source: 'a b', type: 'webhook', subject: 'ü<"' }
  const encode = eventEncoder(common)
  const data = Buffer.from('{"x":1}')
  for (const timeMs of [1_000, 1_999.5, 2_000, 1_500, 2_000.001, -0.5]) {
    const id = randomId()
    assert.deepEqual(encode(id, timeMs, data), encodeEvent({ ...common, id, timeMs }, data))
  }
  const event = decodeEvent(encode('4711', 1_500, data))
  assert.deepEqual(
    [event.id, event.source, event.subject, event.time, String(eventData(event))],
    ['4711', 'a%20b', 'ü<"', '1970-01-01T00:00:01.5Z', '{"x":1}'],
  )
})

test('random ids are 32 hex digits, none twice', () => {
  const ids = Array.from({ length: 1000 }, randomId)
  assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)))
  assert.equal(new Set(ids).size, ids.length)
})
