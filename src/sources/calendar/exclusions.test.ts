import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExclusions } from './exclusions.ts'
import { compile } from './spec.ts'

const ticks = (spec: Parameters<typeof compile>[0], after: string, count: number): string[] => {
  const schedule = compile(spec)
  const anchor = Date.parse(after)
  const seen: string[] = []
  for (let at = anchor; seen.length < count; ) {
    at = schedule.next(at, anchor) ?? Number.NaN
    seen.push(new Date(at).toISOString().replace('.000', ''))
  }
  return seen
}

test('lines and dates are sorted into used, malformed and ignored', () => {
  const { days, malformed, ignored } = parseExclusions([
    'EXDATE:20260101T000000Z,20260102T235959.5Z',
    'garbage',
    'exdate:20260103T000000Z',
    'EXDATE:20260230T000000Z,20260101,',
    'EXDATE:20260101T240000Z',
  ])
  assert.deepEqual(
    [...days].map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10)),
    ['2026-01-01', '2026-01-02'],
  )
  assert.deepEqual(
    ignored.map(({ line }) => line),
    [1, 2],
  )
  assert.deepEqual(
    malformed.map(({ line, text }) => `${line} ${text}`),
    ['3 20260230T000000Z', '3 20260101', '3 ', '4 20260101T240000Z'],
  )
})

test('an excluded day has no tick, whatever the time in the exclusion', () => {
  assert.deepEqual(
    ticks(
      { schedule: '0 */12 * * *', exclusionDates: ['EXDATE:20260102T150405Z,20260103T000000Z'] },
      '2026-01-01T11:00:00Z',
      3,
    ),
    ['2026-01-01T12:00:00Z', '2026-01-04T00:00:00Z', '2026-01-04T12:00:00Z'],
  )
})

test('the day is that of the schedule zone, also when its midnight is moved by a change of offset', () => {
  const exclusionDates = ['EXDATE:20260308T000000Z']
  // 8 March 2026 has 23 hours in New York: it ends at 04:00 UTC, not 05:00
  assert.deepEqual(
    ticks({ schedule: '30 * * * *', timezone: 'America/New_York', exclusionDates }, '2026-03-08T04:00:00Z', 3),
    ['2026-03-08T04:30:00Z', '2026-03-09T04:30:00Z', '2026-03-09T05:30:00Z'],
  )
  // 1 November 2026 has 25
  assert.deepEqual(
    ticks(
      { schedule: '30 * * * *', timezone: 'America/New_York', exclusionDates: ['EXDATE:20261101T000000Z'] },
      '2026-11-01T03:00:00Z',
      2,
    ),
    ['2026-11-01T03:30:00Z', '2026-11-02T05:30:00Z'],
  )
})

test('intervals keep their beat over an excluded day', () => {
  assert.deepEqual(ticks({ interval: '7h', exclusionDates: ['EXDATE:20260102T000000Z'] }, '2026-01-01T10:00:00Z', 3), [
    '2026-01-01T17:00:00Z',
    '2026-01-03T04:00:00Z',
    '2026-01-03T11:00:00Z',
  ])
})

test('a day of excluded seconds is passed in one step', () => {
  const exclusionDates = [
    `EXDATE:${Array.from({ length: 28 }, (_, i) => `202602${String(i + 1).padStart(2, '0')}T000000Z`).join(',')}`,
  ]
  assert.deepEqual(ticks({ scheduleWithSeconds: '* * * * * *', exclusionDates }, '2026-01-31T23:59:58Z', 2), [
    '2026-01-31T23:59:59Z',
    '2026-03-01T00:00:00Z',
  ])
})
