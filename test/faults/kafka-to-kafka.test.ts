/**
 * A Kafka source whose topic is on the cluster of the EventBus: the group's offsets are committed with the events, so they are what the bus
 * holds whenever everything dies.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Producer } from '@platformatic/kafka'
import { connectKafka, type KafkaOffsets } from '../../src/clients/kafka.ts'
import { FULL } from '../full.ts'
import { manifest } from '../origins/broker.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars, startKafka } from '../servers/kafka.ts'
import { busAt, readTopic } from './kafka-world.ts'
import { endsOf } from './load.ts'
import { everyoneBack, killIfThere, nextLeader, startRig, waitFor } from './rig.ts'

const PARTITIONS = [0, 1, 2]
const ORIGIN = 'origin'

test('Kafka to Kafka: the leader is killed again and again, then everything: the group has what the bus has, and all of it once', {
  skip: without('Kafka', kafkaJars()),
  timeout: 240_000,
}, async (t) => {
  const ends = endsOf(t)
  const { broker, close } = await startKafka()
  ends.push(close)
  const client = await connectKafka({ brokers: [broker], clientId: 'test' })
  ends.push(() => client.close())
  await client.admin.createTopics({ topics: [ORIGIN], partitions: PARTITIONS.length, replicas: 1 })
  // Until the first group asks, there is no coordinator.
  const committed = () => client.committed('group', ORIGIN, PARTITIONS).catch((): KafkaOffsets => ({}))
  const spec = `url: ${broker}\ntopic: ${ORIGIN}\njsonBody: true\nconsumerGroup: { groupName: group, oldest: true }`
  const rig = await startRig(() => [busAt([broker]), manifest('kafka', spec, 3)].join('---\n'))
  ends.push(() => rig.close(t))

  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [broker], idempotent: true })
  ends.push(() => producer.close())
  const sent: KafkaOffsets = { 0: 0, 1: 0, 2: 0 }
  let sending = true
  const sender = (async () => {
    for (let n = 0; sending; n++) {
      const partition = n % PARTITIONS.length
      await producer.send({ acks: -1, messages: [{ topic: ORIGIN, partition, value: Buffer.from(`{"n":${n}}`) }] })
      sent[partition]!++
      await pause(2)
    }
  })()
  ends.push(() => {
    sending = false
    return sender
  })
  /** Waits until messages that came after the call have been committed. */
  const goesOn = async () => {
    const target = { ...sent }
    await waitFor(async () => {
      const now = await committed()
      return PARTITIONS.every((one) => (now[one] ?? -1) > target[one]!)
    }, 60_000)
  }

  /** Of each partition of the origin the offsets from 0 on, each once and in order. @returns how many */
  const onBus = async (): Promise<KafkaOffsets> => {
    const offsets = PARTITIONS.map((): number[] => [])
    // The id is `<eventsource>:<entry>:<broker>:<topic>:<partition>:<offset>`.
    for (const { event } of await readTopic([broker])) {
      const [partition, offset] = event.id.split(':').slice(-2).map(Number) as [number, number]
      offsets[partition]!.push(offset)
    }
    for (const [partition, found] of offsets.entries())
      assert.deepEqual(found, [...found.keys()], `partition ${partition}: not each message once`)
    return Object.fromEntries(offsets.map((found, partition) => [partition, found.length]))
  }
  const assertGroupHas = async (there: KafkaOffsets) => {
    // The coordinator applies a transaction a moment after its commit is answered.
    await waitFor(async () => isDeepStrictEqual(await committed(), there), 10_000).catch(() => {})
    assert.deepEqual(await committed(), there, 'the group has what the bus has')
  }

  await goesOn()
  for (let round = 0; round < (FULL ? 5 : 1); round++) {
    for (let i = 0; i < 2; i++) {
      await everyoneBack(rig)
      const leader = await nextLeader(rig, 'queue', null, 30_000)
      await pause(Math.random() * 500)
      killIfThere(leader.pid)
      await nextLeader(rig, 'queue', leader, 30_000)
      await goesOn()
    }
    await pause(1_000 + Math.random() * 500)
    await rig.killAll()
    await assertGroupHas(await onBus())
    await rig.restart()
    await goesOn()
  }
  sending = false
  await sender
  await waitFor(async () => isDeepStrictEqual(await committed(), sent), 60_000)
  assert.equal(await rig.stop(), 0)
  assert.deepEqual(await onBus(), sent)
  t.diagnostic(`${sent[0]! + sent[1]! + sent[2]!} messages`)
})
