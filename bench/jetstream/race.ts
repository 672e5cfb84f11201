/** Laps of all contestants in turn, and what they say of one another. */
import { body, fire } from '../fire.ts'
import { median, ms, percentile, perSecond, spread, table } from '../measure.ts'
import { cpuMs } from '../process.ts'
import { type Contestant, type Name, names, start, startProgram } from './contestants.ts'
import { lastSeq, prepareStream } from './stream.ts'

export interface Track {
  /** Servers of the cluster; the stream has as many replicas. */
  urls: string[]
  /** Added to the way to the bus, each direction, milliseconds; 0: none. */
  delayMs: number
}

interface Lap {
  /** Acknowledged events per second. */
  rate: number
  p99Ms: number
  /** CPU of the serving process per acknowledged event, microseconds. */
  cpuUs: number
}

export type Laps = Record<Name, Lap[]>

export interface RaceOptions {
  /** Of each lap. */
  seconds: number
  rounds: number
  connections: number[]
  say: (line: string) => void
}

/**
 * Runs all contestants on one track; all are up all the time, one has the road. The order changes from round to round.
 * @returns the laps by number of connections @throws when a request is refused, or the stream lacks an event that was acknowledged
 */
export async function race({ urls, delayMs }: Track, options: RaceOptions): Promise<Map<number, Laps>> {
  const direct = await prepareStream(urls)
  const delay = delayMs === 0 ? null : await startProgram('delay', String(new URL(direct).port), String(delayMs))
  const bus = delay === null ? direct : `nats://127.0.0.1:${delay.port}`
  const contestants: Contestant[] = []
  try {
    for (const name of names) contestants.push(await start(name, bus))
    // Compiled code and warm connections, for everybody.
    for (const { url } of contestants) await fire(url, { body, connections: 32, seconds: 2 })
    const results = new Map<number, Laps>()
    for (const connections of options.connections) {
      results.set(connections, await laps(contestants, direct, { ...options, connections }))
    }
    return results
  } finally {
    for (const contestant of contestants) await contestant.close()
    await delay?.close()
  }
}

async function laps(
  contestants: Contestant[],
  bus: string,
  { seconds, rounds, connections, say }: Omit<RaceOptions, 'connections'> & { connections: number },
): Promise<Laps> {
  const laps: Laps = { vedette: [], awaited: [], pipelined: [] }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const { name, url, pid } = contestants[(round + i) % contestants.length]!
      const seqBefore = await lastSeq(bus)
      const cpuBefore = cpuMs(pid)
      const { acknowledged, others, rate, latencies } = await fire(url, { body, connections, seconds })
      const cpuUs = ((cpuMs(pid) - cpuBefore) * 1000) / acknowledged
      const stored = (await lastSeq(bus)) - seqBefore
      if (others > 0) throw new Error(`${name} refused ${others} of ${acknowledged + others} requests`)
      if (stored < acknowledged)
        throw new Error(`${name} acknowledged ${acknowledged} events, the stream has ${stored}`)
      laps[name].push({ rate, p99Ms: percentile(latencies, 0.99), cpuUs })
    }
    say(
      `  ${connections} connections, round ${round + 1}: ${names.map((name) => shown(name, laps[name].at(-1)!)).join('; ')}`,
    )
  }
  return laps
}

const shown = (name: Name, { rate, cpuUs }: Lap) => `${name} ${perSecond(rate)}/s, ${ms(cpuUs)} µs`

/** How often faster the product was, in each round. */
export const ratios = (laps: Laps, than: Name, what: 'rate' | 'core'): number[] =>
  laps.vedette.map(({ rate, cpuUs }, round) => {
    const other = laps[than][round]!
    return what === 'rate' ? rate / other.rate : other.cpuUs / cpuUs
  })

const best = (laps: Lap[]): number => Math.max(...laps.map(({ rate }) => rate))

/** What each did, and the product against each. */
export function raceTable(results: Map<number, Laps>): string {
  const rows = [...results].flatMap(([connections, laps]) =>
    names.map((name) => {
      const of = (get: (lap: Lap) => number) => median(laps[name].map(get))
      const against = (what: 'rate' | 'core') =>
        name === 'vedette'
          ? ''
          : `**${median(ratios(laps, name, what)).toFixed(1)}×** (${spread(ratios(laps, name, what))})`
      return [
        String(connections),
        name,
        perSecond(of(({ rate }) => rate)),
        against('rate'),
        perSecond(best(laps[name])),
        name === 'vedette' ? '' : `**${(best(laps.vedette) / best(laps[name])).toFixed(1)}×**`,
        ms(of(({ p99Ms }) => p99Ms)),
        ms(of(({ cpuUs }) => cpuUs)),
        perSecond(1e6 / of(({ cpuUs }) => cpuUs)),
        against('core'),
      ]
    }),
  )
  return table(
    [
      'connections',
      'server',
      'acknowledged/s',
      'vedette ÷ it',
      'best lap/s',
      'best ÷ best',
      'p99 ms',
      'CPU µs/event',
      'per core/s',
      'vedette ÷ it, per core',
    ],
    rows,
  )
}
