import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FakeClock, fakeClock } from '../../test/fake-clock.ts'
import { following, type Harness, serveInHarness } from '../../test/harness.ts'
import { fail } from '../core/errors.ts'
import type { CalendarPosition } from './calendar/serve.ts'
import { MAKE_UP_MS } from './calendar/spec.ts'
import calendar from './calendar.ts'

const START = '2026-11-22T15:18:14Z'

/** Serves `spec` with its clock at `at` (RFC 3339). */
function serve(
  spec: Record<string, unknown>,
  {
    at = START,
    resume = null,
    clock = fakeClock(Date.parse(at)),
  }: { at?: string; resume?: CalendarPosition | null; clock?: FakeClock } = {},
) {
  return { clock, harness: serveInHarness(calendar, spec, { clock, resume }) }
}

const ids = (harness: Harness<CalendarPosition>) => harness.emitted.map(({ id }) => id)
const eventTimes = (harness: Harness<CalendarPosition>) =>
  harness.emitted.map(({ text }) => (JSON.parse(text) as { eventTime: string }).eventTime)

test('an interval counts from an anchor that is made durable first', async () => {
  const { clock, harness } = serve({ interval: '10s' }, { at: '2026-11-22T15:18:14.700Z' })
  await clock.advance(0)
  const anchor = '2026-11-22T15:18:14.000Z'
  assert.deepEqual(harness.advanced, [{ anchor, last: '2026-11-22T15:18:14.700Z' }])
  await clock.advance(9299)
  assert.deepEqual(ids(harness), [])
  await clock.advance(20_001)
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:24Z', '2026-11-22T15:18:34Z', '2026-11-22T15:18:44Z'])
  assert.deepEqual(harness.emitted[2]?.position, { anchor, last: '2026-11-22T15:18:44.000Z' })
  assert.equal(await harness.stop(), undefined)
  await clock.advance(60_000)
  assert.equal(harness.emitted.length, 3)
})

test('the next leader goes on with the same ticks from anchor and position', async () => {
  const { clock, harness } = serve(
    { interval: '7s' },
    {
      at: '2026-11-22T15:18:30.200Z',
      resume: { anchor: '2026-11-22T15:18:00.000Z', last: '2026-11-22T15:18:07.000Z' },
    },
  )
  await clock.advance(0)
  assert.deepEqual(harness.advanced, [])
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:14Z', '2026-11-22T15:18:21Z', '2026-11-22T15:18:28Z'])
  await clock.advance(4800)
  assert.equal(ids(harness).at(-1), '2026-11-22T15:18:35Z')
  await harness.stop()
})

