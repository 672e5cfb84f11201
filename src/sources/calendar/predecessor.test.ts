/** After Argo Events' own Pods: where a first term of a calendar begins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../../test/fake-clock.ts'
import { type Harness, serveInHarness } from '../../../test/harness.ts'
import type { Predecessor } from '../../source.ts'
import calendar from '../calendar.ts'
import type { CalendarPosition } from './serve.ts'

function serve(
  spec: Record<string, unknown>,
  { at, resume = null, predecessor }: { at: string; resume?: CalendarPosition | null; predecessor: Predecessor },
) {
  const clock = fakeClock(Date.parse(at))
  return { clock, harness: serveInHarness(calendar, spec, { clock, resume, predecessor }) }
}

const ids = (harness: Harness<CalendarPosition>) => harness.emitted.map(({ id }) => id)

/** What Argo Events' Pods left: their last tick as the bus has it, and when ours saw them serve. */
const left = (eventTime: string | null, seenAt: string | null = null): Predecessor => ({
  told:
    eventTime === null
      ? []
      : [{ id: 'random', atMs: Date.parse('2026-11-22T15:18:20.500Z'), data: JSON.stringify({ eventTime }) }],
  seen: seenAt === null ? null : { atMs: Date.parse(seenAt), look: undefined },
})

for (const [what, eventTime] of [
  ['on time', '2026-11-22 15:18:10.000412083 +0000 UTC m=+81.050126185'],
  ['early by the wall clock', '2026-11-22 15:18:09.999700000 +0000 UTC m=+81.050126185'],
  ['late, in the zone of the schedule', '2026-11-22 10:18:10 -0500 EST'],
] as const) {
  test(`after Argo Events' Pods the row of a cron's ticks is unbroken: their last tick was ${what}`, async () => {
    const { clock, harness } = serve(
      { scheduleWithSeconds: '*/5 * * * * *' },
      { at: '2026-11-22T15:18:23.900Z', predecessor: left(eventTime, '2026-11-22T15:10:00Z') },
    )
    await clock.advance(2_000)
    assert.deepEqual(
      ids(harness),
      ['15', '20', '25'].map((second) => `2026-11-22T15:18:${second}Z`),
    )
    assert.equal(harness.advanced.length, 1, 'where it begins is durable first')
    await harness.stop()
  })
}

test('an interval goes on from their last tick, which its ticks are counted from; a later stop of ours does not count it anew', async () => {
  const theirs = left('2026-11-22 15:18:12.345678 +0000 UTC m=+2.000000001')
  const { clock, harness } = serve({ interval: '10s' }, { at: '2026-11-22T15:18:25Z', predecessor: theirs })
  await clock.advance(10_000)
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:22.345Z', '2026-11-22T15:18:32.345Z'])
  const resume = harness.emitted.at(-1)?.position ?? null
  await harness.stop()
  const next = serve({ interval: '10s' }, { at: '2026-11-22T15:18:36Z', resume, predecessor: theirs })
  await next.clock.advance(10_000)
  assert.deepEqual(ids(next.harness), ['2026-11-22T15:18:42.345Z'])
  assert.deepEqual(next.harness.advanced, [])
  await next.harness.stop()
})

test('there, back and there again: what theirs ticked meanwhile is not ticked again, also with catchup', async () => {
  const catchup = { persistence: { catchup: { enabled: true } } }
  const { clock, harness } = serve(
    { schedule: '* * * * *', ...catchup },
    {
      at: '2026-11-22T16:18:30Z',
      resume: { last: '2026-11-22T15:18:00.000Z' },
      predecessor: left('2026-11-22 16:17:00.0001 +0000 UTC m=+3540.1'),
    },
  )
  await clock.advance(60_000)
  assert.deepEqual(ids(harness), ['2026-11-22T16:18:00Z', '2026-11-22T16:19:00Z'])
  await harness.stop()
})

test('theirs never ticked: the first term begins when they were first seen, before they stopped', async () => {
  const { clock, harness } = serve(
    { schedule: '* * * * *' },
    { at: '2026-11-22T15:19:02Z', predecessor: left(null, '2026-11-22T15:18:40Z') },
  )
  await clock.advance(0)
  assert.deepEqual(ids(harness), ['2026-11-22T15:19:00Z'])
  await harness.stop()
})

test('of theirs that have told nothing since our own last tick none is taken over: all that were due are made up', async () => {
  const resume = { anchor: '2026-11-22T15:18:00.000Z', last: '2026-11-22T15:18:30.000Z' }
  const { clock, harness } = serve(
    { interval: '10s' },
    { at: '2026-11-22T15:19:02Z', resume, predecessor: left(null, '2026-11-22T15:18:40Z') },
  )
  await clock.advance(0)
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:40Z', '2026-11-22T15:18:50Z', '2026-11-22T15:19:00Z'])
  await harness.stop()
})

test('an EventSource that stood still on Argo Events for days does not flood: the rule for our own outages holds', async () => {
  const days = { at: '2026-11-25T15:18:30Z', predecessor: left('2026-11-22 15:18:00.0001 +0000 UTC m=+1.1') }
  const { clock, harness } = serve({ schedule: '* * * * *' }, days)
  await clock.advance(60_000)
  assert.deepEqual(ids(harness), ['2026-11-25T15:19:00Z'])
  await harness.stop()
  const persistence = { catchup: { enabled: true, maxDuration: '160s' } }
  const caught = serve({ schedule: '* * * * *', persistence }, days)
  await caught.clock.advance(0)
  assert.deepEqual(ids(caught.harness), ['2026-11-25T15:16:00Z', '2026-11-25T15:17:00Z', '2026-11-25T15:18:00Z'])
  await caught.harness.stop()
})

test('an event of theirs that names no time: when they made it counts', async () => {
  const theirs = left('soon')
  const { clock, harness } = serve({ interval: '10s' }, { at: '2026-11-22T15:18:25Z', predecessor: theirs })
  await clock.advance(10_000)
  assert.deepEqual(ids(harness), ['2026-11-22T15:18:30.5Z'])
  await harness.stop()
})
