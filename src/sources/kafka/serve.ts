/** Reads partitions from the brokers that lead them, publishes in order and side by side, and commits what the bus holds. */
import type { KafkaClient, KafkaOffsets, KafkaTopic } from '../../clients/kafka.ts'
import { type Fetch, type Fetched, fetcher, type KafkaRecord, OFFSET_OUT_OF_RANGE } from '../../clients/kafka-fetch.ts'
import { fail } from '../../core/errors.ts'
import { whenAborted, within } from '../../core/signals.ts'
import type { Consumed, EntryContext, FollowContext, PrepareContext } from '../../source.ts'
import { ackWindow } from '../queues/ack-window.ts'
import { handOver } from '../queues/hand-over.ts'
import type { AvroDecoder } from './avro.ts'
import { settingsOf } from './config.ts'
import { connect, described } from './connect.ts'
import { payload } from './payload.ts'
import { endOf, type KafkaPosition, lookOnce, partitionsOf, whereToBegin } from './position.ts'
import { schemaRegistry } from './registry.ts'
import type { KafkaSpec } from './spec.ts'

/** Records that are on their way to the bus at a time. */
export const IN_FLIGHT = 1_024
export const IN_FLIGHT_BYTES = 32 << 20
/** Of one answer of a broker. */
const ANSWER_BYTES = 4 << 20
/** How often offsets are committed, and partitions and their leaders looked up. */
const EVERY_MS = 1_000
const STANDBY_PING_MS = 5_000
/** After a fetch that failed, and while there is nothing to fetch. */
const PAUSE_MS = 200
/** A loop that has not come round for so long, though each of its requests is bounded, stands still. */
const SILENT_MS = 60_000
/** So long, what a broker sent waits for a schema; then only the partition does that needs it. */
const SCHEMA_PATIENCE_MS = 1_000

type Context = FollowContext<KafkaSpec, KafkaPosition>

/** Connected and logged in, and the topic is there; reads nothing. */
export async function standBy(ctx: PrepareContext<KafkaSpec>): Promise<void> {
  const client = await connect(ctx)
  ctx.keep(client)
  while (!ctx.signal.aborted) {
    await client.topic(ctx.spec.topic).catch((error: unknown) => {
      throw described(error, ctx.spec)
    })
    ctx.condition(null)
    await ctx.clock.sleep(STANDBY_PING_MS, ctx.signal).catch(() => {})
  }
}

/** See {@link lookOnce}. */
export async function look(ctx: EntryContext<KafkaSpec>): Promise<unknown> {
  const client = await connect(ctx)
  try {
    return await lookOnce(ctx.spec, client)
  } finally {
    await client.close()
  }
}

export async function serveKafka(ctx: Context): Promise<void> {
  const client = (ctx.kept() as KafkaClient | null) ?? (await connect(ctx))
  try {
    const topic = await client.topic(ctx.spec.topic)
    const position = await whereToBegin(ctx, client, topic)
    await ctx.advance(structuredClone(position))
    await read(ctx, client, topic, position, await fetcher(client, ctx.spec.topic, topic))
  } catch (error) {
    throw described(error, ctx.spec)
  } finally {
    await client.close()
  }
}

