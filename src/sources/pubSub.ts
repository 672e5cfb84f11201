/** The type `pubSub`: messages of a GCP Pub/Sub subscription. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './pubSub/examples.ts'
import { IN_FLIGHT, removeSubscription, serveSubscription, standBy } from './pubSub/serve.ts'
import { claimsOf, type PubSubSpec, specSchema, validateSpec } from './pubSub/spec.ts'

export default defineSource<PubSubSpec>({
  type: 'pubSub',
  eventType: 'pubsub',
  title: 'GCP Pub/Sub',
  summary: 'Takes the messages of a Google Cloud Pub/Sub subscription.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "A message is acknowledged only when the bus has it, and Pub/Sub gives what was not acknowledged to the next replica. The event's id is made from the message's id and publish time, so what comes again is stored once.",
  ids: "Pub/Sub's id of the message, together with its publish time: ids are unique within a topic, and one that is made anew, as in an emulator, may begin with the same. A delivery that is repeated has both.",
  spec: specSchema,
  event: z.object({
    id: z.string().describe("Pub/Sub's id of the message."),
    body: z
      .unknown()
      .describe('The message: base64 text, or with `jsonBody` the JSON as sent; `null` when it has attributes alone.'),
    attributes: z.record(z.string(), z.string()).nullable().describe('`null` when it has none.'),
    publishTime: z.string().describe('As Go prints it, in UTC: `2023-11-14 22:13:20.123456 +0000 UTC`.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ projectID, topicProjectID, topic, subscriptionID }) => ({
    projectID,
    topicProjectID,
    topic,
    subscriptionID,
  }),
  recall: 2 * IN_FLIGHT,
  prepare: stoppable(standBy),
  serve: stoppable(serveSubscription),
  claims: claimsOf,
  removes: ({ deleteSubscriptionOnFinish }) => deleteSubscriptionOnFinish,
  remove: removeSubscription,
})