test('the payload is upstream’s: on time with the age of the process, late with the slot in the zone of the schedule', async () => {
  const { clock, harness } = serve(
    { schedule: '50 18 * * *', timezone: 'America/New_York', metadata: { hello: 'w<o>rld', 10: 'b', 9: 'c' } },
    { at: '2020-10-19T22:50:30Z', resume: { last: '2020-10-19T20:00:00.000Z' } },
  )
  await clock.advance(86_370_000)
  const metadata = '"metadata":{"10":"b","9":"c","hello":"w\\u003co\\u003erld"}'
  assert.deepEqual(
    harness.emitted.map(({ text }) => text.replace(/-0400 (EDT|-04)"/, '-0400 EDT"')),
    [
      `{"eventTime":"2020-10-19 18:50:00 -0400 EDT",${metadata}}`,
      `{"eventTime":"2020-10-20 22:50:00 +0000 UTC m=+86371.000000000",${metadata}}`,
    ],
  )
  await harness.stop()
})

test('a timer that is late by a little still counts as on time, and the clock’s own time is told', async () => {
  const { clock, harness } = serve({ interval: '1s' })
  await clock.advance(500)
  await clock.stall(700.25)
  assert.deepEqual(eventTimes(harness), ['2026-11-22 15:18:15.20025 +0000 UTC m=+2.200250000'])
  await harness.stop()
})

test('the local zone of the process is used where the spec names none', async () => {
  const clock = fakeClock(Date.parse(START))
  const harness = serveInHarness(calendar, { schedule: '0 9 * * *' }, { clock, prepareOnly: true })
  const context = { ...harness.context, localZone: 'Asia/Tokyo' }
  const stopped = following(calendar).serve(context)
  await clock.advance(24 * 3600 * 1000)
  assert.deepEqual(ids(harness), ['2026-11-23T00:00:00Z'])
  assert.match(eventTimes(harness)[0]!, /^2026-11-23 09:00:00 \+0900 (JST|\+09) m=\+/)
  await harness.stop()
  await stopped
})

test('ticks missed in a short outage are made up in order, once', async () => {
  const last = '2026-11-22T15:18:00.000Z'
  const { clock, harness } = serve(
    { interval: '10s' },
    { at: '2026-11-22T15:19:09.900Z', resume: { anchor: last, last } },
  )
  await clock.advance(100)
  assert.deepEqual(
    ids(harness),
    ['15:18:10', '15:18:20', '15:18:30', '15:18:40', '15:18:50', '15:19:00', '15:19:10'].map(
      (time) => `2026-11-22T${time}Z`,
    ),
  )
  assert.deepEqual(eventTimes(harness).slice(0, 1), ['2026-11-22 15:18:10 +0000 UTC'])
  assert.deepEqual(harness.advanced, [])
  await harness.stop()
})

test('the bound of a short outage is exact', async () => {
  const resume = { last: '2026-11-22T15:17:30.000Z' }
  const first = Date.parse('2026-11-22T15:18:00Z')
  const within = serve({ schedule: '* * * * *' }, { resume, clock: fakeClock(first + MAKE_UP_MS) })
  await within.clock.advance(0)
  assert.deepEqual(ids(within.harness), ['2026-11-22T15:18:00Z', '2026-11-22T15:19:00Z'])
  await within.harness.stop()

  const beyond = serve({ schedule: '* * * * *' }, { resume, clock: fakeClock(first + MAKE_UP_MS + 1) })
  await beyond.clock.advance(0)
  assert.deepEqual(ids(beyond.harness), [])
  assert.deepEqual(beyond.harness.advanced, [{ last: '2026-11-22T15:19:00.001Z' }])
  await beyond.clock.advance(60_000)
  assert.deepEqual(ids(beyond.harness), ['2026-11-22T15:20:00Z'])
  await beyond.harness.stop()
})

test('a rare schedule is not lost because its last tick is long ago', async () => {
  const { clock, harness } = serve(
    { schedule: '0 0 * * *' },
    { at: '2026-11-23T00:00:03Z', resume: { last: '2026-11-22T00:00:00.000Z' } },
  )
  await clock.advance(0)
  assert.deepEqual(ids(harness), ['2026-11-23T00:00:00Z'])
  await harness.stop()
})

test('with catch-up everything is made up, or what maxDuration allows', async () => {
  const resume = { last: '2026-11-22T14:00:00.000Z' }
  const all = serve(
    { schedule: '* * * * *', persistence: { catchup: { enabled: true } } },
    { at: '2026-11-22T15:00:30Z', resume },
  )
  await all.clock.advance(0)
  assert.equal(all.harness.emitted.length, 60)
  assert.equal(ids(all.harness)[0], '2026-11-22T14:01:00Z')
  await all.harness.stop()

  const persistence = {
    catchup: { enabled: true, maxDuration: '5m' },
    configMap: { name: 'ignored', createIfNotExist: true },
  }
  const some = serve({ schedule: '* * * * *', persistence }, { at: '2026-11-22T15:00:30Z', resume })
  await some.clock.advance(0)
  assert.deepEqual(some.harness.advanced, [{ last: '2026-11-22T14:55:30.000Z' }])
  assert.deepEqual(
    ids(some.harness),
    ['14:56:00', '14:57:00', '14:58:00', '14:59:00', '15:00:00'].map((time) => `2026-11-22T${time}Z`),
  )
  await some.harness.stop()
})

test('catch-up of nothing does not stop the ticks that are on time', async () => {
  const { clock, harness } = serve({ interval: '1s', persistence: { catchup: { enabled: true, maxDuration: '0s' } } })
  await clock.advance(999)
  await clock.stall(3)
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:15Z'])
  await harness.stop()
})

test('a process that is frozen makes up what it missed, within the same bound', async () => {
  const { clock, harness } = serve({ interval: '10s' })
  await clock.advance(10_000)
  await clock.stall(35_000)
  assert.deepEqual(ids(harness).slice(1), ['2026-11-22T15:18:34Z', '2026-11-22T15:18:44Z', '2026-11-22T15:18:54Z'])
  await clock.stall(MAKE_UP_MS + 10_001)
  assert.equal(harness.emitted.length, 4)
  assert.equal(harness.advanced.length, 2)
  await clock.advance(10_000)
  assert.deepEqual(ids(harness).slice(4), ['2026-11-22T15:20:14Z'])
  await harness.stop()
})

test('a slow bus delays no later tick, and more than 128 in flight are not begun', async () => {
  const { clock, harness } = serve({ interval: '1s' })
  const release = holdEmits(harness)
  await clock.advance(20_000)
  assert.equal(harness.emitted.length, 20)
  assert.equal(eventTimes(harness)[19], '2026-11-22 15:18:34 +0000 UTC m=+21.000000000')
  await clock.advance(150_000)
  assert.equal(harness.emitted.length, 128)
  release()
  await clock.advance(1000)
  const expected = Array.from({ length: 171 }, (_, i) =>
    new Date(Date.parse(START) + (i + 1) * 1000).toISOString().replace('.000', ''),
  )
  assert.deepEqual(ids(harness), expected)
  await harness.stop()
})

test('what is being made up is made up whole, even when that takes its time', async () => {
  const last = START.replace('Z', '.000Z')
  const { clock, harness } = serve(
    { interval: '250ms' },
    { clock: fakeClock(Date.parse(START) + MAKE_UP_MS), resume: { anchor: last, last } },
  )
  const release = holdEmits(harness)
  await clock.advance(50_000)
  assert.equal(harness.emitted.length, 128)
  release()
  await clock.advance(0)
  assert.equal(harness.emitted.length, (MAKE_UP_MS + 50_000) / 250)
  assert.deepEqual(harness.advanced, [])
  await harness.stop()
})

test('a failed emit ends serve at once with its error, also between rare ticks', async () => {
  const { clock, harness } = serve({ schedule: '0 * * * *' })
  const release = holdEmits(harness, fail('OUTCOME_UNKNOWN', 'the bus went away'))
  await clock.advance(3600_000)
  assert.equal(harness.emitted.length, 1)
  release()
  await clock.advance(0)
  assert.match(String(await harness.stop()), /the bus went away/)
})

test('a failed emit is never skipped over', async () => {
  const { clock, harness } = serve({ interval: '1s' })
  const release = holdEmits(harness, fail('OUTCOME_UNKNOWN', 'the bus went away'))
  await clock.advance(5000)
  await clock.stall(MAKE_UP_MS + 5000)
  release()
  await clock.advance(0)
  assert.match(String(await harness.stop()), /the bus went away/)
  assert.equal(harness.advanced.length, 1)
  assert.equal(harness.emitted.length, 5)
})

test('a clock set forward is an outage; set back it repeats nothing and says so', async () => {
  const { clock, harness } = serve({ interval: '10s' })
  await clock.advance(10_000)
  clock.step(30_000)
  await clock.advance(1000)
  assert.deepEqual(ids(harness).slice(1), ['2026-11-22T15:18:34Z', '2026-11-22T15:18:44Z', '2026-11-22T15:18:54Z'])
  clock.step(3600_000)
  await clock.advance(1000)
  assert.equal(harness.emitted.length, 4)
  assert.equal(harness.advanced.length, 2)
  await clock.advance(10_000)
  assert.deepEqual(ids(harness).slice(4), ['2026-11-22T16:19:04Z'])

  clock.step(-60_000)
  await clock.advance(50_000)
  assert.equal(harness.emitted.length, 5)
  assert.equal(harness.conditions.length, 1)
  assert.match(
    harness.conditions[0] ?? '',
    /before the last tick \(2026-11-22T16:19:04\.000Z\).*next one is at 2026-11-22T16:19:14\.000Z/,
  )
  await clock.advance(20_000)
  assert.deepEqual(ids(harness).slice(5), ['2026-11-22T16:19:14Z'])
  assert.equal(harness.conditions.at(-1), null)
  await harness.stop()
})

test('in autumn 01:30 fires twice, in spring 02:30 does not', async () => {
  const spec = { timezone: 'America/New_York', persistence: { catchup: { enabled: true } } }
  const autumn = serve(
    { ...spec, schedule: '30 1 * * *' },
    { at: '2026-11-02T00:00:00Z', resume: { last: '2026-11-01T00:00:00.000Z' } },
  )
  await autumn.clock.advance(0)
  assert.deepEqual(ids(autumn.harness), ['2026-11-01T05:30:00Z', '2026-11-01T06:30:00Z'])
  await autumn.harness.stop()
  const spring = serve(
    { ...spec, schedule: '30 2 * * *' },
    { at: '2026-03-10T00:00:00Z', resume: { last: '2026-03-07T00:00:00.000Z' } },
  )
  await spring.clock.advance(0)
  assert.deepEqual(ids(spring.harness), ['2026-03-07T07:30:00Z', '2026-03-09T06:30:00Z'])
  await spring.harness.stop()
})

test('seconds, and intervals below and between whole seconds', async () => {
  const seconds = serve({ scheduleWithSeconds: '*/20 * * * * *' })
  await seconds.clock.advance(46_000)
  assert.deepEqual(ids(seconds.harness), ['2026-11-22T15:18:20Z', '2026-11-22T15:18:40Z', '2026-11-22T15:19:00Z'])
  await seconds.harness.stop()
  const short = serve({ interval: '250ms' })
  await short.clock.advance(1000)
  assert.deepEqual(
    ids(short.harness),
    ['14.25', '14.5', '14.75', '15'].map((s) => `2026-11-22T15:18:${s}Z`),
  )
  await short.harness.stop()
  const begun = serve({ interval: '250ms' }, { at: '2026-11-22T15:18:14.600Z' })
  await begun.clock.advance(150)
  assert.deepEqual(ids(begun.harness), ['2026-11-22T15:18:14.75Z'])
  await begun.harness.stop()
  const between = serve({ interval: '1500ms' })
  await between.clock.advance(6000)
  assert.deepEqual(
    ids(between.harness),
    ['15', '17', '18', '20'].map((s) => `2026-11-22T15:18:${s}Z`),
  )
  await between.harness.stop()
})

test('a standby that prepares puts nothing on the bus and starts no timer', async () => {
  const clock = fakeClock(Date.parse(START))
  const harness = serveInHarness(calendar, { interval: '1s', timezone: 'Europe/Berlin' }, { clock, prepareOnly: true })
  await clock.advance(5000)
  assert.deepEqual([harness.emitted, harness.advanced, clock.timers], [[], [], 0])
  assert.equal(await harness.stop(), undefined)
})

test('a position that cannot be read is a fresh start', async () => {
  const { clock, harness } = serve({ interval: '1s' }, { resume: { last: 'nonsense' } })
  await clock.advance(1000)
  assert.deepEqual(harness.advanced, [{ anchor: '2026-11-22T15:18:14.000Z', last: '2026-11-22T15:18:14.000Z' }])
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:15Z'])
  await harness.stop()
})

test('what cannot work is not served', async () => {
  for (const spec of [
    {},
    { schedule: '0 0 31 2 *' },
    { interval: '-5s' },
    { interval: '1s', timezone: 'Mars/Olympus' },
  ]) {
    const { clock, harness } = serve(spec)
    await clock.advance(10_000)
    assert.equal(((await harness.stop()) as { code?: string } | undefined)?.code, 'SPEC_INVALID', JSON.stringify(spec))
    assert.deepEqual(harness.emitted, [])
    assert.deepEqual(harness.advanced, [])
  }
})

test('on the machine’s own clock a tick is never early and soon', async () => {
  const harness = serveInHarness(calendar, { interval: '100ms' })
  const seen: number[] = []
  const emit = harness.context.emit
  harness.context.emit = async (event) => {
    seen.push(harness.context.clock.now() - Date.parse(event.id ?? ''))
    return await emit(event)
  }
  await harness.until(() => seen.length >= 10)
  assert.equal(await harness.stop(), undefined)
  assert.ok(Math.min(...seen) >= 0, `early: ${seen}`)
  // the bound is for a busy machine; by itself it is about a millisecond
  assert.ok(seen.sort((a, b) => a - b)[5]! < 50, `late: ${seen}`)
})

/** Emits are recorded but stay open until the returned function is called; they then end, with `error` if there is one. */
function holdEmits(harness: Harness<CalendarPosition>, error?: Error): () => void {
  const gate = Promise.withResolvers<void>()
  gate.promise.catch(() => {})
  const emit = harness.context.emit
  harness.context.emit = async (event) => {
    const emitted = await emit(event)
    await gate.promise
    return emitted
  }
  return () => (error === undefined ? gate.resolve() : gate.reject(error))
}
