/** The prose and the examples of the Pub/Sub page. */
import type { Example } from '../../source.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
The serving replica pulls by one stream, up to ${IN_FLIGHT} messages (or 64 MiB) at a time, and publishes them side by side. A message is acknowledged when the bus has it durably; while the bus is slow
its deadline is extended, for as long as it takes. Messages with an ordering key of a subscription with ordering come, and are stored, in their order.

The event's id is made from the message's id and publish time, which stay the same when Pub/Sub delivers a message again: stored once, however often it comes.

### The subscription

| \`subscriptionID\` | \`topic\` | what happens |
|---|---|---|
| given | | it must be there |
| given | given | it must belong to the topic; when it is missing it is made, and the topic too if that is missing |
| | given | one of the entry's own is made, named after the entry and its fields as Argo Events names it: changed fields mean another subscription, and the old one stays |

\`PUBSUB_EMULATOR_HOST\` in the environment leads to an emulator.

Permissions: \`pubsub.subscriptions.consume\`; with \`topic\` also \`pubsub.subscriptions.get\`; to make what is missing \`pubsub.subscriptions.create\`, \`pubsub.topics.attachSubscription\` and \`pubsub.topics.create\`;
with \`deleteSubscriptionOnFinish\` \`pubsub.subscriptions.delete\`.

## What stays at the origin

| | when the entry is edited | when it, or its EventSource, is deleted |
|---|---|---|
| a subscription that has a \`subscriptionID\` | the old one stays; a run deletes it with \`deleteSubscriptionOnFinish\` | stays. With \`deleteSubscriptionOnFinish: true\`: deleted, with what is in it |
| one of the entry's own | nearly every changed field means another one. What is in the old one is not read any more; with \`deleteSubscriptionOnFinish: true\` it is deleted by the next who serves | likewise |
| a topic that was made | stays | stays |

Of a run, an entry that leaves the files is deleted; in Kubernetes the object is, and what is to go holds it back until a Job has done it. Entries that have one subscription take from each other: \`validate\` warns.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed or frozen | new ones go to the next one at once; those that were under way come again after 10 s, and are stored once |
| the connection breaks, Pub/Sub is away | pulled again with growing pauses, for ever; Pub/Sub keeps messages (7 days by default) |
| the connection is silent | a ping (each 60 s) without an answer within 10 s ends it |
| credentials, permissions, project or topic are wrong | status says which, and since when; the Secret is read anew at each attempt |
| the topic of the subscription has been deleted | status says so |
| the bus takes nothing | deadlines are extended until it does |
| \`jsonBody\`, and a message is no JSON; or its event is larger than the bus takes | counted as skipped once, and shown with its id. With a dead-letter policy of the subscription it is refused until Pub/Sub moves it to that topic; without one it is acknowledged |

## What differs from Argo Events

- A message that is no JSON goes to the dead-letter topic, or is skipped where there is none. There it comes again for ever.
- \`deleteSubscriptionOnFinish\` deletes when the object is deleted. There it deletes whenever the Pod stops, and what comes meanwhile is lost.
- A message that comes again is stored once.
- A Secret may hold any credentials that Google's library reads, such as a workload identity federation.
`.trim()

export const examples: Example[] = [
  {
    name: 'pubsub',
    title: 'A topic of GCP Pub/Sub, with two standbys; needs credentials',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: pubsub
spec:
  replicas: 3
  pubSub:
    orders:
      projectID: my-project
      topic: orders
      # made when it is missing
      subscriptionID: orders-vedette
      # without it: the application default credentials
      credentialSecret:
        name: gcp
        key: key.json
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
