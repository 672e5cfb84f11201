/** The prose and the examples of the calendar's docs page. */
import type { Example } from '../../source.ts'
import { MAKE_UP_MS, SHORTEST_INTERVAL_MS } from './spec.ts'

const makeUp = `${MAKE_UP_MS / 1000} s`

export const docs = `
A calendar entry has a schedule, and each time of the schedule (a *tick*) becomes one event. One replica serves; the others stand by.

## Schedules

Set one of these; when several are set, the first in this table wins (and \`validate\` says so).

| field | example | meaning |
|---|---|---|
| \`schedule\` | \`"0 9 * * MON-FRI"\` | cron: minute, hour, day of month, month, day of week |
| \`scheduleWithSeconds\` | \`"*/5 * * * * *"\` | the same with seconds in front (not in Argo Events) |
| \`interval\` | \`"10s"\` | a Go duration, at least ${SHORTEST_INTERVAL_MS}ms |

**Cron.** A field is a comma list of \`*\`, \`?\`, \`N\` or \`N-M\`, each with an optional \`/step\`; \`N/step\` runs from N to the end of
the range. Months and days of the week also have names (\`jan\`, \`MON\`); Sunday is 0, and 7 is refused. When neither day field is \`*\` or \`?\`,
a day matches if *either* does: \`0 0 13 * 5\` fires on each 13th and on each Friday. \`*/2\` does not count as \`*\`. Descriptors
such as \`@hourly\` are refused, as in Argo Events. \`TZ=Asia/Tokyo 0 9 * * *\` evaluates one expression in a zone of its own.

**Interval.** Counted from the moment at which the entry served for the first time (the *anchor*, a whole second), which is kept with the entry's position: all
replicas compute the same ticks, also after restarts. From 1s on ticks are at whole seconds (1500ms: 1, 3, 4, 6, … seconds after the anchor); below that they are exact.

Changing the schedule or the time zone of an entry starts it afresh, with a new anchor and nothing to make up.

## Time zones and daylight saving

\`timezone\` is the zone of the schedule; without it, UTC (in Kubernetes the container's \`TZ\`). Intervals do not depend on zones.

| clocks in New York | schedule | fires |
|---|---|---|
| go forward, 02:00 → 03:00 | \`30 2 * * *\` | not on that day |
| go forward | \`0 * * * *\` | each real hour: 01:00, 03:00, 04:00 |
| go back, 02:00 → 01:00 | \`30 1 * * *\` | twice, an hour apart |
| go back | \`30 2 * * *\` | once |

\`exclusionDates\` leaves whole days out. The date in \`EXDATE:20190102T150405Z\` is compared with the day of the tick in \`timezone\`; its time does not matter.

## When something fails

| what happens | ticks |
|---|---|
| the serving replica dies, another takes over | those due meanwhile are made up at once, in order, each once |
| nothing served (or the process was frozen, or the bus took nothing) and the first missed tick is at most ${makeUp} old | all are made up |
| the same for longer | all are skipped; the log says how many, and the next one due is on time |
| the same with \`persistence.catchup.enabled\` | all are made up, or those of the last \`maxDuration\` |
| the wall clock is set forward | as an outage of that length |
| the wall clock is set back | nothing is repeated: the next tick comes when the clock has passed the last one; status says so |
| the bus is slow | later ticks are handed over when due and wait in order, up to 128; beyond that, as an outage |

A tick is never early. The event's id is derived from the time at which it was due, so that a tick emitted by two replicas is stored once.

The position (the last tick, and the anchor) is on the bus, in the same write as the event. So \`persistence.configMap\` is accepted but not used, needs no permission, and
\`persistence.catchup\` works without it.

## Payload

\`\`\`json
{"eventTime":"2026-11-22 15:18:15.000412 +0000 UTC m=+1.050126185","metadata":{"hello":"world"}}
\`\`\`

The form is Go's, as in Argo Events: on time it is the clock's reading in UTC (or the container's \`TZ\`), made up later than a second it is the time at which the tick was due, in
the zone of the schedule and without \`m=\`. Abbreviations such as \`EDT\` come from the system's tzdata; where there is none (some minimal images) the offset stands in their place (\`-04\`).

## What differs from Argo Events

- Ticks are not lost at a failover, and none is doubled; intervals have an anchor instead of starting anew with each leader.
- \`scheduleWithSeconds\` is additional.
- \`0 0 31 2 *\`, intervals that are negative, zero or shorter than ${SHORTEST_INTERVAL_MS}ms flood the bus there; here \`validate\` warns and the entry is not served. From ${SHORTEST_INTERVAL_MS}ms to 1s they work.
- \`TZ=UTC\` without the rest crashes its controller; here it is an error.
- An unknown \`timezone\` and a malformed exclusion date are found by \`validate\`, not at start.
- Where a change of the clocks skips midnight (Beirut) or moves by half an hour (Lord Howe), it loses ticks or fires at the wrong time, and a date that was skipped (Apia, 2011) hangs it; here ticks come when the clock on the wall says so.
`.trim()

const manifest = (name: string, replicas: number, entries: string): string => `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  calendar:
${entries.replace(/^(?=.)/gm, '    ')}`

export const examples: Example[] = [
  {
    name: 'calendar',
    title: 'Every ten seconds, with two standbys',
    yaml: manifest(
      'calendar',
      3,
      `every-ten-seconds:
  interval: 10s
  # put into the payload of every event
  metadata:
    hello: world
`,
    ),
  },
  {
    name: 'calendar-cron',
    title: 'Cron with a time zone, holidays and seconds',
    yaml: manifest(
      'calendar-cron',
      2,
      `# 09:00 in New York on working days, but not on these two
start-of-business:
  schedule: "0 9 * * MON-FRI"
  timezone: America/New_York
  exclusionDates:
    - "EXDATE:20261225T000000Z,20270101T000000Z"
# six fields, the first being seconds
every-fifteen-seconds:
  scheduleWithSeconds: "*/15 * * * * *"
`,
    ),
  },
  {
    name: 'calendar-catchup',
    title: 'Make up what was missed in the last five minutes of any outage',
    yaml: manifest(
      'calendar-catchup',
      2,
      `every-minute:
  schedule: "* * * * *"
  persistence:
    catchup:
      enabled: true
      maxDuration: 5m
`,
    ),
  },
]
