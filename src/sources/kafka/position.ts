/** Where an entry stands in its topic, and where it begins. */
import type { KafkaClient, KafkaOffsets, KafkaTopic } from '../../clients/kafka.ts'
import type { SourceContext } from '../../source.ts'
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

/**
 * After the last event on the bus. What a group has committed meanwhile, such as by Argo Events, is not read again; a partition that was not there
 * before is read from its start, and so is a topic that was made anew.
 */
export async function whereToBegin(
  { spec, log, resume }: Pick<SourceContext<KafkaSpec, KafkaPosition>, 'spec' | 'log' | 'resume'>,
  client: KafkaClient,
  topic: KafkaTopic,
): Promise<KafkaPosition> {
  const partitions = partitionsOf(spec, topic)
  const group = spec.consumerGroup
  const committed = group === undefined ? {} : await client.committed(group.groupName, spec.topic, partitions)
  const stored = resume()
  const { oldest, readCommitted } = settingsOf(spec.config)
  const here = { cluster: topic.cluster, topic: topic.id }
  if (stored === null || stored.cluster !== topic.cluster) {
    const without = partitions.filter((one) => committed[one] === undefined)
    const fromOldest = group !== undefined && (group.oldest || oldest)
    const at = fromOldest ? 'earliest' : endOf(readCommitted)
    const first = await client.offsets(spec.topic, without, at)
    // Another cluster under the name of the first: it counts its offsets too.
    return { ...here, resets: stored === null ? 0 : stored.resets + 1, offsets: { ...first, ...committed } }
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
