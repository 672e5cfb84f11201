/** What stays at the brokers: the subscription, which keeps messages of its topics, unless it is to go with the entry or the topic. */
import { isVedetteError } from '../../core/errors.ts'
import type { EntryContext, ServeContext } from '../../source.ts'
import { endWhatIsNotWanted, recall } from '../queues/made-at-origin.ts'
import { type Cluster, connectCluster } from './cluster.ts'
import { fullTopic, type PulsarSpec } from './spec.ts'
import { namesOf } from './topics.ts'

/** Of the protocol: the topic does not exist. */
const NO_TOPIC = 11
/** Consumers of their own, beside those that serve. */
const FIRST_ID = 1 << 20

/** Ends the subscription to topics that the entry does not name any more, if that is wanted. */
export async function unsubscribeWhatWas(ctx: ServeContext<PulsarSpec, any>, cluster: Cluster): Promise<void> {
  const { spec, entry } = ctx
  if (!spec.deleteSubscriptionOnFinish) return
  const subscribed = { recalled: recall(ctx), scope: `subscription ${entry} at ${spec.url}`, wanted: topicsOf(spec) }
  await endWhatIsNotWanted(ctx, subscribed, (topic) => unsubscribe(cluster, topic, entry))
}

/** Ends the subscription, if that is wanted: when the entry is deleted, never when a replica stops. */
export async function removeSubscription(ctx: EntryContext<PulsarSpec>): Promise<void> {
  if (!ctx.spec.deleteSubscriptionOnFinish) return
  const cluster = await connectCluster(ctx)
  try {
    for (const topic of topicsOf(ctx.spec)) await unsubscribe(cluster, topic, ctx.entry)
  } finally {
    cluster.close()
  }
}

const topicsOf = ({ topics }: PulsarSpec) => (topics ?? []).map((topic) => fullTopic(topic) ?? topic)

/** A subscription is ended by one of its consumers, and only by its last one. */
async function unsubscribe(cluster: Cluster, topic: string, subscription: string): Promise<void> {
  try {
    for (const [i, name] of namesOf(topic, await cluster.partitions(topic)).entries()) {
      const broker = await cluster.brokerOf(name)
      const consumerId = FIRST_ID + i
      // Shared, it is let in beside nobody, and beside others.
      const wanted = { topic: name, subscription, subType: 0, consumerId, consumerName: '', initialPosition: 0 }
      await broker.subscribe(wanted, () => {})
      await broker.unsubscribe(consumerId)
    }
  } catch (error) {
    if (!isVedetteError(error) || error.details.refused !== NO_TOPIC) throw error
  }
}
