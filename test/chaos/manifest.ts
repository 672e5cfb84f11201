/** What the run is told to do, as it is now: edits change it. Pure. */
import { parse } from 'yaml'
import { orders } from '../faults/orders.ts'
import { clockOf, type Ticking } from '../faults/ticks.ts'
import { manifest as queue } from '../origins/broker.ts'
import type { Plan } from './plan.ts'

export interface Edits {
  replicas: number
  /** An entry that is there for a while only. */
  extra: boolean
  /** The origins whose entries are not there now. */
  without: ReadonlySet<number>
  /** How often each origin's entry was edited. */
  edits: readonly number[]
  /** The file cannot be read. */
  mistake: boolean
}

export interface Reads {
  type: string
  spec: string
  documents: readonly string[]
}

interface Document {
  metadata: { name: string }
  spec: { replicas: number } & Record<string, Record<string, unknown>>
}

/** Entries of the calendar. */
export const ticksOf = ({ everyMs }: Pick<Plan, 'everyMs'>): Ticking[] =>
  Array.from({ length: 4 }, (_, i) => ({ namespace: 'default', entry: `beat${i}`, everyMs }))

export const entryOf = (origin: number): string => `numbers${origin}`

/** The EventSource that holds the origins' entries, the one of the webhook, and the calendar's. */
export const namesOf = ({ together }: Pick<Plan, 'together'>) =>
  together ? { clock: 'clock', orders: 'clock', queue: 'clock' } : { clock: 'clock', orders: 'orders', queue: 'queue' }

/** @param ports free ones @param bus its document */
export function manifestOf(
  plan: Pick<Plan, 'together' | 'everyMs'>,
  { ports, bus, origins }: { ports: number[]; bus: string | null; origins: readonly Reads[] },
  { replicas, extra, without, edits, mistake }: Edits,
): string {
  const clock = parse(clockOf(replicas, ticksOf(plan))) as Document
  // An outage may be long on a busy machine: no tick is to be missing for that.
  for (const entry of Object.values(clock.spec.calendar!) as Record<string, unknown>[])
    entry.persistence = { catchup: { enabled: true } }
  if (extra) clock.spec.calendar!.extra = { interval: '1s' }
  const webhook = parse(orders(replicas)(ports)) as Document
  const read = origins.flatMap((origin, i) =>
    without.has(i) ? [] : [entryDocument(origin, i, replicas, edits[i] ?? 0)],
  )
  const queues = read.reduce<Document | null>((all, one) => (all === null ? one : merged(all, one)), null)
  const documents = plan.together
    ? [[webhook, ...(queues === null ? [] : [queues])].reduce(merged, clock)]
    : [clock, webhook, ...(queues === null ? [] : [queues])]
  const others = origins.flatMap((origin) => origin.documents)
  const text = [...(bus === null ? [] : [bus]), ...others, ...documents.map((one) => JSON.stringify(one))].join(
    '\n---\n',
  )
  return mistake ? `${text}\n---\nkind: [EventSource\n` : text
}

function entryDocument({ type, spec }: Reads, index: number, replicas: number, edited: number): Document {
  const made = parse(queue(type, spec, replicas)) as Document
  const { numbers } = made.spec[type] as { numbers: Record<string, unknown> }
  const metadata = edited > 0 ? { metadata: { edited: String(edited) } } : {}
  made.spec[type] = { [entryOf(index)]: { ...numbers, ...metadata } }
  return made
}

/** The entries of both under the name of the first. */
function merged(one: Document, other: Document): Document {
  const { replicas: _, ...types } = other.spec
  const spec = { ...one.spec }
  for (const [type, entries] of Object.entries(types)) spec[type] = { ...spec[type], ...entries }
  return { ...one, spec }
}
