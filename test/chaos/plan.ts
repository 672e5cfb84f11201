/** What a run of the campaign is to be: drawn from a seed, or read from a file to be done again. Plain JSON. */

export const BUSES = ['embedded', 'jetstream-1', 'jetstream-3', 'kafka-1', 'kafka-3'] as const
export type BusName = (typeof BUSES)[number]

/** A replica: who leads the calendar at that moment, another one, or the one with this number (modulo their count). */
export type Who = 'leader' | 'standby' | number

/** One fault. Times are milliseconds after the load began. */
export interface Fault {
  kind: string
  atMs: number
  /** Until it is healed; 0: it is over at once. */
  lastsMs: number
  who?: Who
  /** Of a server of the bus, or of an origin in {@link Plan.origins}. */
  index?: number
  /** Between the two deaths of a pair. */
  gapMs?: number
  /** What a cut does to the connections. */
  how?: Cut
  /** By which a clock is wrong. */
  offMs?: number
  /** Replicas from now on. */
  to?: number
}

/** `stall`: what is sent waits and goes on later; `lost`: a black hole; `deaf`: answers are dropped; `refuse`: reset, and no new connection; `slow`: half a second each way. */
export const CUTS = ['stall', 'lost', 'deaf', 'refuse', 'slow'] as const
export type Cut = (typeof CUTS)[number]

export interface Plan {
  /** Null: written by hand or shortened. */
  seed: number | null
  bus: BusName
  replicas: number
  /** One EventSource holds all entries, else each kind has its own. */
  together: boolean
  /** How often the entries of the calendar tick. */
  everyMs: number
  /** Names in `origins.ts`. */
  origins: string[]
  loadMs: number
  /** By {@link Fault.atMs}. */
  faults: Fault[]
}

export const endOf = ({ atMs, lastsMs }: Pick<Fault, 'atMs' | 'lastsMs'>): number => atMs + lastsMs

/** A fault in a few words. */
export function shown({ kind, atMs, lastsMs, ...more }: Fault): string {
  const rest = Object.entries(more).map(([name, value]) => `${name} ${value}`)
  const lasting = lastsMs > 0 ? ` for ${(lastsMs / 1000).toFixed(1)} s` : ''
  return `${(atMs / 1000).toFixed(2)} s: ${kind}${lasting}${rest.length > 0 ? ` (${rest.join(', ')})` : ''}`
}

export const shownPlan = ({ bus, replicas, together, everyMs, origins }: Plan): string =>
  `${bus}, ${replicas} replicas, ${together ? 'one EventSource' : 'an EventSource each'}, ticks of ${everyMs} ms, ${origins.join(' and ')}`
