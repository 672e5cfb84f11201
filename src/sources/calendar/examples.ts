/** The examples of the type `calendar`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

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
