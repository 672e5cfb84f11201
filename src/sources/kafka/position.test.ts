/** Where a first term begins after Argo Events' own Pods. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KafkaClient, KafkaOffsets } from '../../clients/kafka.ts'
import { silentLogger } from '../../core/log.ts'
import type { Predecessor } from '../../source.ts'
import kafka from '../kafka.ts'
import { type KafkaPosition, whereToBegin } from './position.ts'

const topic = { cluster: 'c', id: 'topic-1', leaders: [1, 1, 1] }
const END = 100

/** @param told partition and offset of their last events @param seen where the partitions ended when a standby looked */
async function begun(
  reads: object,
  {
    told = [],
    seen,
    seenTopic = topic.id,
    committed = {},
    resume = null,
  }: {
    told?: [partition: number, offset: number][]
    seen?: KafkaOffsets
    seenTopic?: string
    committed?: KafkaOffsets
    resume?: KafkaPosition | null
  },
): Promise<KafkaOffsets> {
  const client = {
    committed: async () => committed,
    offsets: async (_: string, partitions: number[], at: string) =>
      Object.fromEntries(partitions.map((one) => [one, at === 'earliest' ? 10 : END])),
  } as unknown as KafkaClient
  const predecessor: Predecessor = {
    told: told.map(([partition, offset]) => ({
      ...{ id: `es:e:broker:9092:orders:${partition}:${offset}`, atMs: 0, data: '{}' },
    })),
    seen: seen === undefined ? null : { atMs: 0, look: { topic: seenTopic, offsets: seen } },
  }
  const spec = kafka.spec.parse({ url: 'broker:9092', topic: 'orders', ...reads })
  const ctx = { spec, log: silentLogger, resume: () => resume, predecessor: () => predecessor }
  return (await whereToBegin(ctx, client, topic)).offsets
}

const group = (more: object = {}) => ({ consumerGroup: { groupName: 'g', ...more } })

test('one partition without a group: after what they told last; else where it ended when they were seen; else now', async () => {
  const reads = { partition: '1' }
  assert.deepEqual(await begun(reads, {}), { 1: END })
  assert.deepEqual(await begun(reads, { seen: { 1: 80 } }), { 1: 80 })
  assert.deepEqual(await begun(reads, { seen: { 1: 80 }, told: [[1, 90]] }), { 1: 91 })
  assert.deepEqual(await begun(reads, { told: [[1, 70]] }), { 1: 71 })
})

test('a group: what is told and not yet committed is not read again, what is committed without being told is not either', async () => {
  const committed = { 0: 50, 1: 60 }
  const told: [number, number][] = [[0, 54]]
  assert.deepEqual(await begun(group(), { committed, told, seen: { 0: 40, 1: 40, 2: 40 } }), { 0: 55, 1: 60, 2: 40 })
  assert.deepEqual(await begun(group(), { committed, told: [[0, 20]] }), { 0: 50, 1: 60, 2: END })
  assert.deepEqual(await begun(group({ oldest: true }), { committed, seen: { 2: 40 } }), { 0: 50, 1: 60, 2: 10 })
})

test('a topic that was made anew since: what was told or seen of the one before says nothing', async () => {
  const reads = { partition: '1' }
  assert.deepEqual(await begun(reads, { told: [[1, 5_000]] }), { 1: END })
  assert.deepEqual(await begun(reads, { seen: { 1: 80 }, seenTopic: 'topic-0' }), { 1: END })
})

test('a position of ours counts, whatever they left', async () => {
  const resume = { cluster: 'c', topic: topic.id, resets: 0, offsets: { 1: 30 } }
  assert.deepEqual(await begun({ partition: '1' }, { resume, told: [[1, 20]], seen: { 1: 80 } }), { 1: 30 })
})
