import assert from 'node:assert/strict'
import test from 'node:test'
import type { DeliveryStatus, Status } from '../api/status.ts'
import { statusText } from './statusText.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')

function textOf(deliver: DeliveryStatus): string {
  const status: Status = {
    eventSources: [],
    bus: { kind: 'embedded', fencing: 'strict', connected: true },
    failovers: [],
    problems: [],
    deliver,
    notServed: [],
    run: { pid: 1, startedAt: '2026-01-02T03:00:00Z', api: '', ready: true },
  }
  return statusText(status, { nowMs, paint: (_, text) => text })
}

const fine: DeliveryStatus = {
  url: 'http://receiver/in',
  delivered: 7,
  attempts: 7,
  refused: {},
  lost: 0,
  cursor: 7,
  head: 7,
  error: null,
}

test('a delivery that goes on takes one line', () => {
  assert.match(textOf(fine), /^delivers to http:\/\/receiver\/in: 7 in this run$/m)
})

test('what holds a delivery up is told with the event, since when, and what comes next', () => {
  const text = textOf({
    ...fine,
    head: 20,
    error: 'the receiver answered 401 Unauthorized: token expired\u001b[2J',
    errorSince: '2026-01-02T03:02:05Z',
    oldestAt: '2026-01-02T03:01:05Z',
    lost: 3,
    held: {
      id: 'abc',
      seq: 8,
      subject: 'default.orders.all',
      namespace: 'default',
      refusals: 12,
      nextAttemptAt: '2026-01-02T03:04:15Z',
      droppedAfter: 4,
    },
  })
  assert.match(text, /^delivers to http:\/\/receiver\/in: 7 in this run, behind by up to 13, the oldest of 3m ago$/m)
  assert.match(
    text,
    /answered 401 Unauthorized: token expired\\u001b\[2J \(for 2m\); it is tried again until it works$/m,
  )
  assert.match(text, /event abc of default\.orders\.all, number 8, was tried 12 times, the next time in 10s$/m)
  assert.match(text, /let go up to 4 events after it/)
  assert.match(text, /up to 3 events were let go by the bus before they could be delivered/)
  assert.doesNotMatch(text, /\u001b/)
})
