/** Checks of a calendar entry `tick` of the EventSource `clock` that ticks each second. */
import assert from 'node:assert/strict'
import { eventId } from '../../src/core/event.ts'
import { fingerprintOf } from '../../src/runtime/fingerprint.ts'
import calendar from '../../src/sources/calendar.ts'
import type { Line } from './rig.ts'

export const ticking = (replicas: number) => () =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: clock
spec:
  replicas: ${replicas}
  calendar:
    tick:
      interval: 1s
`

const fingerprint = fingerprintOf(calendar, calendar.spec.parse({ interval: '1s' }))

/** The id of the tick at `ms`. */
const idAt = (ms: number): string =>
  eventId(
    'default',
    'clock',
    'tick',
    `${fingerprint === '' ? '' : `${fingerprint}/`}${new Date(ms).toISOString().replace('.000Z', 'Z')}`,
  )

/** The lines are the unbroken row of ticks: none missing, none doubled, in order. @returns how many */
export function assertEveryTickOnce(lines: Line[]): number {
  const firstMs = timeOfTick(lines[0])
  const ids = lines.map((line) => line.event.id)
  const expected = lines.map((_, i) => idAt(firstMs + i * 1000))
  const wrong = ids.findIndex((id, i) => id !== expected[i])
  const around = lines
    .slice(Math.max(0, wrong - 3), wrong + 3)
    .map((line) => `${line.seq} ${line.time} ${line.event.id}`)
  assert.equal(wrong, -1, `not the unbroken row of ticks from event ${wrong} on:\n${around.join('\n')}`)
  return ids.length
}

/** When the tick of this line was due. */
export function timeOfTick(line: Line | undefined): number {
  assert.ok(line, 'no tick is on the log')
  const storedMs = Math.floor(Date.parse(line.time) / 1000) * 1000
  for (let back = 0; back < 120; back++) {
    if (idAt(storedMs - back * 1000) === line.event.id) return storedMs - back * 1000
  }
  throw new Error(`${line.event.id} is not the id of a tick near ${line.time}`)
}
