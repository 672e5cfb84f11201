/** The prose and the examples of the Pulsar page. */
import type { Example } from '../../source.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
The subscription is durable and has the entry's name, as in Argo Events; so two EventSources that read the same topic need entries of different names. When the subscription is new it begins
with what comes. A topic with partitions is read whole; new partitions are found within a minute and read from their beginning.

${IN_FLIGHT} messages are under way, in all partitions together, and up to 64 MiB. An entry of the broker (a message, or the batch that its producer made) is acknowledged when the bus has all of it durably.
Messages compressed with LZ4, ZLIB, ZSTD or Snappy are unpacked. Standbys are connected and logged in, and know the brokers of the topics; they subscribe to nothing.

With \`exclusive\` the order of each partition is kept. With \`shared\` other consumers may take part, and there is no order.

## When something fails

| what happens | messages |
|---|---|
| the serving replica is killed | what it had not acknowledged comes to the next one, and is stored once |
| the serving replica is frozen | the broker notices when the next one subscribes, or by its own keep-alive (a minute at most); until then it may answer that another consumer has the subscription, and status says so |
| a broker is restarted, or a topic moves to another one | connected again with growing pauses, for ever; what was not acknowledged comes again, and is stored once |
| a connection is silent | asked every 5 s; after 20 s without an answer it is made again |
| TLS, the token, the certificate, the topic are wrong | status says which, and since when |
| the bus takes nothing | nothing is acknowledged; at ${IN_FLIGHT} messages, or 64 MiB, the broker waits |
| \`jsonBody\`, and a message is no JSON | acknowledged, counted as skipped and shown |
| a message is encrypted by its producer, or sent in chunks | acknowledged, counted as skipped and shown |
| the token expires | the broker closes the connection; the Secret is read anew |

## What differs from Argo Events

- A message is acknowledged only when the bus has it. There it is also acknowledged when publishing failed, and lost.
- New partitions are read from their beginning, not from when they are found.
- \`http://\` and \`https://\` URLs, and login by Athenz, are not in this version: \`validate\` says so, and the entry is not served.
- Messages in chunks are not put together in this version.
`.trim()

export const examples: Example[] = [
  {
    name: 'pulsar',
    title: 'A topic of Pulsar, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: pulsar
spec:
  replicas: 3
  pulsar:
    # also the name of the subscription
    orders:
      url: pulsar://localhost:6650
      topics: [orders]
      type: exclusive
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
