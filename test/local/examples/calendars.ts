/** Examples that tick by themselves, on a run whose clock stands shortly before nine in the morning of a working day in New York. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freePorts } from '../../servers/process.ts'
import { origin, type Sent } from './example.ts'
import { webhook } from './hooks.ts'

/** A Monday without a daylight saving change, in UTC. */
const NINE_IN_NEW_YORK = Date.parse('2027-03-01T14:00:00Z')
/** Until then every entry must be served: what was due before it is none of its ticks. */
const LEAD_MS = 60_000

const ticks: Sent = { data: () => ({}) }

export const calendars = origin({
  files: ['quickstart', 'calendar', 'calendar-cron', 'calendar-catchup', 'upstream/calendar'],
  skip: false,
  async start() {
    const [port] = (await freePorts(1)) as [number]
    const preload = pathToFileURL(join(import.meta.dirname, '../../faults/shifted-clock.ts'))
    return {
      env: {
        VEDETTE_TEST_CLOCK_MS: String(NINE_IN_NEW_YORK - LEAD_MS - Date.now()),
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${preload}`,
      },
      examples: {
        quickstart: {
          put: { 'webhook.orders.port': String(port) },
          entries: { orders: webhook(`http://127.0.0.1:${port}/orders`), 'every-10-seconds': ticks },
        },
        calendar: { entries: { 'every-ten-seconds': { data: () => ({ metadata: { hello: 'world' } }) } } },
        'calendar-cron': { entries: { 'start-of-business': ticks, 'every-fifteen-seconds': ticks } },
        'calendar-catchup': { entries: { 'every-minute': ticks } },
        'upstream/calendar': { entries: { 'example-with-interval': ticks } },
      },
    }
  },
})
