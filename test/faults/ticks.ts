/** Calendar entries that tick, and the check that the log has each of their ticks once. */
import assert from 'node:assert/strict'
import { eventId, rfc3339Nano } from '../../src/core/event.ts'
import { fingerprintOf } from '../../src/runtime/fingerprint.ts'
import calendar from '../../src/sources/calendar.ts'
import type { Line } from './rig.ts'

/** An entry that ticks; by default `tick` of the EventSource `clock`, each second. */
export interface Ticking {
  namespace: string
  entry: string
  everyMs: number
}

const perSecond: Ticking = { namespace: 'default', entry: 'tick', everyMs: 1000 }

/** The EventSource `clock` with these entries. @param catchup missed ticks are made up also after more than a minute */
export const clockOf = (
  replicas: number,
  entries: Ticking[],
  { namespace = 'default', catchup = false }: { namespace?: string; catchup?: boolean } = {},
): string =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: clock
  namespace: ${namespace}
spec:
  replicas: ${replicas}
  calendar:
${entries.map(({ entry, everyMs }) => `    ${entry}:\n      interval: ${everyMs}ms\n${catchup ? CATCHUP : ''}`).join('')}`

const CATCHUP = '      persistence: { catchup: { enabled: true, maxDuration: 10m } }\n'

export const ticking = (replicas: number) => () => clockOf(replicas, [perSecond])

/** The ids of an entry's ticks, by the time at which they are due, milliseconds since the epoch. */
export function idsOf({ namespace, entry, everyMs }: Ticking): (dueMs: number) => string {
  const fingerprint = fingerprintOf(calendar, calendar.spec.parse({ interval: `${everyMs}ms` }))
  return (dueMs) => eventId(namespace, 'clock', entry, `${fingerprint}/${rfc3339Nano(dueMs)}`)
}

/** The lines are the unbroken row of an entry's ticks: none missing, none doubled, in order. @returns how many */
export function assertEveryTickOnce(lines: Line[], of: Ticking = perSecond): number {
  const idAt = idsOf(of)
  const firstMs = timeOfTick(lines[0], of)
  const ids = lines.map((line) => line.event.id)
  const wrong = ids.findIndex((id, i) => id !== idAt(firstMs + i * of.everyMs))
  const around = lines
    .slice(Math.max(0, wrong - 3), wrong + 3)
    .map((line) => `${line.seq} ${line.time} ${line.event.id}`)
  assert.equal(wrong, -1, `${of.entry}: not the unbroken row of ticks from event ${wrong} on:\n${around.join('\n')}`)
  return ids.length
}

/** When the tick of this line was due. */
export function timeOfTick(line: Line | undefined, of: Ticking = perSecond): number {
  assert.ok(line, `no tick of ${of.entry} is on the log`)
  const idAt = idsOf(of)
  // Intervals are anchored at a whole second.
  const storedMs = Date.parse(line.time)
  const lastMs = storedMs - (storedMs % of.everyMs)
  for (let dueMs = lastMs; dueMs > storedMs - 120_000; dueMs -= of.everyMs) {
    if (idAt(dueMs) === line.event.id) return dueMs
  }
  throw new Error(`${line.event.id} is not the id of a tick near ${line.time}`)
}