async function read(
  ctx: Context,
  client: KafkaClient,
  first: KafkaTopic,
  position: KafkaPosition,
  fetch: Fetch,
): Promise<void> {
  const { spec, clock } = ctx
  const settings = settingsOf(spec.config)
  const limits = { ...settings, maxBytes: Math.max(ANSWER_BYTES, settings.partitionMaxBytes) }
  const failed = new AbortController()
  const signal = AbortSignal.any([ctx.signal, failed.signal])
  let durable: KafkaOffsets = { ...position.offsets }
  let committed = ''
  let committing: Promise<unknown> = Promise.resolve()
  const group = spec.consumerGroup?.groupName
  /**
   * What the bus is to commit, where it can. Only after the group has taken a commit of ours: the broker refuses that while others are members
   * of the group, but not one within a transaction, which would then move the offsets of those others.
   */
  const consumed = (offsets: KafkaOffsets): Consumed | undefined =>
    group !== undefined && committed !== '' && ctx.commits(first.cluster, group)
      ? { group, topic: spec.topic, offsets }
      : undefined
  const busCommits = () => consumed(durable) !== undefined
  /** By broker, what its last fetch failed with. */
  const faults = new Map<number, string>()
  const window = ackWindow<KafkaOffsets>((run) => {
    durable = run.at(-1)!
  })
  window.failed.catch((error: unknown) => failed.abort(error))

  const registry =
    spec.schemaRegistry !== undefined && spec.jsonBody ? schemaRegistry(ctx, spec.schemaRegistry, signal) : null
  /** Partitions that wait for the schema of their next message: they are fetched again from there when it is known. */
  const held = new Set<number>()
  /** Null: there is none, or the partition is held now. */
  const decoderOf = async (value: Uint8Array | null, partition: number): Promise<AvroDecoder | null> => {
    while (registry !== null && value !== null && !signal.aborted) {
      const found = registry.decoderOf(value)
      if (!(found instanceof Promise)) return found
      const known = await within(found, SCHEMA_PATIENCE_MS, clock).then(
        () => true,
        () => false,
      )
      if (known) continue
      held.add(partition)
      void found.then(() => held.delete(partition))
      break
    }
    return null
  }

  const publish = async (record: KafkaRecord, partition: number, decoder: AvroDecoder | null): Promise<void> => {
    await window.room(IN_FLIGHT, IN_FLIGHT_BYTES)
    // A commit of ours that arrives late would take back what the bus commits meanwhile.
    if (busCommits()) await committing.catch(() => {})
    if (signal.aborted) return
    position.offsets[partition] = record.offset + 1
    const at = { ...position, offsets: { ...position.offsets } }
    const item = {
      what: `offset ${record.offset} of partition ${partition} of ${spec.topic}`,
      fate: "it stays in the topic until the topic's retention removes it",
    }
    const eventId = idOf(ctx, partition, record.offset, position.resets)
    const work = async () => {
      const event = { eventId, position: at, consumed: consumed(at.offsets) }
      await handOver(ctx, item, event, () => payload(record, partition, spec, decoder))
      return 'published' as const
    }
    window.add(at.offsets, work, record.value?.length)
  }

  const limit = spec.consumerGroup === undefined ? 0 : spec.limitEventsPerSecond
  const take = async ({ partition, records, next, error }: Fetched): Promise<void> => {
    if (error === OFFSET_OUT_OF_RANGE) return await outOfRange(ctx, client, position, partition)
    if (error !== 0) throw fail('ORIGIN_UNAVAILABLE', `partition ${partition} of ${spec.topic}: error ${error}`)
    const batch = limit > 0 ? records.slice(0, limit) : records
    for (const record of batch) {
      const decoder = await decoderOf(record.value, partition)
      if (signal.aborted || held.has(partition)) return
      await publish(record, partition, decoder)
      if (limit > 0) await clock.sleep(1_000 / limit, signal).catch(() => {})
    }
    // Past what is no event: control records, and what was aborted or compacted away.
    if (batch.length === records.length && !signal.aborted) position.offsets[partition] = next
  }

  let topic = first
  /** Reads what one broker leads, until it leads nothing any more. */
  const follow = async (node: number): Promise<void> => {
    while (!signal.aborted) {
      ctx.reading(SILENT_MS, `from broker ${node}`)
      const mine = partitionsOf(spec, topic).filter((one) => topic.leaders[one] === node)
      if (mine.length === 0) return
      const free = mine.filter((one) => !held.has(one))
      if (free.length === 0) {
        await clock.sleep(PAUSE_MS, signal).catch(() => {})
        continue
      }
      try {
        const fetched = await fetch(node, new Map(free.map((one) => [one, position.offsets[one] ?? 0])), limits)
        const outcomes = await Promise.allSettled(fetched.map(take))
        const bad = outcomes.find((one) => one.status === 'rejected')
        if (bad !== undefined) throw bad.reason
        faults.delete(node)
      } catch (error) {
        if (signal.aborted) return
        faults.set(node, described(error, spec).message)
        await clock.sleep(PAUSE_MS, signal).catch(() => {})
      }
    }
  }
  const followers = new Map<number, Promise<void>>()
  const followAll = () => {
    for (const node of new Set(partitionsOf(spec, topic).map((one) => topic.leaders[one] ?? -1))) {
      if (node >= 0 && !followers.has(node))
        followers.set(
          node,
          follow(node).finally(() => {
            ctx.reading(Number.POSITIVE_INFINITY, `from broker ${node}`)
            followers.delete(node)
            faults.delete(node)
          }),
        )
    }
  }
  const commit = async (): Promise<string | null> => {
    const now = JSON.stringify(durable)
    if (group === undefined || now === committed) return null
    // Ahead of this while something is on its way.
    if (busCommits() && now !== JSON.stringify(position.offsets)) return null
    try {
      committing = client.commit(group, spec.topic, durable)
      await committing
      committed = now
      return null
    } catch (error) {
      committed = ''
      return `offsets cannot be committed to group ${group}: ${described(error, spec).message}`
    }
  }
  const tend = async (): Promise<void> => {
    while (!signal.aborted) {
      ctx.reading(SILENT_MS)
      followAll()
      const refused = await commit()
      const leaderless = topic.leaders.flatMap((leader, i) => (leader < 0 ? [i] : []))
      const troubled = registry?.trouble() ?? null
      const [fault] = faults.values()
      ctx.condition(
        fault ?? troubled ?? refused ?? (leaderless.length > 0 ? `nobody leads partitions ${leaderless}` : null),
      )
      await clock.sleep(EVERY_MS, signal).catch(() => {})
      if (signal.aborted) return
      // What passed without an event is remembered too, behind all that is under way.
      const at = { ...position, offsets: { ...position.offsets } }
      if (JSON.stringify(at.offsets) !== JSON.stringify(durable)) {
        window.add(at.offsets, async () => {
          await ctx.advance(at, consumed(at.offsets))
          return 'published'
        })
      }
      const now = await client.topic(spec.topic)
      if (now.id !== topic.id) throw fail('ORIGIN_UNAVAILABLE', `topic ${spec.topic} was made anew`)
      for (const one of partitionsOf(spec, now)) position.offsets[one] ??= 0
      topic = now
    }
  }
  try {
    await Promise.race([tend(), whenAborted(signal)])
  } finally {
    failed.abort()
    await window.settled()
    await commit()
  }
  if (!ctx.signal.aborted) await window.failed
}

