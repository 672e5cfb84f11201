import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import calendar from '../calendar.ts'

const findings = (spec: Record<string, unknown>) => calendar.validate?.(calendar.spec.parse(spec)) ?? []

test('upstream’s verdicts in upstream’s words', () => {
  const verdicts: [Record<string, unknown>, string | null][] = [
    [{}, 'must have either schedule or interval'],
    [{ interval: '10s' }, null],
    [{ interval: '10' }, 'failed to parse interval 10 from calendar event. Cause: time: missing unit in duration "10"'],
    [
      { schedule: '* * * *' },
      'failed to parse schedule * * * * from calendar event. Cause: expected exactly 5 fields, found 4: [* * * *]',
    ],
    [
      { schedule: '* * * * * *' },
      'failed to parse schedule * * * * * * from calendar event. Cause: expected exactly 5 fields, found 6: [* * * * * *]',
    ],
    [
      { schedule: '@hourly' },
      'failed to parse schedule @hourly from calendar event. Cause: parser does not accept descriptors: @hourly',
    ],
    [
      { schedule: '@every 1m' },
      'failed to parse schedule @every 1m from calendar event. Cause: parser does not accept descriptors: @every 1m',
    ],
    [{ schedule: 'TZ=Asia/Tokyo 0 9 * * *' }, null],
    [
      { schedule: '0 9 * * 7' },
      'failed to parse schedule 0 9 * * 7 from calendar event. Cause: end of range (7) above maximum (6): 7',
    ],
    [{ schedule: '*/5 * * * *', interval: 'bad' }, null],
    [{ interval: '-5s' }, null],
    [{ interval: '0s' }, null],
    [
      { schedule: '60 * * * *' },
      'failed to parse schedule 60 * * * * from calendar event. Cause: end of range (60) above maximum (59): 60',
    ],
    [{ schedule: '5/15 * * * *' }, null],
    [{ schedule: '1-5/2,10 * * JAN *' }, null],
    [{ interval: '1s', exclusionDates: ['garbage'] }, null],
    // upstream crashes
    [
      { schedule: 'TZ=UTC' },
      'failed to parse schedule TZ=UTC from calendar event. Cause: expected exactly 5 fields, found 0: []',
    ],
  ]
  for (const [spec, error] of verdicts) {
    const errors = findings(spec).filter(({ severity }) => severity === 'error')
    assert.deepEqual(
      errors.map(({ message }) => message),
      error === null ? [] : [error],
      JSON.stringify(spec),
    )
  }
})

test('warnings for what upstream accepts and cannot work', () => {
  const told = (spec: Record<string, unknown>) =>
    findings(spec).map(({ severity, path, fatal = false }) => `${severity}${fatal ? ' fatal' : ''} ${path.join('.')}`)
  assert.deepEqual(
    told({ interval: '10s', timezone: 'Europe/Berlin', exclusionDates: ['EXDATE:20190102T150405Z'] }),
    [],
  )
  assert.deepEqual(told({ interval: '100ms' }), [])
  for (const interval of ['99ms', '0s', '-5s', '100.5ms'])
    assert.deepEqual(told({ interval }), ['warning fatal interval'], interval)
  assert.deepEqual(told({ schedule: '0 0 31 2 *' }), ['warning fatal schedule'])
  assert.deepEqual(told({ scheduleWithSeconds: '0 0 0 31 2 *' }), ['warning fatal scheduleWithSeconds'])
  assert.deepEqual(told({ scheduleWithSeconds: '* * * * *' }), ['error scheduleWithSeconds'])
  assert.deepEqual(told({ interval: '1s', timezone: 'Mars/Olympus' }), ['warning fatal timezone'])
  assert.deepEqual(told({ interval: '1s', exclusionDates: ['garbage', 'EXDATE:2026'] }), [
    'warning fatal exclusionDates.1',
    'warning exclusionDates.0',
  ])
  assert.deepEqual(told({ schedule: '* * * * *', scheduleWithSeconds: '* * * * * *', interval: '1s' }), [
    'warning scheduleWithSeconds',
    'warning interval',
  ])
  for (const maxDuration of ['5', '-5m']) {
    const persistence = { catchup: { enabled: true, maxDuration } }
    assert.deepEqual(told({ interval: '1s', persistence }), ['warning fatal persistence.catchup.maxDuration'])
  }
  assert.deepEqual(told({ interval: '1s', persistence: { catchup: { maxDuration: '5' } } }), [])
})

test('identity is the schedule in force and its zone, nothing else', () => {
  const identity = (spec: Record<string, unknown>) => JSON.stringify(calendar.identity?.(calendar.spec.parse(spec)))
  assert.equal(identity({ interval: '1s', metadata: { a: 'b' } }), identity({ interval: '1s' }))
  assert.equal(identity({ schedule: '* * * * *', interval: '1s' }), identity({ schedule: '* * * * *', interval: '2s' }))
  assert.notEqual(identity({ interval: '1s' }), identity({ interval: '2s' }))
  assert.notEqual(identity({ interval: '1s' }), identity({ interval: '1s', timezone: 'Asia/Tokyo' }))
})

test('every example is a manifest of which validate has nothing to say', () => {
  assert.deepEqual(
    calendar.examples.map(({ name }) => name),
    ['calendar', 'calendar-cron', 'calendar-catchup'],
  )
  for (const { name, yaml } of calendar.examples) {
    const [document, ...more] = parseAllDocuments(yaml)
    assert.equal(more.length, 0)
    const manifest = document?.toJS() as { kind: string; spec: { calendar: Record<string, Record<string, unknown>> } }
    assert.equal(manifest.kind, 'EventSource')
    for (const spec of Object.values(manifest.spec.calendar)) assert.deepEqual(findings(spec), [], name)
  }
})
