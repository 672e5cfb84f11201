/** The entry's subscription: looked for, checked, made when it is missing; by the rules of upstream. */
import { fail } from '../../core/errors.ts'
import { ALREADY_EXISTS, codeOf, described, NOT_FOUND, ONCE, type PubSubClients } from './client.ts'

const CONSUME = 'pubsub.subscriptions.consume'
/** What a subscription says whose topic is gone (https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions). */
const DELETED_TOPIC = '_deleted-topic_'

/** @returns whether it is there. @throws ORIGIN_UNAVAILABLE when that cannot be known, or pulling is not permitted */
export async function exists({ subscriber, names, emulated }: PubSubClients): Promise<boolean> {
  const { subscription } = names
  try {
    if (emulated) {
      await subscriber.getSubscription({ subscription }, ONCE)
      return true
    }
    const question = { resource: subscription, permissions: [CONSUME] } as Parameters<
      typeof subscriber.testIamPermissions
    >[0]
    const [{ permissions }] = await subscriber.testIamPermissions(question, ONCE)
    if (permissions?.includes(CONSUME)) return true
  } catch (error) {
    if (codeOf(error) === NOT_FOUND) return false
    const doing = emulated ? 'check if subscription' : 'test permission for subscription'
    throw described(error, `failed to ${doing} ${subscription}${emulated ? ' exists' : ''}`)
  }
  throw fail('ORIGIN_UNAVAILABLE', `authentication: you lack permission to pull from ${subscription}`)
}

/** Makes what is missing. Replicas may do that at once: what is there by then is taken. @throws ORIGIN_UNAVAILABLE */
export async function ensure(clients: PubSubClients): Promise<void> {
  const { subscriber, names } = clients
  const { subscription, topic } = names
  if (await exists(clients)) return await belongs(clients)
  if (topic === null) {
    throw fail('ORIGIN_UNAVAILABLE', `you need to specify topicID to create missing subscription ${subscription}`)
  }
  const create = () => subscriber.createSubscription({ name: subscription, topic }, ONCE)
  try {
    await create().catch(async (error: unknown) => {
      if (codeOf(error) !== NOT_FOUND) throw error
      await clients
        .publisher()
        .createTopic({ name: topic }, ONCE)
        .catch((error: unknown) => {
          if (codeOf(error) !== ALREADY_EXISTS) throw described(error, `failed to create ${topic}`)
        })
      await create()
    })
  } catch (error) {
    if (codeOf(error) === ALREADY_EXISTS) return await belongs(clients)
    throw described(error, `failed to create ${subscription} for ${topic}`)
  }
}

/** A subscription that is there must be one of the topic that is named, if one is. @throws ORIGIN_UNAVAILABLE */
async function belongs({ subscriber, names }: PubSubClients): Promise<void> {
  const { subscription, topic } = names
  if (topic === null) return
  const [found] = await subscriber.getSubscription({ subscription }, ONCE).catch((error: unknown) => {
    throw described(error, "failed to get subscription's config for verifying topic")
  })
  if (found.topic === topic) return
  const text =
    found.topic === DELETED_TOPIC
      ? 'the topic for the subscription has been deleted'
      : `this subscription belongs to wrong topic ${found.topic}`
  throw fail('ORIGIN_UNAVAILABLE', `${text} (${subscription})`)
}
