/** Reads one topic from wherever its leaders are. */
import type { KafkaClient, KafkaTopic } from '../../clients/kafka.ts'
import { innermost } from '../../clients/kafka-errors.ts'
import {
  type Fetch,
  type Fetched,
  type FetchLimits,
  fetcher,
  type KafkaRecord,
  OFFSET_OUT_OF_RANGE,
} from '../../clients/kafka-fetch.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { tryUntil } from './patience.ts'

export interface Reader {
  readonly topic: string
  partitions(): Promise<number>
  /** Another one after the topic was deleted and made anew. @throws BUS_UNAVAILABLE */
  identity(): Promise<string>
  /** By partition. @throws BUS_UNAVAILABLE */
  offsets(at: 'earliest' | 'stored'): Promise<Map<number, number>>
  /** What is committed from these offsets on, which it moves. @param toTheEnd see {@link FetchLimits}. @throws BUS_UNAVAILABLE */
  next(from: Map<number, number>, maxWaitMs: number, toTheEnd?: boolean): Promise<Fetched[]>
}

const PATIENCE_MS = 10_000
const PAUSE = { firstMs: 20, maxMs: 500 }
const MAX_BYTES = 16 << 20

/** @param maxBytes of one answer; of a larger record that record */
export function createReader(
  client: KafkaClient,
  name: string,
  clock: Clock,
  signal: AbortSignal,
  maxBytes = MAX_BYTES,
): Reader {
  let known: { topic: KafkaTopic; fetch: Fetch } | null = null
  const found = async () => {
    if (known === null) {
      const topic = await client.topic(name)
      known = { topic, fetch: await fetcher(client, name, topic) }
    }
    return known
  }
  /** Looks for the leaders anew as long as a try fails. */
  const patiently = async <T>(work: () => Promise<T>): Promise<T> => {
    const deadline = clock.monotonic() + PATIENCE_MS
    for (let attempt = 0; ; attempt++) {
      try {
        return await tryUntil(deadline, work, clock)
      } catch (error) {
        known = null
        if (signal.aborted || clock.monotonic() > deadline) {
          throw fail('BUS_UNAVAILABLE', `topic ${name}: ${innermost(error)}`, {}, { cause: error })
        }
        await clock.sleep(backoffMs(attempt, PAUSE))
      }
    }
  }
  const offsets = (at: 'earliest' | 'stored') =>
    patiently(async () => {
      const { topic } = await found()
      const of = await client.offsets(name, [...topic.leaders.keys()], at)
      return new Map(Object.entries(of).map(([partition, offset]) => [Number(partition), offset]))
    })
  return {
    topic: name,
    partitions: () => patiently(async () => (await found()).topic.leaders.length),
    identity: () =>
      patiently(async () => {
        const { id } = await client.topic(name)
        if (known !== null && known.topic.id !== id) known = null
        return id
      }),
    offsets,
    async next(from, maxWaitMs, toTheEnd = false) {
      const fetched = await patiently(async () => {
        const { topic, fetch } = await found()
        const limits: FetchLimits = {
          minBytes: 1,
          maxWaitMs,
          maxBytes,
          partitionMaxBytes: maxBytes,
          readCommitted: true,
          toTheEnd,
        }
        const byLeader = Map.groupBy(from, ([partition]) => topic.leaders[partition]!)
        const all = await Promise.all([...byLeader].map(([node, of]) => fetch(node, new Map(of), limits)))
        const failed = all.flat().find(({ error }) => error !== 0 && error !== OFFSET_OUT_OF_RANGE)
        if (failed !== undefined)
          throw new Error(`partition ${failed.partition}: the broker says error ${failed.error}`)
        return all.flat()
      })
      for (const one of fetched) if (one.error === 0) from.set(one.partition, one.next)
      if (fetched.some(({ error }) => error === OFFSET_OUT_OF_RANGE)) {
        // Retention was faster.
        const earliest = await offsets('earliest')
        for (const [partition, offset] of from) from.set(partition, Math.max(offset, earliest.get(partition) ?? 0))
      }
      return fetched
    },
  }
}

/** {@link readToEnd}, record by record. */
export async function* recordsToEnd(
  reader: Reader,
  from: Map<number, number>,
  heard?: () => void,
): AsyncGenerator<{ partition: number; record: KafkaRecord }> {
  for await (const fetched of readToEnd(reader, from, heard))
    for (const { partition, records } of fetched) for (const record of records) yield { partition, record }
}

const OPEN_WAIT_MS = 100
/** Of a transaction that its producer has left open, the broker lets go within 20 s: its time-out, and as much until that is looked at. */
const MOST_WAITS = 30_000 / OPEN_WAIT_MS

/** Everything up to what is stored now, as soon as what is open now has ended. @param heard told at each answer. @throws BUS_UNAVAILABLE, also when that does not end */
export async function* readToEnd(
  reader: Reader,
  from: Map<number, number>,
  heard = () => {},
): AsyncGenerator<Fetched[]> {
  const end = await reader.offsets('stored')
  const missing = () => new Map([...from].filter(([partition, offset]) => offset < (end.get(partition) ?? 0)))
  let waits = 0
  for (let left = missing(); left.size > 0; left = missing()) {
    const fetched = await reader.next(left, OPEN_WAIT_MS, true)
    heard()
    const moved = [...left].some(([partition, offset]) => offset > (from.get(partition) ?? 0))
    waits = moved ? 0 : waits + 1
    if (waits > MOST_WAITS) {
      const [[partition, offset]] = [...left] as [[number, number]]
      const where = `topic ${reader.topic}, partition ${partition}: a transaction is open at offset ${offset} of ${end.get(partition)}`
      throw fail('BUS_UNAVAILABLE', `${where} and does not end; kafka-transactions.sh tells whose it is`)
    }
    for (const [partition, offset] of left) from.set(partition, offset)
    yield fetched
  }
}
