import { z } from 'zod'
import { defineSource } from '../source.ts'
import { examples } from './calendar/examples.ts'
import { type CalendarPosition, serveCalendar, warmUp } from './calendar/serve.ts'
import { type CalendarSpec, MAKE_UP_MS, scheduleField, specSchema, validateSpec } from './calendar/spec.ts'

export default defineSource<CalendarSpec, CalendarPosition>({
  type: 'calendar',
  title: 'Calendar',
  summary: 'Fires at the times of a cron expression or at a fixed interval.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    'The id of an event is the time at which its tick was due, and its position is written together with it: whoever serves next ' +
    `goes on after the last tick on the bus, and makes up the ticks of an outage of up to ${MAKE_UP_MS / 1000} s (of any length with persistence.catchup).`,
  ids: 'The time at which the tick was due, together with schedule and time zone: the same on all replicas, whoever tells it.',
  untried: {
    delivery:
      'nobody sends anything, the clock alone makes events: test/faults/calendar.test.ts kills and freezes the serving process and looks for each tick',
  },
  spec: specSchema,
  event: z.object({
    eventTime: z
      .string()
      .describe(
        "The time as Go prints it. On time: the clock's, e.g. `2026-11-22 15:18:15.000412 +0000 UTC m=+1.050126185`, where `m` is the age of " +
          'the process in seconds. Made up later than a second: when the tick was due, in the zone of the schedule, e.g. `2026-10-19 18:50:00 -0400 EDT`.',
      ),
    metadata: z
      .record(z.string(), z.string())
      .optional()
      .describe('`metadata` of the entry, keys sorted; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity(spec) {
    const field = scheduleField(spec)
    return { [field ?? 'schedule']: field === null ? '' : spec[field], timezone: spec.timezone ?? '' }
  },
  // Their last tick says where they stopped.
  follows: 1,
  prepare: warmUp,
  serve: serveCalendar,
})