/** Upstream's id, byte for byte; after a topic was made anew its offsets come again, and are told apart. */
function idOf({ spec, eventSource, entry }: Context, partition: number, offset: number, resets: number): string {
  const [broker] = spec.url.split(',', 1)
  return `${eventSource}:${entry}:${broker}:${spec.topic}:${partition}:${offset}${resets > 0 ? `:${resets}` : ''}`
}

/** Retention has passed us, or the log was cut back below where we stand. Says what is lost, and goes on with what is there. */
async function outOfRange(
  ctx: Context,
  client: KafkaClient,
  position: KafkaPosition,
  partition: number,
): Promise<void> {
  const { topic } = ctx.spec
  const was = position.offsets[partition] ?? 0
  const earliest = (await client.offsets(topic, [partition], 'earliest'))[partition] ?? 0
  const { readCommitted } = settingsOf(ctx.spec.config)
  const latest = (await client.offsets(topic, [partition], endOf(readCommitted)))[partition] ?? 0
  if (was < earliest) {
    const what = `offsets ${was} to ${earliest - 1} of partition ${partition} of ${topic}`
    ctx.skip(what, new Error("the broker's retention removed them before they were read"))
    position.offsets[partition] = earliest
  } else if (was > latest) {
    const what = `offsets from ${latest} of partition ${partition} of ${topic}`
    ctx.skip(what, new Error(`the broker lost them (it has ${latest}, ${was} were read)`))
    position.offsets[partition] = latest
    position.resets++
  }
}
