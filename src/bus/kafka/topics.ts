/** The two topics of the bus: upstream's for the events, and a compacted one beside it. */
import type { KafkaClient, KafkaTopic } from '../../clients/kafka.ts'
import { innermost, isRefusedLogin, isUnknownTopic } from '../../clients/kafka-errors.ts'
import { fail } from '../../core/errors.ts'
import { STATE_TOPIC_CONFIG } from './state.ts'

/** A topic made by somebody else a moment ago (TOPIC_ALREADY_EXISTS). */
const EXISTS = 'TOPIC_ALREADY_EXISTS'

/** Looks at a topic, which is made when it is missing. @throws BUS_UNAVAILABLE saying what to do */
export async function ensureTopic(client: KafkaClient, name: string, compacted: boolean): Promise<KafkaTopic> {
  let topic: KafkaTopic
  try {
    topic = await client.topic(name)
  } catch (error) {
    if (isRefusedLogin(error))
      throw fail('BUS_UNAVAILABLE', 'authentication: the broker refuses the user or the password', {}, { cause: error })
    if (!isUnknownTopic(error)) throw fail('BUS_UNAVAILABLE', innermost(error), {}, { cause: error })
    await makeTopic(client, name, compacted)
    topic = await client.topic(name)
  }
  const orphan = topic.leaders.indexOf(-1)
  if (orphan >= 0) throw fail('BUS_UNAVAILABLE', `partition ${orphan} of topic ${name} has no leader`)
  return topic
}

/** One partition, so that the log has one order; as many copies as the cluster's default. */
async function makeTopic(client: KafkaClient, name: string, compacted: boolean): Promise<void> {
  const configs = compacted ? Object.entries(STATE_TOPIC_CONFIG).map(([key, value]) => ({ name: key, value })) : []
  try {
    // Asked twice, the second time it is there.
    await client.ask((admin) => admin.createTopics({ topics: [name], partitions: 1, replicas: -1, configs }))
  } catch (error) {
    const why = innermost(error)
    if (why.includes(EXISTS)) return
    const how = compacted ? 'one partition and cleanup.policy=compact' : 'one partition or more'
    throw fail('BUS_UNAVAILABLE', `topic ${name} does not exist and cannot be made: ${why}; make it with ${how}`)
  }
}
