/** Where an entry stands in its topic, and where it begins. */
import type { KafkaClient, KafkaOffsets, KafkaTopic } from '../../clients/kafka.ts'
import type { FollowContext, Predecessor } from '../../source.ts'
import { settingsOf } from './config.ts'
import type { KafkaSpec } from './spec.ts'

export interface KafkaPosition {
  /** The ids of the cluster and of the topic. */
  cluster: string
  topic: string
  /** How often offsets began anew (another topic or cluster of the name): part of the ids of events when it is not 0. */
  resets: number
  /** The next offset of each partition. */
  offsets: KafkaOffsets
}

/** The partitions to read. @throws RangeError when the one that is wanted is not there */
export function partitionsOf({ consumerGroup, partition }: KafkaSpec, { leaders }: KafkaTopic): number[] {
  if (consumerGroup !== undefined) return leaders.map((_, i) => i)
  const one = Number(partition)
  if (one >= leaders.length)
    throw new RangeError(`partition ${partition} is not available, there are ${leaders.length}`)
  return [one]
}

/** Behind the last message that may be read. */
export const endOf = (readCommitted: boolean) => (readCommitted ? 'latest' : 'stored')

/** Where the partitions ended while Argo Events' own Pods still read them, and the id of the topic. */
interface Ends {
  topic: string
  offsets: KafkaOffsets
}

/** What a standby sees while they read: they keep no place, or none yet. */
export async function lookOnce(spec: KafkaSpec, client: KafkaClient): Promise<Ends> {
  const topic = await client.topic(spec.topic)
  const at = endOf(settingsOf(spec.config).readCommitted)
  return { topic: topic.id, offsets: await client.offsets(spec.topic, partitionsOf(spec, topic), at) }
}

/** Where the partitions ended when they were seen. */
function seenOffsets(predecessor: Predecessor | null, topicId: string): KafkaOffsets {
  const seen = predecessor?.seen?.look as Ends | undefined
  return seen?.topic === topicId ? seen.offsets : {}
}

/** After their last events, whose ids end with topic, partition and offset; they commit up to a second later. */
function toldOffsets(predecessor: Predecessor | null, topic: string): KafkaOffsets {
  const next: KafkaOffsets = {}
  for (const { id } of predecessor?.told ?? []) {
    const [partition, offset] = id.split(':').slice(-2)
    if (id.endsWith(`:${topic}:${partition}:${offset}`)) next[Number(partition)] = Number(offset) + 1
  }
  return next
}

/** Where a first term begins: what they told counts, then what the group has committed, then where all ended when they were seen, then now. */
async function beginning(
  { spec, predecessor }: Pick<FollowContext<KafkaSpec, KafkaPosition>, 'spec' | 'predecessor'>,
  client: Pick<KafkaClient, 'offsets'>,
  topic: KafkaTopic,
  committed: KafkaOffsets,
): Promise<KafkaOffsets> {
  const { consumerGroup: group } = spec
  const { oldest, readCommitted } = settingsOf(spec.config)
  const fromOldest = group !== undefined && (group.oldest || oldest)
  const seen = fromOldest ? {} : seenOffsets(predecessor(), topic.id)
  const without = partitionsOf(spec, topic).filter((one) => committed[one] === undefined && seen[one] === undefined)
  const first = await client.offsets(spec.topic, without, fromOldest ? 'earliest' : endOf(readCommitted))
  const offsets: KafkaOffsets = { ...seen, ...first, ...committed }
  const told = Object.entries(toldOffsets(predecessor(), spec.topic)).filter(
    ([one]) => offsets[Number(one)] !== undefined,
  )
  if (told.length === 0) return offsets
  const partitions = told.map(([one]) => Number(one))
  // Of a topic that was made anew since, their offsets say nothing.
  const end = await client.offsets(spec.topic, partitions, 'stored')
  for (const [one, offset] of told) {
    const partition = Number(one)
    if (offset > (end[partition] ?? 0)) continue
    offsets[partition] = committed[partition] === undefined ? offset : Math.max(committed[partition], offset)
  }
  return offsets
}

/**
 * After the last event on the bus. What a group has committed meanwhile, such as by Argo Events, is not read again; a partition that was not there
 * before is read from its start, and so is a topic that was made anew.
 */
export async function whereToBegin(
  ctx: Pick<FollowContext<KafkaSpec, KafkaPosition>, 'spec' | 'log' | 'resume' | 'predecessor'>,
  client: KafkaClient,
  topic: KafkaTopic,
): Promise<KafkaPosition> {
  const { spec, log } = ctx
  const partitions = partitionsOf(spec, topic)
  const group = spec.consumerGroup
  const committed = group === undefined ? {} : await client.committed(group.groupName, spec.topic, partitions)
  const stored = ctx.resume()
  const here = { cluster: topic.cluster, topic: topic.id }
  if (stored === null || stored.cluster !== topic.cluster) {
    // Another cluster under the name of the first: it counts its offsets too.
    if (stored !== null)
      return {
        ...here,
        resets: stored.resets + 1,
        offsets: await beginning({ ...ctx, predecessor: () => null }, client, topic, committed),
      }
    return { ...here, resets: 0, offsets: await beginning(ctx, client, topic, committed) }
  }
  const anew = stored.topic !== topic.id
  if (anew) log.warn('the topic was made anew: read from its start', { topic: spec.topic })
  const known = anew ? {} : stored.offsets
  const added = await client.offsets(
    spec.topic,
    partitions.filter((one) => known[one] === undefined),
    'earliest',
  )
  const offsets = Object.fromEntries(
    partitions.map((one) => [one, Math.max(known[one] ?? added[one] ?? 0, anew ? 0 : (committed[one] ?? 0))]),
  )
  return { ...here, resets: stored.resets + (anew ? 1 : 0), offsets }
}
